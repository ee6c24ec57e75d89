#!/bin/sh
# Brings in what the interop tests talk with: npm's, PyPI's and crates.io's clients and servers at the pinned versions,
# a headless Chromium, two forward proxies and nginx. Does nothing, quickly, where all of it is already there.
#
#   tests/interop/setup.sh             everything
#   tests/interop/setup.sh node        only what the Node.js scenarios need; likewise python, rust, chromium, proxies, nginx
set -eu

here=$(cd "$(dirname "$0")" && pwd)
venv="$here/../../target/interop/venv"
log="$here/../../target/interop/setup.log"
mkdir -p "$here/../../target/interop"
: >"$log"

fail() {
    echo "interop: $1" >&2
    exit 1
}

# `try WHAT COMMAND…` keeps a tool's chatter in the log, and shows its end only where it failed.
try() {
    what=$1
    shift
    if ! "$@" >>"$log" 2>&1; then
        tail -n 15 "$log" >&2
        fail "$what failed; the whole log is in target/interop/setup.log"
    fi
}

# `debian_package PROGRAM PACKAGE…`: PROGRAM is missing, these packages bring it.
debian_package() {
    program=$1
    shift
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "please install $program (on Debian: apt-get install $*)"
    fi
    echo "interop: installing $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update >>"$log" 2>&1 || true
    apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1 ||
        fail "please install $program (apt-get install $* failed, see target/interop/setup.log)"
}

node_packages() {
    command -v node >/dev/null || debian_package node nodejs
    command -v npm >/dev/null || debian_package npm npm
    major=$(node -p 'process.versions.node.split(".")[0]')
    [ "$major" -ge 18 ] || fail "please install node 18 or later (this one is $(node --version))"
    # The stamp is written last, so an installation that was cut short is done again.
    stamp="$here/node_modules/.installed-from"
    cmp -s "$here/package-lock.json" "$stamp" && return
    echo "interop: npm ci"
    try "npm ci" env PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 \
        npm ci --prefix "$here" --ignore-scripts --no-audit --no-fund
    cp "$here/package-lock.json" "$stamp"
}

python_packages() {
    stamp="$venv/.installed-from"
    cmp -s "$here/requirements.txt" "$stamp" && "$venv/bin/python" -c '' 2>/dev/null && return
    command -v python3 >/dev/null || debian_package python3 python3 python3-venv
    # Debian ships the module without the pip that it needs.
    python3 -c 'import ensurepip, venv' 2>/dev/null || debian_package python3-venv python3-venv
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "please install python3 3.11 or later (this one is $(python3 --version))"
    echo "interop: pip install into target/interop/venv"
    try "python3 -m venv" python3 -m venv --clear "$venv"
    try "pip install" "$venv/bin/python" -m pip install --disable-pip-version-check \
        --require-hashes --only-binary :all: -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$stamp"
}

rust_client() {
    # The client's TLS is OpenSSL's.
    command -v pkg-config >/dev/null || debian_package pkg-config pkg-config
    pkg-config --exists openssl || debian_package "OpenSSL's headers" libssl-dev
    # Cargo knows by itself whether there is anything to do.
    try "cargo build" cargo build --locked --manifest-path "$here/rust_socketio/Cargo.toml" \
        --target-dir "$here/../../target/interop/rust_socketio"
}

chromium_browser() {
    [ -x "${CHROMIUM:-/usr/bin/chromium}" ] && return
    [ -z "${CHROMIUM:-}" ] || fail "CHROMIUM names $CHROMIUM, which is not a program"
    debian_package chromium chromium
}

forward_proxies() {
    # Without the service that the package `tinyproxy` starts. Squid has no such package.
    command -v tinyproxy >/dev/null || debian_package tinyproxy tinyproxy-bin
    PATH="$PATH:/usr/sbin" command -v squid >/dev/null || debian_package squid squid
}

reverse_proxy() {
    PATH="$PATH:/usr/sbin" command -v nginx >/dev/null && return
    # Nobody asked for the service that its package would start: in runlevel 1 it starts none.
    export RUNLEVEL=1
    debian_package nginx nginx-light
    unset RUNLEVEL
}

case "${1:-all}" in
all)
    node_packages
    python_packages
    rust_client
    chromium_browser
    forward_proxies
    reverse_proxy
    ;;
node) node_packages ;;
python) python_packages ;;
rust) rust_client ;;
chromium) chromium_browser ;;
proxies) forward_proxies ;;
nginx) reverse_proxy ;;
*) fail "unknown part '$1': node, python, rust, chromium, proxies, nginx or nothing" ;;
esac
