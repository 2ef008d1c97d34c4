#!/bin/sh
# Leaves nothing on this disk that belongs to this machine, its builder or a user. The last that is done before it becomes an
# image: afterwards nobody can log in.
#
# Every part must succeed; what cannot be there on some system is looked for first.
set -eu
root=${FLEET_ROOT:-}

# Everything in a folder, hidden files too; the folder stays.
empty() {
    for folder in "$@"; do
        [ ! -d "$folder" ] || find "$folder" -mindepth 1 -delete
    done
}

# Docker's images stay, its identity and what it knew of this machine's networks do not.
engine() {
    systemctl stop docker.socket docker.service containerd.service
    rm -f "$root/etc/docker/key.json" "$root/var/lib/docker/engine-id"
    empty "$root/var/lib/docker/containers" "$root/var/lib/docker/network" "$root/var/lib/docker/tmp"
    rm -rf "$root/root/.docker"
}

# What fleet itself would leave on a machine, but for the agent and /etc/fleet-image.json.
fleet() {
    rm -rf "$root/etc/fleet" "$root/opt/fleet/bin" "$root/opt/fleet/agent.new"
    empty "$root/var/lib/fleet"
    rm -f "$root"/etc/systemd/system/fleet-* "$root"/etc/systemd/system/*.wants/fleet-*
}

users() {
    rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/ssh/sshd_config.d/00-fleet-builder.conf"
    for home in "$root/root" "$root"/home/*; do
        [ -d "$home" ] || continue
        for name in .ssh .aws .azure .boto .cache .config .docker .git-credentials .gnupg .kube .netrc .npmrc .pypirc .local snap; do
            rm -rf "${home:?}/$name"
        done
        rm -f "$home"/.*_history "$home/.lesshst" "$home/.viminfo" "$home/.wget-hsts" "$home/.sudo_as_admin_successful"
    done
}

# Empty, and not missing: a missing one makes systemd take the boot for an installation's first.
identity() {
    : >"$root/etc/machine-id"
    [ -h "$root/var/lib/dbus/machine-id" ] || rm -f "$root/var/lib/dbus/machine-id"
    systemctl stop systemd-random-seed.service # it would save one at the shutdown
    rm -f "$root/var/lib/systemd/random-seed" "$root/var/lib/systemd/credential.secret" "$root/etc/hostid"
    empty "$root/var/lib/dhcp" "$root/var/lib/NetworkManager" "$root/var/lib/amazon/ssm" "$root/var/lib/ubuntu-advantage/private"
    rm -f "$root"/etc/udev/rules.d/7?-persistent-*.rules "$root"/etc/netplan/50-cloud-init.yaml
    rm -f "$root"/etc/network/interfaces.d/50-cloud-init*
}

# The instance's user-data and metadata are in there.
cloud_init() {
    cloud-init clean --logs --seed
    empty "$root/var/lib/cloud"
}

leftovers() {
    apt-get clean
    empty "$root/var/lib/apt/lists" "$root/var/crash" "$root/var/spool/mail" "$root/var/mail"
    rm -f "$root"/var/cache/apt/*.bin "$root"/var/cache/debconf/*-old
    journalctl --relinquish-var # from now on into memory
    [ ! -d "$root/var/log/journal" ] || find "$root/var/log/journal" -mindepth 1 -delete
    find "$root/var/log" -type f -delete
    # This script lies there, too: the shell has it open.
    empty "$root/tmp" "$root/var/tmp"
    sync
}

engine
fleet
users
identity
cloud_init
leftovers
echo "clean: done"
