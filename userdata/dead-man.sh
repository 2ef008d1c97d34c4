#!/bin/sh
# Powers this machine off at an absolute time, whatever happens to everything else: dead-man.sh arm EPOCH
#
#   arm EPOCH    from now on that time counts, written down for the next boot
#   rearm        after a reboot: set the timer for the time that was written down
#   begin EPOCH  the first step of every boot; EPOCH is the end of the lease, or - if there is none
#   fire         what the timer does
#
# Needs systemd and coreutils only: it runs before the network, packages and the agent.
set -eu
state=${FLEET_ROOT:-}/var/lib/fleet
unit=fleet-dead-man
first=1800 # seconds that a boot has until the agent takes over

say() {
    echo "fleet dead-man: $1"
}

# A timer of its own name for each time: the old one is stopped only once the new one runs. The calendar follows a clock
# that is set right, the seconds hold if it is set back.
start_timer() {
    now=$(date +%s)
    new=$unit-$1
    if [ "$1" -le "$now" ]; then
        say "the time is over: powering off"
        systemd-run --quiet --unit "$unit-now-$now" --property=DefaultDependencies=no "$0" fire && return
        (setsid "$0" fire &)
        return
    fi
    if ! systemctl is-active --quiet "$new.timer"; then
        systemctl stop "$new.timer" "$new.service" 2>/dev/null || :
        # A timer waits for sysinit.target by default, which itself waits for cloud-init, whose first step this is.
        if ! systemd-run --quiet --no-block --unit "$new" --property=DefaultDependencies=no \
            --timer-property=DefaultDependencies=no --timer-property=AccuracySec=1s \
            --on-calendar="$(date -u -d "@$1" '+%Y-%m-%d %H:%M:%S UTC')" --on-active="$(($1 - now))" "$0" fire; then
            say "systemd sets no timer: a process waits instead"
            # shellcheck disable=SC2016 # for the inner shell
            (setsid sh -c 'sleep "$1"; exec "$2" fire' - "$(($1 - now))" "$0" >/dev/null 2>&1 &)
            return
        fi
    fi
    systemctl list-units --all --plain --no-legend "$unit-*.timer" | while read -r old _; do
        [ "$old" = "$new.timer" ] || systemctl stop "$old" || :
    done
    say "powers off at $(date -u -d "@$1" '+%Y-%m-%d %H:%M:%S UTC')"
}

arm() {
    when=${1%%.*}
    case $when in
    '' | *[!0-9]*)
        echo "dead-man.sh: $1 is no time" >&2
        exit 64
        ;;
    esac
    mkdir -p "$state"
    echo "$when" >"$state/.dead-man"
    mv "$state/.dead-man" "$state/dead-man"
    start_timer "$when"
    sync "$state/dead-man" "$state" || :
}

machine() {
    cat "${FLEET_ROOT:-}/sys/class/dmi/id/product_uuid" 2>/dev/null || :
}

# A time that another machine wrote down, whose disk became an image, is not ours.
rearm() {
    [ "$(machine)" = "$(cat "$state/machine" 2>/dev/null || machine)" ] || return 0
    read -r when <"$state/dead-man" || return 0
    arm "$when"
}

# What an image was made from has nothing to say here: state counts for the instance that wrote it.
begin() {
    mkdir -p "$state"
    me=${INSTANCE_ID:-unknown}
    if [ "$(cat "$state/instance" 2>/dev/null)" != "$me" ]; then
        rm -rf "${state:?}"/* "$state/.dead-man"
        echo "$me" >"$state/instance"
        machine >"$state/machine"
        [ -s "$state/machine" ] || rm -f "$state/machine"
    fi
    mkdir -p "${FLEET_ROOT:-}/run/fleet"
    cat /proc/uptime >"${FLEET_ROOT:-}/run/fleet/began"
    if [ -s "$state/dead-man" ]; then
        rearm
        return
    fi
    until=$(($(date +%s) + first))
    [ "$1" = - ] || [ "$1" -ge "$until" ] || until=$1
    arm "$until"
}

# Cleanly if that works, else at once.
fire() {
    say "powering off"
    (sync &)
    systemctl poweroff --no-block && sleep "${FLEET_FIRE_WAIT:-120}"
    systemctl poweroff --force --force || :
    echo 1 >"${FLEET_ROOT:-}/proc/sys/kernel/sysrq"
    echo o >"${FLEET_ROOT:-}/proc/sysrq-trigger"
}

case ${1:-}-$# in
arm-2 | begin-2) "$1" "$2" ;;
rearm-1 | fire-1) "$1" ;;
*)
    echo "usage: dead-man.sh arm EPOCH | rearm | begin EPOCH | fire" >&2
    exit 64
    ;;
esac
