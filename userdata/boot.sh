#!/bin/sh
# The steps of a boot, once cloud-init has written the files. The first one that fails ends the machine, and leaves its log
# in the bucket. Every step may be done again. /var/lib/fleet/boot-times says how long each took.
set -u
root=${FLEET_ROOT:-}
bin=$root/opt/fleet/bin
state=$root/var/lib/fleet
# shellcheck source=/dev/null
. "$root/etc/fleet/boot.env"

say() {
    echo "fleet boot: $1"
}

# Hundredths of a second since the kernel started.
now() {
    read -r up _ <"${1:-/proc/uptime}"
    echo $((${up%.*} * 100 + 1${up#*.} - 100))
}

took() {
    since=$(($(now) - $2))
    printf '%s %d.%02d\n' "$1" $((since / 100)) $((since % 100)) | tee -a "$state/boot-times"
}

# step NAME SECONDS COMMAND…: done within so many seconds, or the boot has failed.
step() {
    name=$1
    began=$(now)
    say "$name"
    shift
    timeout -k 10 "$@"
    code=$?
    took "$name" "$began"
    [ "$code" = 0 ] || failed "$name" "$code"
}

failed() {
    say "$1 failed with exit code $2"
    {
        echo "The boot failed: step $1 ended with exit code $2."
        echo
        cat "$state/boot-times"
        echo
        timeout 10 cloud-init status --long
        echo
        tail -n 400 "$root/var/log/cloud-init-output.log"
        echo
        tail -n 200 "$root/var/log/cloud-init.log" | grep -v DEBUG
        echo
        timeout 10 systemctl --no-pager --full status fleet-agent.service docker.service
    } >"$state/boot.log" 2>&1
    timeout 90 "$bin/bucket.py" put "$state/boot.log" "$FLEET_BOOT_LOG" || say "its log could not be uploaded"
    if [ "$FLEET_KEEP_FAILED" != 0 ]; then
        say "stays for $FLEET_KEEP_FAILED seconds, for a look"
        until=$(($(date +%s) + FLEET_KEEP_FAILED))
        [ -z "$FLEET_LEASE" ] || [ "$FLEET_LEASE" -ge "$until" ] || until=$FLEET_LEASE
        "$bin/dead-man.sh" arm "$until"
        exit 1
    fi
    "$bin/dead-man.sh" arm "$(date +%s)"
    exit 1
}

# Upgrades in the middle of a training restart docker, and change the driver's libraries under it.
quiet() {
    systemctl mask --now apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service 2>/dev/null || :
}

# The agent waits for a volume that is not there yet, and tells what is wrong with one that cannot be had.
volume() {
    # shellcheck disable=SC2086 # one word or none
    timeout -k 10 300 "$bin/volume.sh" mount "$FLEET_VOLUME_ID" "$FLEET_MOUNT" $FLEET_VOLUME_NEW || :
}

mkdir -p "$state"
: >"$state/boot-times"
[ ! -s "$root/run/fleet/began" ] || took cloud-init "$(now "$root/run/fleet/began")"
quiet
step agent 300 "$bin/agent.sh"
if [ -n "$FLEET_VOLUME_ID" ]; then
    began=$(now)
    say volume
    volume
    took volume "$began"
fi
if [ -n "$FLEET_STACK" ]; then
    step docker 900 "$bin/docker.sh"
fi
if [ -n "$FLEET_DRIVER" ]; then
    step gpu 1200 "$bin/gpu.sh" "$FLEET_DRIVER"
fi
touch "$state/booted"
step start 60 systemctl enable --now fleet-agent.service
say "done"
