# The suite as a table: what `./dev test` runs, in this order. A part is `stage part budget-in-minutes function arguments…`.

parts_table() {
    cat <<'TEXT'
setup    packages      4  part_packages
setup    lint          1  part_lint
setup    format        1  part_format
release  build        12  part_build release all
release  headers       3  part_headers release
release  unit          2  part_ctest release unit
release  contract      8  part_ctest release contract
release  integration   6  part_ctest release integration
release  conformance   1  part_ctest release conformance
release  compile_fail  1  part_ctest release compile_fail
release  web           1  part_web
release  e2e           8  part_ctest release e2e
release  consumer      1  part_consumer
release  docs          2  part_docs
release  bench         2  part_bench
release  tidy          3  part_tidy
asan     build        10  part_build asan tests_unit tests_contract tests_conformance fuzz_targets
asan     unit          4  part_ctest asan unit
asan     contract      5  part_ctest asan contract
asan     conformance   2  part_ctest asan conformance
asan     fuzz          2  part_fuzz_smoke
asan     mutants       6  part_mutants
tsan     build         6  part_build tsan tests_threaded
tsan     threaded      6  part_ctest tsan threaded
gcc      build         8  part_build gcc sluice_libraries tests_unit orders sluice
gcc      unit          3  part_ctest gcc unit
chaos    kill9         5  part_chaos
TEXT
}

# The same suite in one build.
preset_table() {
    cat <<TEXT
$1  build        0  part_build $1 all
$1  unit         0  part_ctest $1 unit
$1  contract     0  part_ctest $1 contract
$1  integration  0  part_ctest $1 integration
$1  conformance  0  part_ctest $1 conformance
$1  e2e          0  part_ctest $1 e2e
$1  chaos        0  part_ctest $1 chaos
TEXT
}

list_parts() {
    echo "stage    part          budget (minutes)"
    parts_table | awk '{printf "%-8s %-13s %s\n", $1, $2, $3}'
}

# A stage, a part (the first of its name, or `stage.part`), or one test of a part (`unit.core`).
known_part() {
    parts_table | awk -v want="$1" '
        $1 == want || $2 == want || $1 "." $2 == want { found = 1 }
        index(want, ".") && substr(want, 1, index(want, ".") - 1) == $2 { found = 1 }
        END { exit !found }'
}
