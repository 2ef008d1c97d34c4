"""Breaks of what is done with disks: their way from machine to machine, and how long they are waited for and kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fleet.agent.arriving import Arriving
from fleet.boot.request import launch_request
from fleet.core.actions import Action
from fleet.core.observed import Observed
from fleet.core.plan import volumes
from fleet.core.state import RunState
from fleet.model.base import Seconds
from fleet.model.cloud import LaunchRequest
from fleet.providers.sim.cloud import SimCloud
from tests.simulation.chaos.breaks import Mutant
from tests.simulation.chaos.breaks_of_journals import plain, taken
from tests.simulation.chaos.breaks_of_machines import for_so_long
from tests.simulation.chaos.scenes import HERE, HOUR, MINUTE, scene

# --- scenes


def no_volume(seed: int) -> list[str]:
    """The disk cannot be attached to the second machine for three hours."""
    with scene(seed) as made:
        run_id = made.begin(steps=60, resources=HERE)
        made.reaches(made.trains(run_id, step=14))
        made.rule("attach", "fail", times=10_000, when=for_so_long(made.world.clock, 3 * HOUR))
        made.taken(run_id)
        made.rest()
        return made.violations


def cannot_let_go(seed: int) -> list[str]:
    """A machine that was warned cannot reach the bucket: nobody hears whether it let go of its disk."""
    with scene(seed) as made:
        run_id = made.begin(steps=40, resources=HERE, envs={"STEPS": "40", "DEAF": "1"})
        made.reaches(made.trains(run_id, step=12))
        made.taken(run_id)
        made.reaches(lambda: made.run_of(run_id).attempts[1].notice is not None)
        made.cut_off(run_id, 1, HOUR)
        made.look_often(10 * MINUTE)
        made.rest()
        return made.violations


# --- what is broken


def waits_for_ever(patch: pytest.MonkeyPatch) -> None:
    real = Arriving.wait_for_volume

    def wait(self: Arriving, now: Seconds) -> None:
        self._agent.began_at = now
        real(self, now)

    patch.setattr(Arriving, "wait_for_volume", wait)


def takes_it_off(patch: pytest.MonkeyPatch) -> None:
    real = volumes.hand_over

    def hand_over(run: RunState, observed: Observed) -> Iterator[Action]:
        released = {n: a.model_copy(update={"released_at": a.released_at or observed.now}) for n, a in run.attempts.items()}
        return real(run.model_copy(update={"attempts": released}), observed)

    patch.setattr("fleet.core.plan.hand_over", hand_over)


def attaches_anyway(patch: pytest.MonkeyPatch) -> None:
    """Asked for as soon as the machine runs, wherever the disk is."""
    real = volumes.hand_over

    def hand_over(run: RunState, observed: Observed) -> Iterator[Action]:
        waiting = run.newest
        volume = getattr(waiting.volume, "volume_id", None) if waiting is not None else None
        if waiting is not None and volume is not None and waiting.phase in ("launched", "running"):
            yield volumes._attach(run, waiting, volume, observed)
            return
        yield from real(run, observed)

    patch.setattr("fleet.core.plan.hand_over", hand_over)


def marked_new(patch: pytest.MonkeyPatch) -> None:
    def request(*args: Any) -> LaunchRequest:
        made = launch_request(*args)
        return made.model_copy(update={"user_data": json.dumps({**json.loads(made.user_data), "volume_new": True})})

    patch.setattr("fleet.control.act.launch_request", request)


def deleted_on_termination(patch: pytest.MonkeyPatch) -> None:
    real = SimCloud.end

    def end(self: SimCloud, instance_id: str, by: Any, at: Seconds) -> None:
        disks = self.volumes_at(instance_id)
        real(self, instance_id, by, at)
        for disk in disks:
            disk.deleted_at = disk.deleted_at or at

    patch.setattr(SimCloud, "end", end)


def keeps_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("fleet.core.plan.volumes.KEEP", 0)


MUTANTS = (
    Mutant(
        "volume-waited-for-for-ever", "a volume is waited for so long, then the bucket is used", waits_for_ever,
        "a volume is never waited for without a deadline", no_volume,
    ),
    Mutant(
        "volume-taken-off-unasked", "a volume is detached once its machine let go, never by force", takes_it_off,
        "a volume is taken off only once it was let go of", cannot_let_go,
    ),
    Mutant(
        "volume-attached-while-in-use", "a volume is attached once it is free", attaches_anyway,
        "a volume is never attached twice", cannot_let_go,
    ),
    Mutant(
        "old-volume-marked-new", "only what the launching call makes may be formatted", marked_new,
        "a volume is never formatted with data on it", taken,
    ),
    Mutant(
        "volume-deleted-with-its-machine", "a volume outlives its machines", deleted_on_termination,
        "a volume outlives its machines", taken,
    ),
    Mutant(
        "keep-time-ignored", "a volume is kept for its keep time", keeps_nothing,
        "a volume is kept for its keep time", plain,
    ),
)  # fmt: skip
