#!/bin/sh
# The persistent disk: volume.sh find ID | mount ID MOUNTPOINT [--new] | release MOUNTPOINT
#
# ID is vol-… (EC2), NAME.ZONE (Compute Engine), or `new` with --new: the one that was made in the launching call. Exit codes: 0 done, 75 not there yet (or
# still in use), 65 refused: what is on it is nothing that may be formatted, and nothing that can be mounted; 66: nothing
# is on it, and it is not marked new.
set -eu
root=${FLEET_ROOT:-}
state=$root/var/lib/fleet
dev=$root/dev
sys=$root/sys
not_yet=75
refused=65
blank=66

say() {
    echo "fleet volume: $1" >&2
}

refuse() {
    say "$1"
    exit $refused
}

# --- finding it

# The disk that the system runs from is nobody's volume.
is_root_disk() {
    case $(readlink -f "$sys/dev/block/$(findmnt -n -o MAJ:MIN / | tr -d ' ')")/ in
    *"/${1##*/}/"*) return 0 ;;
    esac
    return 1
}

serial_of() {
    cat "$sys/block/$1/device/serial" "$sys/block/$1/serial" 2>/dev/null | head -n 1 | tr -d ' '
}

# Every disk of Compute Engine's that has a name, as lines "name device": by the links of Google's udev rules, else by
# systemd's. Local SSDs have such links too, and are nobody's volume.
google_disks() {
    for link in "$dev"/disk/by-id/google-* "$dev"/disk/by-id/scsi-0Google_PersistentDisk_*; do
        name=${link##*/google-}
        name=${name##*_PersistentDisk_}
        case $name in
        '*' | local-* | *-part[0-9]*) ;;
        *) [ ! -e "$link" ] || echo "$name $(readlink -f "$link")" ;;
        esac
    done
}

# Every EBS disk that says its serial, as lines "serial device": by udev's links, else by the kernel. And Google's.
disks() {
    {
        google_disks
        for link in "$dev"/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol*; do
            name=${link##*_Store_}
            case $name in
            *[!a-z0-9]*) ;; # a partition or a namespace
            *) [ ! -e "$link" ] || echo "$name $(readlink -f "$link")" ;;
            esac
        done
        for block in "$sys"/block/*; do
            serial=$(serial_of "${block##*/}")
            case $serial in
            vol*) [ ! -b "$dev/${block##*/}" ] || echo "$serial $(readlink -f "$dev/${block##*/}")" ;;
            esac
        done
    } | sort -u | while read -r serial device; do
        is_root_disk "$device" || echo "$serial $device"
    done
}

# EC2's machines of the Xen kind tell no serials there: then the name counts that the volume is attached under.
named() {
    [ -z "$(google_disks)" ] || return 0
    for name in xvdf sdf xvdbf; do
        if [ -b "$dev/$name" ]; then
            readlink -f "$dev/$name"
            return
        fi
    done
}

shows_serials() {
    for block in "$sys"/block/nvme*; do
        case $(serial_of "${block##*/}") in
        vol*) return 0 ;;
        esac
    done
    [ -n "$(disks)" ]
}

find_disk() {
    if [ "$1" = new ]; then
        find_new
        return
    fi
    case $1 in
    vol-*) wanted=$(echo "$1" | tr -d -) ;;
    *) wanted=${1%%.*} ;;
    esac
    found=$(disks | while read -r serial device; do
        [ "$serial" != "$wanted" ] || echo "$device"
    done | head -n 1)
    if [ -z "$found" ] && ! shows_serials; then
        found=$(named)
    fi
    [ -z "$found" ] || echo "$found"
}

# Of several, the one that is fleet's already, else the only one that is blank.
find_new() {
    all=$(disks | while read -r _ device; do echo "$device"; done | sort -u)
    [ -n "$all" ] || all=$(named)
    count=$(echo "$all" | grep -c . || :)
    if [ "$count" -le 1 ]; then
        [ -z "$all" ] || echo "$all"
        return
    fi
    for device in $all; do
        if [ "$(blkid -p -s LABEL -o value "$device" 2>/dev/null)" = fleet ]; then
            echo "$device"
            return
        fi
    done
    blanks=$(for device in $all; do
        ! is_blank "$device" || echo "$device"
    done)
    [ "$(echo "$blanks" | grep -c .)" = 1 ] || refuse "several disks could be the new volume: $(echo "$all" | tr '\n' ' ')"
    echo "$blanks"
}

# --- formatting it

# Nothing that any tool knows, no partitions, and zeros where things begin and end.
is_blank() {
    [ -z "$(wipefs -n "$1" 2>/dev/null)" ] || return 1
    blkid -p "$1" >/dev/null 2>&1
    [ $? = 2 ] || return 1
    [ "$(lsblk -n -o NAME "$1" | wc -l)" = 1 ] || return 1
    is_zero "$1"
}

is_zero() {
    size=$(blockdev --getsize64 "$1")
    mib=1048576
    cmp -s -n $mib "$1" /dev/zero && cmp -s -n $mib -i "$((size - mib)):0" "$1" /dev/zero
}

# One that was torn out of the middle of formatting may be formatted again.
format() {
    note=$state/formatting
    if ! is_blank "$1" && ! { [ "$(cat "$note" 2>/dev/null)" = "$2" ] && ! is_formatted "$1"; }; then
        refuse "$1 is marked new, but something is on it: it is not formatted"
    fi
    echo "$2" >"$note"
    sync "$note"
    say "formatting $1"
    mkfs.ext4 -q -F -m 0 -L fleet -E lazy_itable_init=1,lazy_journal_init=1,nodiscard "$1"
    sync
    rm "$note"
}

is_formatted() {
    [ "$(blkid -p -s TYPE -o value "$1" 2>/dev/null)" = ext4 ]
}

# --- using it

has_room() {
    set -- "$(blockdev --getsize64 "$1")" "$(dumpe2fs -h "$1" 2>/dev/null |
        awk -F: '/^Block count/ { count = $2 } /^Block size/ { size = $2 } END { printf "%.0f", count * size }')"
    [ $(($1 - $2)) -gt 16777216 ]
}

# As it is mounted if the kernel lets us, else the slower way.
grow() {
    has_room "$1" || return 0
    say "growing the file system of $1"
    resize2fs "$1" >&2 && return
    umount "$2"
    e2fsck -f -p "$1" >&2 || :
    resize2fs "$1" >&2 || say "it stays as small as it was"
    mount -t ext4 -o noatime "$1" "$2"
}

# Images that docker has from a prepared image are put onto a volume that it has not used yet, if the run has a stack. Whatever
# is left of it must not hold the lock.
seed=$root/opt/fleet/image/seed.sh
seed() {
    [ -x "$seed" ] && grep -Eqs "^FLEET_STACK=('?)[^']" "$root/etc/fleet/boot.env" || return 0
    until=${until:-$(($(date +%s) + 120))}
    "$seed" "$1" "$2" "$until" >&2 9>&- || say "nothing is taken from the image"
}
services="docker.socket docker.service containerd.service"

# What docker keeps lies on the volume, so that images follow the run: its folders are shown there as long as the volume is.
bind_docker() {
    stopped=
    for pair in docker:.docker containerd:.containerd; do
        folder=$root/var/lib/${pair%%:*}
        mountpoint -q "$folder" && [ "$folder" -ef "$1/${pair#*:}" ] && continue
        if [ -z "$stopped" ]; then
            stopped=$(for service in $services; do
                ! systemctl is-active --quiet "$service" || echo "$service"
            done)
            # shellcheck disable=SC2086 # words
            [ -z "$stopped" ] || systemctl stop $stopped
            stopped="$stopped "
        fi
        mkdir -p "$folder"
        seed "$folder" "$1/${pair#*:}"
        mkdir -p "$1/${pair#*:}"
        chmod 711 "$1/${pair#*:}"
        mount --bind "$1/${pair#*:}" "$folder"
    done
    # shellcheck disable=SC2086 # words
    [ -z "${stopped# }" ] || systemctl start --no-block $stopped
}

mount_disk() {
    device=$1 where=$2
    if mountpoint -q "$where"; then
        [ "$(readlink -f "$(findmnt -n -o SOURCE --mountpoint "$where" | tail -n 1)")" = "$device" ] ||
            refuse "something else is mounted on $where"
    else
        mkdir -p "$where"
        if ! mount -t ext4 -o noatime "$device" "$where"; then
            say "$device does not mount: looking at its file system"
            e2fsck -p "$device" >&2 || [ $? = 1 ] || refuse "the file system of $device needs a repair by hand: e2fsck $device"
            mount -t ext4 -o noatime "$device" "$where" || refuse "$device does not mount"
        fi
        grow "$device" "$where"
    fi
    bind_docker "$where"
}

mount_volume() {
    device=$(find_disk "$1")
    if [ -z "$device" ]; then
        say "$1 is not attached"
        exit $not_yet
    fi
    if ! is_formatted "$device"; then
        if [ "${3:-}" != --new ]; then
            ! is_blank "$device" || { say "$device is blank, and not marked new" && exit $blank; }
            refuse "$device is not formatted as ext4, and not marked new"
        fi
        format "$device" "$1"
    fi
    mount_disk "$device" "$2"
}

# While the system shuts down docker is to be stopped after the agent, which waits for this: so no order is kept here.
release() {
    for service in $services; do
        systemctl stop --job-mode=ignore-dependencies "$service" 2>/dev/null || :
    done
    for folder in docker containerd; do
        folder=$root/var/lib/$folder
        ! mountpoint -q "$folder" || umount "$folder" || umount --lazy "$folder"
    done
    sync
    mountpoint -q "$1" || return 0
    for _ in 1 2 3; do
        if umount "$1"; then
            return
        fi
        sleep 1
    done
    say "$1 is in use"
    exit $not_yet
}

mkdir -p "$state"
exec 9>"$state/.volume.lock"
flock -w 100 9 || {
    say "another volume.sh is at work"
    exit $not_yet
}
case ${1:-}-$# in
find-2)
    device=$(find_disk "$2")
    [ -n "$device" ] || exit $not_yet
    echo "$device"
    ;;
mount-3 | mount-4)
    shift
    mount_volume "$@"
    ;;
release-2) release "$2" ;;
*)
    echo "usage: volume.sh find ID | mount ID MOUNTPOINT [--new] | release MOUNTPOINT" >&2
    exit 64
    ;;
esac
