"""Trainings that hold where a test wants them, and what to wait for in their runs."""

from __future__ import annotations

import hashlib

import yaml

from fleet.model import layout
from tests.ec2.bench import Bench
from tests.ec2.cloud import Played
from tests.ec2.container import Machine

STEPS = 100
CHAIN = """
import hashlib, os, signal, time
from pathlib import Path
import fleet
state = Path(os.environ["FLEET_CHECKPOINTS"]) / "state"
step, total = state.read_text().split() if state.exists() else ("0", "start")
step, stop = int(step), []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
print("begins at step", step, flush=True)
def save():
    with open(state.with_name("state.tmp"), "w") as file:
        file.write(f"{step} {total}")
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, state)
    fleet.saved(step)
while step < int(os.environ["STEPS"]) and not stop:
    time.sleep(0.02)
    step += 1
    total = hashlib.md5(f"{total} {step}".encode()).hexdigest()
    fleet.progress(step)
    if step % 20 == 0:
        save()
    go = Path(os.environ["FLEET_VOLUME"], f"go-{step}")
    while str(step) in os.environ["HOLD"].split() and not go.exists() and not stop:
        time.sleep(0.02)
if stop:
    save()
else:
    Path(os.environ["FLEET_VOLUME"], "result.txt").write_text(total)
"""
COUNTING = """
set -eu
state=$FLEET_CHECKPOINTS/state
step=0
if [ -e "$state" ]; then step=$(cat "$state"); fi
trap 'echo "$step" >"$state.tmp"; mv "$state.tmp" "$state"; echo "fleet.saved step=$step"; exit 143' TERM
while [ "$step" -lt "$STEPS" ]; do
    sleep 0.02
    step=$((step + 1))
    echo "fleet.progress step=$step"
    if [ $((step % 10)) = 0 ]; then
        echo "$step" >"$state.tmp"
        mv "$state.tmp" "$state"
        echo "fleet.saved step=$step"
    fi
    while [ "$step" = "$HOLD" ] && [ ! -e "$FLEET_VOLUME/go-$step" ]; do sleep 0.02; done
done
echo "counted to $step" >"$FLEET_VOLUME/result.txt"
"""
JOB = {
    "name": "chain",
    "workdir": "job",
    "volume": {"size": "2GB"},
    "outputs": ["result.txt"],
    "run": "python3 chain.py",
}


def chained(steps: int) -> str:
    """What an uninterrupted training of so many steps ends with."""
    total = "start"
    for step in range(1, steps + 1):
        total = hashlib.md5(f"{total} {step}".encode()).hexdigest()
    return total


def start(bench: Bench, *hold: int, **more: object) -> None:
    """The run `chain`, whose training holds at these steps until it is let go on."""
    where = {"infra": f"{bench.cloud.name}/{bench.cloud.region}", "market": "spot"}
    job = {**JOB, "resources": where, "envs": {"STEPS": str(STEPS), "HOLD": " ".join(map(str, hold))}, **more}
    bench.start(yaml.safe_dump({name: value for name, value in job.items() if value is not None}))


def go_on(machine: Machine, step: int) -> None:
    """Let a training that holds go on."""
    machine.run("touch", f"/mnt/fleet/go-{step}")


def trains(bench: Bench, attempt: int, step: int, checkpoint: int = 0) -> Machine:
    """The machine of an attempt, once its training holds at a step, and so much of it is committed."""

    def there() -> bool:
        beat = bench.beat("chain", attempt) if len(bench.run("chain").attempts) >= attempt else None
        return (
            beat is not None and beat.phase == "training" and beat.step == step and (beat.checkpoint_step or 0) >= checkpoint
        )

    bench.until(there, f"attempt {attempt} trains", seconds=120)
    return bench.machine()


def resumed_at(bench: Bench, attempt: int) -> int:
    """The step that an attempt began from."""
    beat = bench.beat("chain", attempt)
    return (beat.resumed.step or 0) if beat is not None and beat.resumed is not None else 0


def ended(bench: Bench) -> None:
    """The run succeeded, its result is that of an undisturbed training, and no machine is left."""
    bench.until(lambda: bench.run("chain").ended_at, "the run's end")
    assert bench.run("chain").outcome == "succeeded", bench.story()
    assert bench.objects.get(f"{layout.models('chain')}result.txt").decode() == chained(STEPS)
    bench.until(lambda: not any(made.machine.runs for made in bench.cloud.made.values()), "every machine is off")
    assert bench.refused() == []


def ready_after(bench: Bench, machine: Played) -> float:
    """Seconds from cloud-init's first look at the user-data to the first heartbeat, which claims the attempt."""
    asked = [one.at for one in bench.place.network.service.asked if one.address == machine.told.address]
    began = bench.attempt("chain").began_at
    assert began is not None
    return float(began - min(asked))
