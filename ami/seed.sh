#!/bin/sh
# In an image: puts what its docker has pulled onto a volume that docker has not used yet: seed.sh FROM TO
#
# volume.sh calls it before TO is shown at FROM. Whole or not at all; a volume without room is left as it is.
set -eu
from=$1 to=$2
most=150 # seconds, of the five minutes that the step has

say() {
    echo "fleet seed: $1" >&2
}

rm -rf "$to.seeding"
if [ -n "$(ls -A "$to" 2>/dev/null)" ] || [ -z "$(ls -A "$from" 2>/dev/null)" ]; then
    exit 0
fi
need=$(du -sk "$from" | cut -f 1)
room=$(df -k --output=avail "${to%/*}" | tail -n 1)
if [ $((need * 2)) -gt "$room" ]; then
    say "the volume has no room for the $((need / 1024)) MiB that the image brings"
    exit 0
fi
if timeout "$most" cp -a "$from" "$to.seeding" && timeout "$most" sync -f "$to.seeding"; then
    rm -rf "$to"
    mv "$to.seeding" "$to"
    say "$((need / 1024)) MiB of $from come from the image"
else
    rm -rf "$to.seeding"
    say "copying $((need / 1024)) MiB failed, or took longer than $most s: images are pulled"
fi
