# What has to be on the machine, by Debian package name. The Boost packages carry their version on purpose: the
# unversioned ones are 1.74 and replace the headers.

build_packages=(
    clang-19 mold ninja-build ccache cmake python3
    libboost1.81-dev libboost-json1.81-dev libboost-system1.81-dev libboost-url1.81-dev
    libssl-dev libsqlite3-dev libspdlog-dev libfmt-dev prometheus-cpp-dev libtomlplusplus-dev libcli11-dev zlib1g-dev
    libpq-dev libmariadb-dev libgtest-dev libgmock-dev libbenchmark-dev
    nodejs npm
)
test_packages=(
    g++ clang-tidy-19 clang-format-19 libclang-rt-19-dev llvm-19
    sqlite3 curl chromium postgresql pgbouncer mariadb-server openssl
)

# What `./dev demo --database …` needs besides.
declare -A server_packages=([sqlite]="" [postgres]=postgresql [mariadb]="mariadb-server openssl")

# Packages that are only a program: one on PATH from anywhere else will do.
declare -A program_of=(
    [clang-19]=clang++-19 [clang-tidy-19]=clang-tidy-19 [clang-format-19]=clang-format-19 [g++]=g++ [mold]=mold
    [ninja-build]=ninja [ccache]=ccache [cmake]=cmake [python3]=python3 [sqlite3]=sqlite3 [curl]=curl [openssl]=openssl
    [nodejs]=node [npm]=npm [chromium]=chromium
)

has_program() {
    command -v "$1" >/dev/null || return 1
    [[ $1 != node ]] || (($(node -p 'process.versions.node.split(".")[0]') >= 18))
}

# Prints those of the packages named that are neither installed nor replaced by a program on PATH.
missing_packages() {
    local package installed candidates=()
    for package in "$@"; do
        [[ -n ${program_of[$package]:-} ]] && has_program "${program_of[$package]}" && continue
        candidates+=("$package")
    done
    ((${#candidates[@]})) || return 0
    installed=" $(dpkg-query -W -f '${Package}:${db:Status-Status} ' "${candidates[@]}" 2>/dev/null || true)"
    for package in "${candidates[@]}"; do
        [[ $installed == *" $package:installed "* ]] || echo "$package"
    done
}

as_root() {
    if ((EUID == 0)); then "$@"; elif [[ -t 0 ]]; then sudo "$@"; else sudo -n "$@"; fi
}

can_be_root() {
    ((EUID == 0)) || { command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; }
}

# Installs packages while a policy-rc.d keeps the services they bring from starting; puts back what was there.
install_packages() (
    policy=/usr/sbin/policy-rc.d
    saved=$policy.before-sluice
    restore() {
        as_root rm -f "$policy"
        if [[ -e $saved ]]; then as_root mv "$saved" "$policy"; fi
    }
    trap restore EXIT
    if [[ -e $policy ]]; then as_root mv "$policy" "$saved"; fi
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod +x "$policy"
    as_root apt-get update -q &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends --no-remove "$@"
)

ensure_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null || die "this machine has no apt-get; on Debian 12 these packages are needed: ${missing[*]}"
    can_be_root || die "missing packages, and neither root nor sudo to install them. Run as root:
  apt-get install --no-install-recommends ${missing[*]}"
    echo "setup: installing ${#missing[@]} packages: ${missing[*]}"
    if ! logged setup.log install_packages "${missing[@]}"; then
        tail -n 15 "$logs/setup.log" >&2
        die "apt-get could not install them (whole log: $logs/setup.log). The names are those of Debian 12 (bookworm)."
    fi
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]} == 0)) || die "installed, but still not usable: ${missing[*]}"
}

# `npm ci` in every folder with a lock file, when that file or Node changed since the last time.
ensure_npm() {
    local lock folder stamp want
    for lock in web/package-lock.json bench/package-lock.json tests/e2e/package-lock.json; do
        [[ -f $lock ]] || continue
        folder=$(dirname "$lock")
        stamp=$folder/node_modules/.sluice-stamp
        want="$(sha256sum <"$lock") $(node --version)"
        [[ -f $stamp && $(<"$stamp") == "$want" ]] && continue
        echo "setup: npm ci in $folder/"
        logged "npm-${folder//\//-}.log" npm --prefix "$folder" ci --no-audit --no-fund || {
            tail -n 15 "$logs/npm-${folder//\//-}.log" >&2
            die "npm ci failed in $folder/"
        }
        printf '%s' "$want" >"$stamp"
    done
}
