#!/bin/sh
# A "training" in plain shell: each step is a program that computes the next state from the last one.
set -eu

steps=${STEPS:-200}
pace=${PACE:-0} # seconds that a step takes at least, to have something to interrupt
checkpoint=${FLEET_CHECKPOINTS:-checkpoints}/state
model=${FLEET_VOLUME:-.}/output/model.txt

one_step() { # put your program here
    sleep "$pace" && awk -v x="$state" 'BEGIN { printf "%d\n", x * 48271 % 2147483647 }'
}

save() { # a temporary name, to disk, then the rename
    mkdir -p "$(dirname "$checkpoint")"
    printf '%s %s\n' "$step" "$state" > "$checkpoint.tmp"
    sync "$checkpoint.tmp" 2> /dev/null || sync
    mv "$checkpoint.tmp" "$checkpoint"
    echo "fleet.saved step=$step"
}

asked=
save_requested() { # once for each request: the text of a file changed
    now=$(cat "${FLEET_SAVE_REQUEST:-/dev/null}" 2> /dev/null) || return 1
    [ -n "$now" ] && [ "$now" != "$asked" ] && asked=$now
}

stop=
trap 'stop=yes' TERM # the machine is about to go

step=0 state=2019
if [ -e "$checkpoint" ]; then read -r step state < "$checkpoint"; fi
echo "begins at step $step"

while [ "$step" -lt "$steps" ]; do
    # SIGTERM reaches every process of the job, also the program below: a step that was cut short is not done.
    if next=$(one_step); then
        state=$next step=$((step + 1))
        echo "fleet.progress step=$step"
        if [ $((step % 10)) = 0 ] || save_requested; then save; fi
    elif [ -z "$stop" ]; then
        echo "the step failed" >&2
        exit 1
    fi
    if [ -n "$stop" ]; then
        save
        exit 143 # not 0: that would say that training is done
    fi
done

save
mkdir -p "$(dirname "$model")"
echo "$state" > "$model"
