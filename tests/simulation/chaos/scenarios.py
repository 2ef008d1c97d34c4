"""The lives that are swept: short, calm but for what each is about, and between them with every kind of effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from fleet.control.inventory import delete_volume
from fleet.control.runs import resume_run, start_run, stop_run
from fleet.core.state import RunState
from fleet.model.job import Job
from tests.simulation.chaos.swept import Swept

NAME = "job"
Script = Callable[[Swept], None]


def started(world: Swept, steps: int, folder: Path | None = None, *, sets: bool = False, **more: object) -> bool:
    """The user starts a run; False if there is none, since that was interrupted for good."""
    before = world.run
    fields = {
        "name": NAME,
        "run": "train",
        "envs": {"STEPS": str(steps), **({"SETS": "1"} if sets else {})},
        "outputs": ["model"],
        "resources": {"infra": "sim/sim-1/sim-1a", "market": "spot"},
        "volume": {"size": "20GB", "keep": "20m"},
        "checkpoint": {"keep": 2},
        **more,
    }
    where = folder or world.folder
    world.types("up", lambda user: start_run(user, Job.model_validate(fields), where, suffix=world.nonce))
    return world.run is not before


def packed(world: Swept) -> Path:
    """A folder to pack."""
    folder = world.folder / "typed-in"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "train.py").write_text("pass\n")
    (folder / "data.txt").write_text("1 2 3\n")
    return folder


def has(world: Swept, checkpoints: int) -> Callable[[RunState], bool]:
    """It trains, and so many checkpoints were committed."""

    def check(run: RunState) -> bool:
        attempt = run.newest
        trains = attempt is not None and attempt.phase == "running" and world.machine() is not None
        return run.over or (trains and world.committed(run) >= checkpoints)

    return check


def notice(world: Swept) -> None:
    """Interrupted with notice, resumed on the same volume in the same zone; finishes; the disk is deleted in time."""
    world.expected = {"succeeded"}
    world.laptop()
    world.cloud.manners = replace(world.cloud.manners, boot=(5, 15))  # up while the other still holds the disk
    mounts = {"data.txt": "data.txt"}
    if not started(world, 8, packed(world), sets=True, workdir="code", file_mounts=mounts):
        return
    world.until("its first checkpoint", has(world, 1))
    machine = world.machine()
    if machine is not None:
        world.cloud.take(machine.instance_id, at=world.clock() + 500)
        world._expect(world.cloud.instances[machine.instance_id])
        world.live(500)


def moved(world: Swept) -> None:
    """Taken without notice while its zone has nothing: restored from the bucket elsewhere, the old disk superseded."""
    world.expected = {"succeeded"}
    world.laptop()
    if not started(world, 13, sets=True, resources={"infra": "sim/sim-1", "market": "spot"}, checkpoint={"keep": 2}):
        return
    world.until("its second checkpoint", has(world, 2))
    machine = world.machine()
    if machine is not None:
        now, zone = world.clock(), world.cloud.instances[machine.instance_id].offer.zone
        world.cloud.market.outages.setdefault(zone, []).append((now, now + 6 * 3600))
        world.take(machine.instance_id, now + 1, notice=False)
        world.live(60)


def stopped(world: Swept) -> None:
    """Stopped by its user, resumed, taken down; then the user deletes the disk."""
    world.expected = {"stopped"}
    world.laptop()
    if not started(world, 100, volume={"size": "20GB", "keep": "7d"}):
        return
    world.until("its first checkpoint", has(world, 1))
    if not world.types("stop", lambda user: stop_run(user, NAME, "stop")):
        world.live(600)
    if not said(world):
        world.types("stop", lambda user: stop_run(user, NAME, "stop"))
    world.until("the run is stopped", lambda run: run.over)
    world.types("resume", lambda user: resume_run(user, NAME))
    if world.run is not None and world.run.ended_at is None:
        world.until("another checkpoint", has(world, world.committed(world.run) + 1))
        world.types("down", lambda user: stop_run(user, NAME, "down"))
        if not said(world):
            world.types("down", lambda user: stop_run(user, NAME, "down"))
    world.until("the run is down", lambda run: run.over)
    world.live(120)
    for volume_id in list(world.run.volumes) if world.run is not None else ():
        world.laws.users_word.add(volume_id)
        if not world.types("volumes delete", partial(delete_volume, volume_id=volume_id)):
            world.live(600)


def said(world: Swept) -> bool:
    """The user's wish for an end is in the journal."""
    return world.run is None or world.run.want != "train" or world.run.over


def spent(world: Swept) -> None:
    """Its money is at an end before it is; then its disk's keep time."""
    world.expected = {"over-budget"}
    world.laptop()
    started(world, 400, budget={"run": "$0.06"})


def shared(world: Swept) -> None:
    """A machine that the bucket is out of reach for is taken without notice: what only its disk holds is committed first.

    Then another run takes the disk over by its name: it is enlarged, and what lies there is moved out of its sight.
    """
    world.expected = {"succeeded"}
    world.laptop()
    volume = {"size": "20GB", "keep": "20m", "name": "data"}
    if not started(world, 7, volume=volume):
        return
    world.until("its first checkpoint", has(world, 1))
    machine = world.machine()
    if machine is not None:
        machine.cut_off_until = world.clock() + 1e6
        world.take(machine.instance_id, world.clock() + 1000, notice=False)
        world.live(1000)
    world.until("the first run is over", lambda run: run.over)
    started(world, 4, name="other", volume={**volume, "size": "40GB"})


SCENARIOS: Mapping[str, Script] = {script.__name__: script for script in (notice, moved, stopped, spent, shared)}
