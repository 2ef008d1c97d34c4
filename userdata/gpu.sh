#!/bin/sh
# NVIDIA's driver of a branch (gpu.sh 570-server, gpu.sh 580-server-open) and, with a stack, the container toolkit; nothing to do where both are.
# An image is made (FLEET_BAKE) on a machine with or without a GPU.
set -eu
root=${FLEET_ROOT:-}
branch=$1
# shellcheck source=userdata/packages.sh
. "$root/opt/fleet/bin/packages.sh"
# shellcheck source=/dev/null
. "$root/etc/os-release"
# shellcheck source=/dev/null
. "$root/etc/fleet/boot.env"

toolkit=1.17.8-1
toolkit_key=C95B321B61E88C1809C4F759DDCAE044F796ECB0

driver_answers() {
    nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
}

# Whoever makes an image may have no GPU: then it counts that the kernel finds the driver.
driver_is_there() {
    if [ -n "${FLEET_BAKE:-}" ] && ! grep -qix 0x10de "$root"/sys/bus/pci/devices/*/vendor 2>/dev/null; then
        modinfo -k "$(uname -r)" -F version nvidia && command -v nvidia-smi
    else
        driver_answers
    fi
}

known() {
    apt-cache show "$1" 2>/dev/null | grep -q .
}

# The packages of a branch that has ended only lead to the next one, and for that one the modules are built.
current() {
    next=$(apt-cache depends "nvidia-headless-no-dkms-$1" | sed -n 's/.*Depends: nvidia-headless-no-dkms-//p' | head -n 1)
    if [ -n "$next" ]; then
        current "$next"
    else
        echo "$1"
    fi
}

# Modules that Ubuntu built and signed for the running kernel, else its sources, compiled here (minutes).
ubuntu_driver() {
    again 5 10 20 40 -- apt_get update
    branch=$(current "$branch")
    kernel=$(uname -r)
    utils=nvidia-utils-${branch%-open}
    modules=linux-modules-nvidia-$branch-$kernel
    # They want the driver of the day that they were built on: of an older kernel they may not be had any more.
    if known "$modules" && apt_get install --simulate "nvidia-headless-no-dkms-$branch" "$utils" "$modules" >/dev/null; then
        install_packages "nvidia-headless-no-dkms-$branch" "$utils" "$modules"
        return
    fi
    echo "fleet: no driver $branch is built for the kernel $kernel: compiling it"
    install_packages "linux-headers-$kernel" "nvidia-headless-$branch" "$utils"
}

debian_driver() {
    case $branch in
    470*) packages="nvidia-tesla-470-driver nvidia-tesla-470-kernel-dkms" ;;
    535*) packages="nvidia-kernel-dkms nvidia-smi libcuda1 libnvidia-ml1" ;;
    *)
        echo "fleet: Debian 12 has no driver $branch: take the image ubuntu-24.04 or dlami" >&2
        exit 1
        ;;
    esac
    echo "deb http://deb.debian.org/debian $VERSION_CODENAME contrib non-free non-free-firmware" \
        >"$root/etc/apt/sources.list.d/fleet-non-free.list"
    # shellcheck disable=SC2086 # words
    install_packages "linux-headers-$(uname -r)" $packages
}

# NVIDIA's own packages: signed with the key of this fingerprint, in this version.
install_toolkit() {
    command -v gpg >/dev/null 2>&1 || install_packages gpg
    key=$root/etc/apt/keyrings/fleet-nvidia.asc
    mkdir -p "${key%/*}"
    fetch https://nvidia.github.io/libnvidia-container/gpgkey "$key.new" -
    found=$(gpg --batch --show-keys --with-colons "$key.new" | awk -F: '$1 == "fpr" { print $10 }' | head -n 1)
    if [ "$found" != "$toolkit_key" ]; then
        echo "fleet: NVIDIA's key is $found, not $toolkit_key" >&2
        exit 1
    fi
    mv "$key.new" "$key"
    echo "deb [signed-by=$key] https://nvidia.github.io/libnvidia-container/stable/deb/\$(ARCH) /" \
        >"$root/etc/apt/sources.list.d/fleet-nvidia.list"
    install_packages "nvidia-container-toolkit=$toolkit" "nvidia-container-toolkit-base=$toolkit" \
        "libnvidia-container-tools=$toolkit" "libnvidia-container1=$toolkit"
}

if ! driver_is_there 2>/dev/null; then
    case $ID in
    ubuntu) ubuntu_driver ;;
    debian) debian_driver ;;
    *)
        echo "fleet: cannot install a driver on $ID: take an image that has one" >&2
        exit 1
        ;;
    esac
    modprobe nvidia || :
    again 1 2 5 10 -- driver_is_there
fi
if [ -n "$FLEET_STACK" ]; then
    command -v nvidia-ctk >/dev/null 2>&1 || install_toolkit
    if ! docker info --format '{{json .Runtimes}}' | grep -q '"nvidia"'; then
        nvidia-ctk runtime configure --runtime=docker
        systemctl restart docker.service
    fi
fi
