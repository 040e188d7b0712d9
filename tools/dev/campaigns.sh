# What runs for as long as one likes: benchmarks, fuzzing, kill −9, mutants, clang-tidy.

bench_programs() { find build/release/bench -maxdepth 1 -type f -name 'bench_*' -executable 2>/dev/null | sort; }

cmd_bench() {
    local quick=() json=() groups=() program name arguments=("$@")
    while (($#)); do
        case $1 in
        --quick) quick=(--quick) && shift ;;
        --json) json=(--json) && shift ;;
        -*) usage "bench: unknown option '$1'" ;;
        *) groups+=("$1") && shift ;;
        esac
    done
    guarded bench "${arguments[@]}"
    ensure_packages "${build_packages[@]}"
    ensure_npm
    { configure release && build release bench/all; } >&2
    local found=0 status=0
    machine_state before >&2
    while IFS= read -r program; do
        name=${program##*/bench_}
        ((${#groups[@]} == 0)) || [[ " ${groups[*]} " == *" $name "* ]] || continue
        found=1
        "$program" "${quick[@]}" --json >"$logs/bench-$name.jsonl" || status=1
        if ((${#json[@]})); then cat "$logs/bench-$name.jsonl"; else python3 tools/dev/bench_lines.py <"$logs/bench-$name.jsonl"; fi
    done < <(bench_programs)
    machine_state after >&2
    ((found)) || die "bench: no group '${groups[*]}'; there are: $(bench_programs | sed 's/.*bench_//' | tr '\n' ' ')"
    return $status
}

# What a figure depends on besides us: how fast this disk makes a write durable, and what else is running.
machine_state() {
    local rate
    rate=$(python3 tools/dev/fsync_rate.py build)
    echo "$1: fsync rate $rate/s, load $(cut -d' ' -f1-3 /proc/loadavg), $(nproc) cores"
}

fuzz_targets() { find "build/$1/tests/fuzz" -maxdepth 1 -type f -name 'fuzz_*' -executable 2>/dev/null | sed 's/.*fuzz_//' | sort; }

# fuzz_one PRESET TARGET SECONDS: grows a corpus from the seeds in tests/fuzz/corpus/TARGET.
fuzz_one() {
    local preset=$1 target=$2 seconds=$3 corpus=build/fuzz-corpus/$2 seeds=tests/fuzz/corpus/$2 inputs
    mkdir -p "$corpus" build/fuzz-crashes
    inputs=("$corpus")
    [[ -d $seeds ]] && inputs+=("$seeds")
    logged "fuzz-$target.log" "build/$preset/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="build/fuzz-crashes/$target-" "${inputs[@]}" || {
        echo "fuzz $target: failed; the input is in build/fuzz-crashes/" >&2
        return 1
    }
    echo "fuzz $target: $(awk '/number_of_executed_units/ {print $2}' "$logs/fuzz-$target.log") inputs, no failure"
}

cmd_fuzz() {
    local minutes=10 target="" status=0 targets arguments=("$@")
    while (($#)); do
        case $1 in
        --minutes) wants_value "$@" && minutes=$2 && shift 2 ;;
        -*) usage "fuzz: unknown option '$1'" ;;
        *) target=$1 && shift ;;
        esac
    done
    [[ $minutes =~ ^[0-9]+$ ]] || usage "fuzz: --minutes wants a number, not '$minutes'"
    guarded fuzz "${arguments[@]}"
    ensure_packages "${build_packages[@]}" "${test_packages[@]}"
    configure fuzz
    build fuzz fuzz_targets
    mapfile -t targets < <(fuzz_targets fuzz)
    ((${#targets[@]})) || die "fuzz: this tree has no fuzz targets (tests/fuzz)"
    [[ -z $target || " ${targets[*]} " == *" $target "* ]] || die "fuzz: no target '$target'; there are: ${targets[*]}"
    for target in ${target:-"${targets[@]}"}; do
        fuzz_one fuzz "$target" $((minutes * 60)) || status=1
    done
    return $status
}

cmd_chaos() {
    local kills=200 seed="" arguments=("$@")
    while (($#)); do
        case $1 in
        --kills) wants_value "$@" && kills=$2 && shift 2 ;;
        --seed) wants_value "$@" && seed=$2 && shift 2 ;;
        *) usage "chaos: unknown option '$1'" ;;
        esac
    done
    [[ $kills =~ ^[0-9]+$ ]] || usage "chaos: --kills wants a number, not '$kills'"
    guarded chaos "${arguments[@]}"
    ensure_packages "${build_packages[@]}" "${test_packages[@]}"
    ensure_npm
    configure release
    build release tests_chaos
    build_web
    [[ $(ctest --test-dir build/release -N -L '^chaos$') != *'Total Tests: 0'* ]] || die "chaos: this tree has no chaos tests"
    [[ -z $seed ]] || export SLUICE_SEED=$seed
    SLUICE_TEST_SCALE=full SLUICE_KILLS=$kills ctest --test-dir build/release -L '^chaos$' --verbose
}

cmd_mutants() {
    no_arguments mutants "$@"
    guarded mutants
    ensure_packages "${build_packages[@]}" "${test_packages[@]}"
    [[ -f tests/mutants.txt ]] || die "mutants: this tree has no tests/mutants.txt"
    configure asan
    build asan tests_unit tests_contract
    tools/servers run postgres pgbouncer mariadb -- python3 tools/dev/mutants.py --build build/asan --list tests/mutants.txt
}

# Sources that differ from main; on main itself those of the last commit. Uncommitted ones always count.
changed_sources() {
    local base
    base=$(git merge-base HEAD main 2>/dev/null || git rev-parse -q --verify HEAD~1 2>/dev/null || true)
    [[ $base != "$(git rev-parse HEAD)" ]] || base=$(git rev-parse -q --verify HEAD~1 || git rev-parse HEAD)
    { git diff --name-only --diff-filter=d ${base:+"$base"} -- '*.cpp' && git ls-files --others --exclude-standard -- '*.cpp'; } |
        sort -u | compiled_sources
}

# Of the files named on stdin, those that the release build compiles.
compiled_sources() {
    python3 -c '
import json, os, sys
known = {os.path.relpath(entry["file"]) for entry in json.load(open("build/release/compile_commands.json"))}
print("\n".join(line for line in sys.stdin.read().split() if line in known))' | sed '/^$/d'
}

# The sources share one precompiled header, which clang-tidy reads as well.
tidy_files() {
    local pch
    pch=$(cd build/release && ninja -t targets all | sed -n 's/^\(.*cmake_pch.hxx.pch\): .*/\1/p')
    # shellcheck disable=SC2086
    [[ -z $pch ]] || ninja -C build/release ${DEV_JOBS:+-j "$DEV_JOBS"} $pch >/dev/null
    local status=0 test_sources='^tests/|_test\.cpp$'
    tidy_those "" "$(printf '%s\n' "$@" | grep -vE "$test_sources")" || status=1
    # In tests the call that is given a capturing coroutine (transaction, before_commit) keeps the closure until it ended.
    tidy_those -cppcoreguidelines-avoid-capturing-lambda-coroutines "$(printf '%s\n' "$@" | grep -E "$test_sources")" || status=1
    return $status
}

# tidy_those CHECKS FILES: the checks are added to those of .clang-tidy; a file each line.
tidy_those() {
    xargs -r -n 1 -P "${DEV_JOBS:-2}" clang-tidy-19 --quiet --checks="$1" -p build/release <<<"$2"
}

cmd_tidy() {
    local files=()
    ensure_packages "${build_packages[@]}" clang-tidy-19
    configure release
    if [[ ${1:-} == --all ]]; then
        (($# == 1)) || usage "tidy: --all stands alone"
        mapfile -t files < <(git ls-files -- '*.cpp' | compiled_sources)
    elif (($#)); then
        [[ $1 != -* ]] || usage "tidy: unknown option '$1'"
        files=("$@")
    else
        mapfile -t files < <(changed_sources)
    fi
    ((${#files[@]})) || { echo "tidy: no source changed" && return; }
    tidy_files "${files[@]}"
}
