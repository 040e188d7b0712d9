# Configuring and building: CMake presets, the web part, formatting.

known_preset() { [[ $1 =~ ^(release|debug|asan|tsan|gcc|fuzz)$ ]]; }

configure() {
    cache_environment
    if [[ -f build/$1/build.ninja ]]; then
        quietly "configure-$1.log" ninja -C "build/$1" build.ninja # only what changed since
    else
        quietly "configure-$1.log" cmake --preset "$1"
    fi
}

# build PRESET [TARGET…]: everything that can be built is, also after an error.
build() {
    local preset=$1
    shift
    cache_environment
    quietly "build-$preset.log" ninja -C "build/$preset" -k 0 ${DEV_JOBS:+-j "$DEV_JOBS"} "$@"
}

# Like `logged`, but shows what a compiler complained about when it fails.
quietly() {
    logged "$@" && return
    if [[ ! -t 1 || -n ${CI:-} ]]; then
        grep -E -A 6 'error:|^FAILED|CMake Error' "$logs/$1" | head -n 60 || tail -n 20 "$logs/$1"
    fi
    echo "failed: ${*:2} (whole log: $logs/$1)" >&2
    [[ -z ${part_results:-} ]] || echo "$logs/$1" >"$part_results/failed-log"
    return 1
}

has_target() { ninja -C "build/$1" -t query "$2" >/dev/null 2>&1; }

build_web() {
    [[ -f web/package.json ]] || return 0
    local want
    want=$(digest_of web)
    [[ -f web/dist/.sluice-stamp && $(<web/dist/.sluice-stamp) == "$want" ]] && return
    quietly web-build.log npm --prefix web run build
    printf '%s' "$want" >web/dist/.sluice-stamp
}

check_format() {
    cxx_files | xargs -0 -r -n 20 -P 2 clang-format-19 --dry-run -Werror --ferror-limit=3
}
