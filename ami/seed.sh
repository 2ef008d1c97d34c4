#!/bin/sh
# In an image: puts what its docker has pulled onto a volume that docker has not used yet: seed.sh FROM TO UNTIL
#
# volume.sh calls it before TO is shown at FROM. Whole or not at all; a volume without room is left as it is.
set -eu
from=$1 to=$2
# By when (seconds since 1970) it is done or given up; of the five minutes that the step has, two are for docker's folders.
until=$3

say() {
    echo "fleet seed: $1" >&2
}

# within COMMAND…: done in the time that is left, and ended with whoever ends this.
within() {
    left=$((until - $(date +%s)))
    [ "$left" -gt 0 ] && timeout --foreground -k 5 "$left" "$@"
}

rm -rf "$to.seeding"
if [ -n "$(ls -A "$to" 2>/dev/null)" ] || [ -z "$(ls -A "$from" 2>/dev/null)" ]; then
    exit 0
fi
need=$(within du -sk "$from" | cut -f 1)
[ -n "$need" ] || exit 0
room=$(df -k --output=avail "${to%/*}" | tail -n 1)
if [ $((need * 2)) -gt "$room" ]; then
    say "the volume has no room for the $((need / 1024)) MiB that the image brings"
    exit 0
fi
if within cp -a "$from" "$to.seeding" && within sync -f "$to.seeding"; then
    rm -rf "$to"
    mv "$to.seeding" "$to"
    say "$((need / 1024)) MiB of $from come from the image"
else
    rm -rf "$to.seeding"
    say "copying $((need / 1024)) MiB failed, or took too long: images are pulled"
fi
