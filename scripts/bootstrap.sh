#!/bin/sh
# Make .venv and install fleet into it, with one extra (demo, dev, …). PYTHON names another interpreter than python3.
set -eu

extra=${1:?usage: bootstrap.sh EXTRA}
python=${PYTHON:-python3}
cd "$(dirname "$0")/.."

fail() {
    echo "bootstrap: $1" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 || fail "$python is not installed; install Python 3.10 or later"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$("$python" --version) is too old; name Python 3.10 or later: make PYTHON=python3.12 …"

# Debian and Ubuntu keep venv's half, ensurepip, in a package of its own.
install_venv() {
    command -v apt-get >/dev/null 2>&1 || fail "this Python cannot make virtual environments (no ensurepip)"
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    as_root=
    if [ "$(id -u)" != 0 ]; then
        as_root="sudo -n"
        $as_root true 2>/dev/null || fail "install the package $package first: sudo apt-get install $package"
    fi
    echo "bootstrap: installing $package"
    $as_root apt-get update -q
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$package"
}

if [ ! -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || install_venv
    rm -rf .venv
    "$python" -m venv .venv
fi
echo "bootstrap: installing fleet[$extra] into .venv"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$extra]"
touch ".venv/.installed-$extra"
