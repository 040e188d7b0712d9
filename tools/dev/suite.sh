# Runs the table of parts. Each part leaves its results in build/results/<stage>.<part>/ (gtest JSON, ctest's JUnit file,
# checks.tsv); tools/dev/report.py adds them up.

# check passed|failed|skipped NAME [DETAIL]: a result of our own, counted once.
check() {
    printf '%s\t%s\t%s\n' "$1" "$2" "${3:-}" >>"$part_results/checks.tsv"
}

# checked NAME LOG COMMAND…: one check by exit status.
checked() {
    local name=$1 log=$2
    shift 2
    if logged "$log" "$@"; then check passed "$name"; else check failed "$name" "$logs/$log" && return 1; fi
}

no_targets() {
    echo "no targets: $*"
    echo "$*" >"$part_results/no-targets"
}

part_packages() {
    everything_installed && check passed packages
}

everything_installed() { ensure_packages "${build_packages[@]}" "${test_packages[@]}" && ensure_npm; }

part_lint() {
    checked "lint self-test" lint-self-test.log tools/lint --self-test || return 1
    checked "an interrupted run leaves nothing" guard-self-test.log python3 tools/dev/guard_selftest.py || return 1
    logged lint.log tools/lint --results "$part_results/checks.tsv"
}

part_format() { checked clang-format format.log check_format; }

part_build() {
    local preset=$1 targets=("${@:2}")
    [[ $only_test ]] && return 0 # the part that runs the test builds what it needs
    configure "$preset" && build "$preset" "${targets[@]}" && check passed "build $preset"
}

part_headers() {
    configure "$1" || return 1
    local target=all_verify_interface_header_sets
    has_target "$1" "$target" || { no_targets "$target" && return; }
    checked "public headers compile alone" "headers.log" ninja -C "build/$1" -k 0 ${DEV_JOBS:+-j "$DEV_JOBS"} "$target"
}

part_ctest() {
    local preset=$1 group=$2 select=(-L "^$2\$") target=tests_$2 parallel=${DEV_JOBS:-2}
    [[ $group != contract ]] || parallel=$((parallel + 1)) # they wait for servers
    [[ -z $only_test ]] || select=(-R "^${only_test//./\\.}\$")
    [[ $only_test != unit.* ]] || target=${only_test#unit.}_test
    configure "$preset" || return 1
    if [[ $(ctest --test-dir "build/$preset" "${select[@]}" -N 2>/dev/null) == *'Total Tests: 0'* ]]; then
        [[ -z $only_test ]] || { echo "no test '$only_test' in build/$preset" && return 1; }
        no_targets "$group tests in build/$preset" && return
    fi
    if [[ $only ]]; then build "$preset" "$target" || return 1; fi
    ctest --test-dir "build/$preset" "${select[@]}" --show-only=json-v1 >"$part_results/tests.json"
    if [[ $group == e2e || $group == integration || $group == chaos ]]; then build_web || return 1; fi
    GTEST_OUTPUT="json:$root/$part_results/" logged "$stage-$part.log" \
        ctest --test-dir "build/$preset" "${select[@]}" --parallel "$parallel" --output-on-failure \
        --output-junit "$root/$part_results/ctest.xml" \
        --test-output-size-passed 8000000 --test-output-size-failed 8000000
}

part_chaos() {
    local kills=50
    [[ $SLUICE_TEST_SCALE != full ]] || kills=200
    SLUICE_KILLS=$kills part_ctest release chaos
}

part_web() {
    [[ -f web/package.json ]] || { no_targets "no web/package.json" && return; }
    local status=0
    checked "web: types" web-check.log npm --prefix web run --if-present check || status=1
    checked "web: build" web-build-test.log build_web || status=1
    logged web-test.log npm --prefix web test --if-present || status=1
    cp "$logs/web-test.log" "$part_results/node.log"
    ((status == 0)) || tail -n 30 "$logs/web-test.log" >"$part_results/tail.log"
    return $status
}

part_consumer() {
    local prefix=$root/build/prefix
    rm -rf build/prefix build/consumer
    configure release && { [[ -z $only ]] || build release sluice_libraries; } || return 1
    checked "consumer: install" consumer-install.log cmake --install build/release --prefix "$prefix" || return 1
    checked "consumer: headers include only installed ones" consumer-headers.log installed_includes_exist "$prefix/include" || return 1
    checked "consumer: three lines of CMake" consumer-build.log build_consumer "$prefix" || return 1
    checked "consumer: runs" consumer-run.log timeout 60 tests/consumer/try.sh build/consumer/consumer
}

installed_includes_exist() {
    grep -rhoE '^#include "sluice/[^"]+"' "$1" | sort -u | cut -d'"' -f2 | (
        status=0
        while IFS= read -r header; do
            [[ -f $1/$header ]] || { echo "$header is included by an installed header, but not installed" && status=1; }
        done
        exit $status
    )
}

build_consumer() {
    cmake -S tests/consumer -B build/consumer -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=clang++-19 \
        -DCMAKE_PREFIX_PATH="$1" && ninja -C build/consumer
}

part_docs() {
    configure release && { [[ -z $only ]] || build release orders; } && build_web || return 1
    logged docs.log python3 tests/docs/check.py --build build/release --results "$part_results/checks.tsv"
}

part_bench() {
    [[ -z $only ]] || { configure release && build release bench/all; } || return 1
    local programs
    mapfile -t programs < <(bench_programs)
    ((${#programs[@]})) || { no_targets "no program build/release/bench/bench_*" && return; }
    local program name status=0
    for program in "${programs[@]}"; do
        name=$(basename "$program")
        if timeout 300 "$program" --quick --json >"$logs/$name.jsonl" 2>"$logs/$name.log" &&
            python3 tools/dev/bench_lines.py <"$logs/$name.jsonl"; then
            check passed "$name"
        else
            check failed "$name" "$logs/$name.log" && status=1
        fi
    done
    return $status
}

part_tidy() {
    local files
    configure release || return 1
    mapfile -t files < <(changed_sources)
    ((${#files[@]})) || { echo "no source changed" && check passed "tidy (nothing changed)" && return; }
    local limit=12
    ((${#files[@]} <= limit)) || echo "the first $limit of ${#files[@]} changed sources; ./dev tidy does all of them"
    checked "clang-tidy" tidy.log tidy_files "${files[@]:0:limit}"
}

part_fuzz_smoke() {
    local targets target status=0
    [[ -z $only ]] || { configure asan && build asan fuzz_targets; } || return 1
    mapfile -t targets < <(fuzz_targets asan)
    ((${#targets[@]})) || { no_targets "no program build/asan/tests/fuzz/fuzz_*" && return; }
    for target in "${targets[@]}"; do
        if fuzz_one asan "$target" "$([[ $SLUICE_TEST_SCALE == full ]] && echo 120 || echo 10)"; then
            check passed "fuzz $target"
        else
            check failed "fuzz $target" "$logs/fuzz-$target.log" && status=1
        fi
    done
    return $status
}

part_mutants() {
    [[ -f tests/mutants.txt ]] || { no_targets "no tests/mutants.txt" && return; }
    [[ -z $only ]] || { configure asan && build asan tests_unit tests_contract; } || return 1
    local status=0
    tools/servers run postgres pgbouncer mariadb -- python3 tools/dev/mutants.py --build build/asan --list tests/mutants.txt --results "$part_results/checks.tsv" || status=1
    if [[ -f build/release/sluice/core/libsluice_core.a ]]; then
        checked "no planted defect in the release build" mutants-absent.log only_asan_has_mutants || status=1
    fi
    return $status
}

only_asan_has_mutants() {
    local asks='sluice::core::mutant('
    llvm-nm-19 -C build/asan/sluice/core/libsluice_core.a | grep -F "$asks" &&
        ! llvm-nm-19 -C build/release/sluice/core/libsluice_core.a | grep -F "$asks"
}

# Whether --only asks for this part; also says which test of it, if one. A part without its stage means the first such one.
wanted() {
    only_test=""
    [[ -z $only || $only == "$stage" || $only == "$stage.$part" ]] && return
    if [[ $only == "$part" || $only == "$part".* ]] && [[ ! -e $results/parts.tsv ]]; then
        [[ $only == "$part" ]] || only_test=$only
        return 0
    fi
    return 1
}

# The stages that look for other errors than those of a disk keep their files in memory: most of their minutes were fsync.
temporary_files_of() {
    [[ ! $1 =~ ^(asan|tsan|gcc)$ || -z ${SLUICE_TEST_MEMORY_DIR:-} ]] || export TMPDIR=$SLUICE_TEST_MEMORY_DIR
}

run_part() {
    local budget=$1 started=$SECONDS status=0 spent
    shift
    part_results=$results/$stage.$part
    rm -rf "$part_results" && mkdir -p "$part_results" "$logs"
    printf '\n== %s: %s\n' "$stage" "$part"
    (temporary_files_of "$stage" && "$@") || status=$?
    spent=$((SECONDS - started))
    if ((status)); then check_failure; fi
    printf '%s\t%s\t%s\t%s\t%s\n' "$stage" "$part" "$budget" "$spent" "$status" >>"$results/parts.tsv"
    python3 tools/dev/report.py --part "$stage.$part"
    return $status
}

# A part that failed without a failed result of its own is one failure.
check_failure() {
    python3 tools/dev/report.py --has-failure "$stage.$part" && return
    check failed "$stage.$part" "$(cat "$part_results/failed-log" 2>/dev/null || echo "$logs/$stage-$part.log")"
}

run_suite() {
    only=$1
    local preset=$2 table stage part budget call
    table=$([[ $preset ]] && preset_table "$preset" || parts_table)
    rm -rf "$results" && mkdir -p "$results" "$logs"
    [[ -z $only && -z $preset ]] || everything_installed
    while read -r stage part budget call; do
        wanted || continue
        # shellcheck disable=SC2086
        run_part "$budget" $call </dev/null || [[ $part != packages ]] || break # nothing works without them
    done <<<"$table"
    [[ -f $results/parts.tsv ]] || usage "test: '$only' is no part of preset '$preset'"
    python3 tools/dev/report.py --all
}
