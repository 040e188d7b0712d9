# Messages, logs and the environment that every command shares. Sourced by ./dev; `root` is the clone.

logs=build/logs
results=build/results

die() {
    echo "dev: $*" >&2
    exit 1
}

usage() {
    echo "dev: $* (./dev help)" >&2
    exit 2
}

wants_value() { (($# >= 2)) || usage "$1 wants a value"; }

no_arguments() {
    local command=$1
    shift
    (($# == 0)) || usage "$command: unknown option '$1'"
}

# guarded COMMAND ARGUMENTS…: begins ./dev again under tools/dev/guard.py, so that an interrupted run leaves nothing behind.
guarded() {
    [[ -z ${SLUICE_TEST_GUARD:-} ]] || return 0
    ensure_packages python3
    exec python3 tools/dev/guard.py "$root/dev" "$@"
}

# Two objects are equal to ccache when only the folder of the clone or the times of its files differ.
cache_environment() {
    export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=true
    export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
}

# logged LOG COMMAND…: the output goes to build/logs/LOG, and to the screen too when someone is watching.
logged() {
    local log=$logs/$1
    shift
    mkdir -p "$(dirname "$log")"
    if [[ -t 1 && -z ${CI:-} ]]; then
        "$@" 2>&1 | tee "$log"
    else
        "$@" >"$log" 2>&1
    fi
}

cxx_files() {
    git ls-files -z --cached --others --exclude-standard -- '*.cpp' '*.hpp' |
        while IFS= read -r -d '' file; do [[ -f $file ]] && printf '%s\0' "$file"; done
}

# Digest of the tracked and new files under the folders named.
digest_of() {
    git ls-files -z --cached --others --exclude-standard -- "$@" | sort -z |
        while IFS= read -r -d '' file; do [[ -f $file ]] && printf '%s\0' "$file"; done |
        xargs -0 -r sha256sum | sha256sum | cut -d' ' -f1
}
