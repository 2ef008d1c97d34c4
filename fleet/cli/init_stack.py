"""What ``fleet init stack`` writes: a job, its compose file, and a training that it runs."""

from __future__ import annotations

JOB = """\
# A stack for fleet: containers started by docker compose. Start it: fleet up fleet.yaml
# Look: fleet ps      Read: fleet logs -f my-stack      End it: fleet stop my-stack
name: my-stack                 # a name means its newest run

workdir: .                     # packed and unpacked on every machine; obeys .gitignore and .fleetignore
stack: compose.yaml            # in the workdir; it says which service is the training
resources:
  infra: local                 # machines are processes on this computer; containers run on its docker engine
  market: spot-first           # spot | spot-first | on-demand
  # max_price: $0.50           # per hour, never exceeded

volume:
  size: 20GB                   # follows the run from machine to machine; ${FLEET_VOLUME} in the compose file
  # keep: 7d                   # for so long after the run's end

checkpoint:
  path: checkpoints            # on the volume; ${FLEET_CHECKPOINTS}
  format: rename               # rename | marker | quiet: how a finished checkpoint is known

envs:                          # for the compose file's ${...}, and in the training's environment
  IMAGE: busybox:stable
  STEPS: "300"
# secrets: [API_TOKEN]         # from your environment, in memory; never in a file
# setup: docker network create my-network || true
outputs: [output/*]            # exported to models/my-stack/ at the end; in the workdir or on the volume
# max_duration: 12h            # of all machines together
# budget: {run: $5}            # the run is stopped before this is passed, disks included
"""

COMPOSE = """\
# fleet starts this on every machine, under a project of its own. What it adds: docs/job-file.md, "A stack".
services:
  training:
    image: ${IMAGE}
    labels:
      fleet.main: "true"       # the training: when it exits with 0 the run has succeeded
    command: [sh, /train.sh]
    init: true                 # so that SIGTERM, which says "save, then exit", ends also a program that does not catch it
    user: "${FLEET_UID}:${FLEET_GID}"  # files on the volume belong to you, not to root
    volumes:
      - ./train.sh:/train.sh:ro  # relative to this file
    # depends_on: [store]
  # Others serve the training. They are started with it, and stopped after it:
  # store:
  #   image: minio/minio
  #   command: server /data
  #   volumes:
  #     - ${FLEET_VOLUME}/store:/data   # what must last lies on the volume
"""

TRAIN = """\
#!/bin/sh
# A training that counts. It resumes from its checkpoint, saves by renaming, and says both to fleet.
set -eu
state=$FLEET_CHECKPOINTS/step
step=0
if [ -e "$state" ]; then step=$(cat "$state"); fi
echo "begins at step $step"

wanted=$(cat "$FLEET_SAVE_REQUEST")
leaving=
trap 'leaving=1' TERM

save() {
    echo "$step" >"$state.tmp"
    mv "$state.tmp" "$state"   # whole, or not at all
    echo "fleet.saved step=$step"
}

while [ "$step" -lt "$STEPS" ]; do
    sleep 0.1                  # the work
    step=$((step + 1))
    echo "fleet.progress step=$step"
    asked=$(cat "$FLEET_SAVE_REQUEST")
    if [ -n "$leaving" ]; then
        save
        exit 143
    elif [ "$asked" != "$wanted" ] || [ $((step % 10)) = 0 ]; then
        wanted=$asked
        save
    fi
done
mkdir -p "$FLEET_VOLUME/output"
echo "counted to $step" >"$FLEET_VOLUME/output/result.txt"
"""

FILES = {"fleet.yaml": JOB, "compose.yaml": COMPOSE, "train.sh": TRAIN}
