#!/bin/sh
# Prepares the machine that it runs on to become an image: bake.sh FOLDER, as root. FOLDER holds userdata/, ami/ and archives/.
#
# Docker, the driver and the agent are put there by the scripts that user-data runs on a stock image. What an image is, is said
# in the environment, as BAKE_RECIPE, _BASE, _VARIANT, _DRIVER, _ARCH, _VERSION (fleet's), _MADE, and _IMAGES: docker images by
# digest. The first step that fails ends it. clean.sh comes after it, and only then the disk may become an image.
set -eu
folder=$1
root=${FLEET_ROOT:-}
bin=$root/opt/fleet/bin
kept=$root/opt/fleet/kept
image=$root/opt/fleet/image

fail() {
    echo "bake: $1" >&2
    exit 1
}

# step NAME COMMAND…
step() {
    name=$1
    began=$(date +%s)
    echo "bake: $name"
    shift
    "$@"
    echo "bake: $name took $(($(date +%s) - began)) s"
}

check() {
    for name in RECIPE BASE VARIANT ARCH VERSION MADE; do
        eval "[ -n \"\${BAKE_$name:-}\" ]" || fail "BAKE_$name is not set"
    done
    [ "$(uname -m)" = "$BAKE_ARCH" ] || fail "this is $(uname -m), not $BAKE_ARCH"
    case $BAKE_VARIANT-${BAKE_DRIVER:-} in
    cpu- | gpu-?*) ;;
    *) fail "the variant $BAKE_VARIANT does not go with the driver '${BAKE_DRIVER:-}'" ;;
    esac
    for name in ${BAKE_IMAGES:-}; do
        case $name in
        *@sha256:*) ;;
        *) fail "$name is not named by its digest" ;;
        esac
    done
}

# Upgrades in the middle of this bring a kernel that the driver is not built for.
quiet() {
    systemctl mask --now apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service 2>/dev/null || :
}

# The machines boot the newest kernel: the driver must be built for that one.
newest_kernel() {
    newest=$(find "$root/lib/modules" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -V | tail -n 1)
    modinfo -k "$newest" -F version nvidia || fail "the newest kernel, $newest, has no driver (this one is $(uname -r))"
}

# What a boot does after cloud-init wrote the files, without a run.
lay_scripts() {
    mkdir -p "$bin" "$image" "$root/etc/fleet"
    for name in packages.sh docker.sh gpu.sh agent.sh; do
        install -m 755 "$folder/userdata/$name" "$bin/$name"
    done
    printf 'FLEET_STACK=1\nFLEET_BAKE=1\n' >"$root/etc/fleet/boot.env"
    cp "$folder/archives/agent" "$root/etc/fleet/agent"
}

# The archives for this Python, unpacked and compiled, where agent.sh looks for them. fleet's own files stay only as the
# agent that is made of them: the next version brings others.
agent() {
    this=$(python3 -c 'import sys, platform; print("cp%d%d-%s" % (*sys.version_info[:2], platform.machine()))')
    rm -rf "$kept"
    grep -E "^($this|any) " "$folder/archives/agent" >"$folder/this"
    while read -r _ _ sha; do
        echo "$sha  $folder/archives/$sha.tar.gz" | sha256sum --quiet -c -
        mkdir -p "$kept/$sha"
        tar -xzf "$folder/archives/$sha.tar.gz" -C "$kept/$sha" --no-same-owner
        python3 -m compileall -q "$kept/$sha"
    done <"$folder/this"
    "$bin/agent.sh"
    rm -rf "${kept:?}/$(sed -n 's/^any [^ ]* //p' "$folder/this")"
}

# A name with a tag is known by it, too, as stacks may name it.
pull() {
    for name in ${BAKE_IMAGES:-}; do
        named=${name%@*}
        case ${named##*/} in
        *:*) repository=${named%:*} ;;
        *) repository=$named ;;
        esac
        docker pull --quiet "$repository@${name##*@}"
        [ "$named" = "$repository" ] || docker tag "$repository@${name##*@}" "$named"
    done
    if [ -n "${BAKE_IMAGES:-}" ]; then
        install -m 755 "$folder/ami/seed.sh" "$image/seed.sh"
    fi
}

check
step quiet quiet
step scripts lay_scripts
step docker "$bin/docker.sh"
if [ "$BAKE_VARIANT" = gpu ]; then
    step gpu "$bin/gpu.sh" "$BAKE_DRIVER"
fi
step agent agent
step images pull
step tune sh "$folder/ami/tune.sh"
step facts python3 "$folder/ami/facts.py"
if [ "$BAKE_VARIANT" = gpu ]; then
    step kernel newest_kernel
fi
echo "bake: done"
