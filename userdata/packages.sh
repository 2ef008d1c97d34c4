# shellcheck shell=sh
# Installing packages of the distribution, with patience; read by docker.sh and gpu.sh.

# again WAIT… -- COMMAND…: once, and after each wait once more while it fails.
again() {
    waits=''
    while [ "$1" != -- ]; do
        waits="$waits $1"
        shift
    done
    shift
    for wait in $waits; do
        if "$@"; then
            return
        fi
        sleep "$wait"
    done
    "$@"
}

apt_get() {
    DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 \
        -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 --no-install-recommends "$@"
}

# Another program may hold the lists or dpkg, and dpkg may have been killed in the middle of something.
install_now() {
    dpkg --configure -a || :
    apt_get update && apt_get install "$@"
}

install_packages() {
    again 5 10 20 40 -- install_now "$@"
}

# fetch URL FILE SHA256; - for a file that is checked by its signature.
fetch() {
    again 2 5 10 20 -- python3 - "$@" <<'PYTHON'
import hashlib, shutil, sys, urllib.request
url, name, want = sys.argv[1:]
with urllib.request.urlopen(url, timeout=30) as answer, open(name, "wb") as file:
    shutil.copyfileobj(answer, file)
with open(name, "rb") as file:
    got = hashlib.sha256(file.read()).hexdigest()
if want not in (got, "-"):
    sys.exit(f"{url} holds {got}, not {want}")
PYTHON
}
