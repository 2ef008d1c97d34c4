#!/bin/sh
# Puts the agent for this machine's Python into /opt/fleet/agent, from the bucket, checked by its hash.
set -eu
root=${FLEET_ROOT:-}
target=$root/opt/fleet/agent

this=$(python3 -c 'import sys, platform; print("cp%d%d-%s" % (*sys.version_info[:2], platform.machine()))')
key='' sha=''
while read -r name where hash; do
    [ "$name" != "$this" ] || key=$where sha=$hash
done <"$root/etc/fleet/agent"
if [ -z "$key" ]; then
    echo "fleet: no agent for $this, only for $(cut -d' ' -f1 "$root/etc/fleet/agent" | tr '\n' ' ')" >&2
    exit 1
fi
if [ "$(cat "$target/.sha256" 2>/dev/null)" != "$sha" ]; then
    archive=$root/opt/fleet/agent.tar.gz
    "$root/opt/fleet/bin/s3.py" get "$key" "$archive" --sha256 "$sha"
    rm -rf "$target" "$target.new"
    mkdir "$target.new"
    tar -xzf "$archive" -C "$target.new" --no-same-owner
    echo "$sha" >"$target.new/.sha256"
    mv "$target.new" "$target"
    rm "$archive"
fi
# What does not even load would be started again for ever.
cd "$target"
python3 -c 'import fleet.agent.main'
