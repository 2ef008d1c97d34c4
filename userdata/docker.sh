#!/bin/sh
# Docker with compose version 2, from the distribution where it has them; nothing to do on an image that brings both.
set -eu
root=${FLEET_ROOT:-}
# shellcheck source=userdata/packages.sh
. "$root/opt/fleet/bin/packages.sh"
# shellcheck source=/dev/null
. "$root/etc/os-release"

# Debian 12 has no package of it. The hashes are those that Docker's own image is built with.
compose_version=v2.33.0
compose_hash() {
    case $1 in
    x86_64) echo 6395dbb256db6ea28d5c6695bc9bc33866c07ad1c93792f8d85857f1c21c34ee ;;
    aarch64) echo 03a42a0fc0614ffc3c9ebca521cab75e02c427b68e45e3f6867d9510b9a28818 ;;
    esac
}

install_engine() {
    case $ID in
    ubuntu) install_packages docker.io docker-compose-v2 docker-buildx ca-certificates ;;
    *) install_packages docker.io ca-certificates ;;
    esac
}

install_compose() {
    if [ "$ID" = ubuntu ] && install_packages docker-compose-v2; then
        return
    fi
    plugins=$root/usr/local/lib/docker/cli-plugins
    mkdir -p "$plugins"
    arch=$(uname -m)
    fetch "https://github.com/docker/compose/releases/download/$compose_version/docker-compose-linux-$arch" \
        "$plugins/.docker-compose" "$(compose_hash "$arch")"
    chmod 755 "$plugins/.docker-compose"
    mv "$plugins/.docker-compose" "$plugins/docker-compose"
}

# Compute Engine answers whoever asks on the machine, containers too: they are kept from the service account's tokens, as the
# hop limit does it on EC2. Names are asked for at the same address, by other ports.
shield_metadata() {
    shield=$root/opt/fleet/bin/shield.sh
    cat >"$shield" <<'SHIELD'
set -- DOCKER-USER -d 169.254.169.254 -p tcp -m multiport --dports 80,443 -j REJECT
iptables -w -C "$@" 2>/dev/null || iptables -w -I "$@"
SHIELD
    mkdir -p "$root/etc/systemd/system/docker.service.d"
    printf '[Service]\nExecStartPost=/bin/sh %s\n' "$shield" >"$root/etc/systemd/system/docker.service.d/fleet.conf"
    systemctl daemon-reload
}

if ! command -v dockerd >/dev/null 2>&1 || ! command -v docker >/dev/null 2>&1; then
    install_engine
fi
docker compose version 2>/dev/null || {
    install_compose
    docker compose version
}
grep -qsx FLEET_MACHINE=gce "$root/etc/fleet/environment" && shield_metadata
again 1 2 5 10 -- systemctl start docker.service
[ -z "${shield:-}" ] || sh "$shield"
systemctl --quiet is-enabled docker.service docker.socket 2>/dev/null || systemctl enable docker.service >/dev/null 2>&1 || :
again 1 1 2 2 5 -- docker version --format 'docker engine {{.Server.Version}}'
