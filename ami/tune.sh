#!/bin/sh
# What makes an image's first boot quick, and a training undisturbed. docs/boot.md says what each part is worth.
set -eu
root=${FLEET_ROOT:-}
# shellcheck source=userdata/packages.sh
. "$root/opt/fleet/bin/packages.sh"

# Upgrades restart docker in the middle of a training. The others cost seconds of a first boot for things that a machine of
# some hours never uses: hibernation, disks of several paths, modems, firmware, crash reports, advertisements at the login;
# pollinate asks a server in the internet for randomness that the kernel has.
needless="apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service apt-news.service esm-cache.service
    update-notifier-download.timer update-notifier-motd.timer motd-news.timer man-db.timer dpkg-db-backup.timer
    ua-timer.timer ubuntu-advantage.service ua-reboot-cmds.service pollinate.service hibinit-agent.service apport.service
    multipathd.service multipathd.socket iscsid.socket open-iscsi.service ModemManager.service udisks2.service
    fwupd-refresh.timer e2scrub_all.timer e2scrub_reap.service secureboot-db.service"

mask() {
    for unit in $needless; do
        if systemctl cat "$unit" >/dev/null 2>&1; then
            systemctl mask --now "$unit"
        fi
    done
}

# cloud-init's second half waits for snaps to be seeded and mounted; and snapd makes itself a key, which must not be in an image.
remove_snaps() {
    if command -v snap >/dev/null 2>&1; then
        apt_get purge snapd
        rm -rf "$root/var/lib/snapd" "$root/var/cache/snapd" "$root/root/snap" "$root/snap"
    fi
}

# It looks at one cloud only; makes two SSH host keys, not four (RSA's takes longest); the disk grows while the boot goes on.
cloud_init() {
    case $(cloud-id) in
    aws) source=Ec2 ;;
    gce) source=GCE ;;
    *)
        echo "tune: cloud-init knows no cloud here, or another one: $(cloud-id)" >&2
        exit 1
        ;;
    esac
    mkdir -p "$root/etc/cloud/cloud.cfg.d"
    cat >"$root/etc/cloud/cloud.cfg.d/90_fleet_image.cfg" <<END
# Of an image that fleet made.
datasource_list: [$source]
ssh_genkeytypes: [ed25519, ecdsa]
no_ssh_fingerprints: true
ssh: {emit_keys_to_console: false}
growpart: {mode: auto, devices: [/]}
resize_rootfs: noblock
grub_dpkg: {enabled: false}
locale: false
END
}

# Docker starts when it is wanted, once the volume is there, instead of being stopped and started for it.
docker_later() {
    systemctl disable docker.service containerd.service
}

# Messages of the kernel, one by one through a serial line, hold the boot up; errors still show.
kernel() {
    if [ -e "$root/etc/default/grub" ] && command -v update-grub >/dev/null 2>&1; then
        mkdir -p "$root/etc/default/grub.d"
        # shellcheck disable=SC2016 # for grub's own shell
        echo 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT quiet"
GRUB_TIMEOUT=0
GRUB_RECORDFAIL_TIMEOUT=0' >"$root/etc/default/grub.d/90-fleet.cfg"
        update-grub
    fi
    # Unpacked several times as quickly, for some megabytes more.
    if command -v update-initramfs >/dev/null 2>&1 && command -v lz4 >/dev/null 2>&1; then
        mkdir -p "$root/etc/initramfs-tools/conf.d"
        echo COMPRESS=lz4 >"$root/etc/initramfs-tools/conf.d/fleet"
        update-initramfs -u -k "$(uname -r)"
    fi
}

# No check by count or date, which would come upon some machine's boot.
file_system() {
    if [ "$(findmnt -n -o FSTYPE /)" = ext4 ]; then
        tune2fs -c 0 -i 0 "$(findmnt -n -o SOURCE /)"
    fi
}

mask
remove_snaps
cloud_init
docker_later
kernel
file_system
