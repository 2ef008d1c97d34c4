"""A large fleet for ``scale.py``: its journal, its heartbeats, and a cloud that lists its machines from memory.

For each live run ten journal entries: most trained on one machine from the start, every tenth was taken back once and
recovered. Two fifths as many runs again have ended, and half of those had their disk deleted.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.scale_cloud import FLEET, SPOT, MemoryCloud, disk, machine, token, world
from fleet.control.controller import SNAPSHOT_EVERY, Controller
from fleet.core.upcast import encode
from fleet.model import events as ev
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.cloud import (
    ExistingVolume,
    Instance,
    NewVolume,
)
from fleet.model.documents import CheckpointRef, Heartbeat, Notice, Outcome, Resumed
from fleet.model.job import Job
from fleet.store.files import FileObjects
from fleet.store.journal import Journal

ENTRIES_EACH = 10
"""Journal entries per live run."""
HOURS = 6
"""The fleet's age when it is measured."""


def job(number: int) -> Job:
    """What a user writes: every second one with a budget."""
    return Job.model_validate(
        {
            "name": f"racer-{number}",
            "resources": {"infra": "sim/r", "accelerators": "T4", "market": "spot-first", "max_price": "$0.60"},
            "volume": {"size": "500GB", "keep": "30d"},
            "envs": {"EPOCHS": "300", "WANDB_MODE": "offline", "DATA": "/mnt/fleet/data"},
            "setup": "pip install -r requirements.txt\n",
            "run": "python train.py --resume --epochs $EPOCHS --lr 0.0003\n",
            "outputs": ["model/*"],
            "budget": {"run": "$2000"} if number % 2 else {},
        }
    )


class Story:
    """The journal entries of one run, oldest first, and what is left of it in the world."""

    def __init__(self, number: int, kind: str) -> None:
        self.run_id, self.kind = f"racer-{number}-{number:08x}", kind
        self.name, self.job = f"racer-{number}", job(number)
        self.offer = SPOT[number % len(SPOT)]
        self.attempt = 1
        self.launched_at = 0.0

    def entries(self) -> Iterator[Any]:
        """Each entry as a function of its time."""
        yield lambda at: [
            ev.RunCreated(at=at, run_id=self.run_id, name=self.name, job=self.job, workdir_key="jobs/0.tar", mounts={})
        ]
        yield from self._machine(NewVolume(size_gb=500))
        if self.kind == "recovered":
            yield from self._taken_back()
        elif self.kind == "ended":
            yield from self._ended()

    def _who(self, at: float, attempt: int | None = None) -> dict[str, Any]:
        return {"at": at, "run_id": self.run_id, "attempt": attempt or self.attempt}

    def _machine(self, volume: NewVolume | ExistingVolume) -> Iterator[Any]:
        same = tuple(o for o in SPOT if o.zone == self.offer.zone) if volume.kind == "existing" else SPOT[:5]
        more = {"token": token(self.run_id, self.attempt), "offers": same, "volume": volume, "share": None}
        why = f"{self.offer.instance_type} spot in {self.offer.zone} at $0.16/h is the cheapest of 12 allowed"
        before = self.attempt - 1 or None
        yield lambda at: [
            ev.LaunchIntended(**self._who(at), **more, try_no=1, predecessor=before, lease_until=at + 7 * 86_400, why=why)
        ]
        yield lambda at: [ev.LaunchSucceeded(**self._who(at), try_no=1, instance=self._launched(at))]
        yield lambda at: [
            ev.AttemptBegan(**self._who(at), instance_id=machine(self.run_id, self.attempt, self.offer, at).instance_id),
            *self._disk_seen(at),
        ]
        yield lambda at: [ev.AttemptResumed(**self._who(at), resumed=self.resumed(at))]

    def _launched(self, at: float) -> Instance:
        self.launched_at = at
        return machine(self.run_id, self.attempt, self.offer, at)

    def _disk_seen(self, at: float) -> list[ev.Event]:
        if self.attempt > 1:
            return []
        holder = machine(self.run_id, 1, self.offer, at).instance_id
        return [
            ev.VolumeMade(
                at=at, run_id=self.run_id, provider="sim", volume=disk(self.run_id, self.offer, self.launched_at, holder)
            )
        ]

    def _taken_back(self) -> Iterator[Any]:
        yield lambda at: [ev.NoticeSeen(**self._who(at), notice=Notice(kind="notice", seen_at=at, until=at + 120))]
        self.attempt = 2
        yield from self._machine(ExistingVolume(volume_id=f"vol-{self.run_id}", zone=self.offer.zone))
        saved = CheckpointRef(attempt=1, seq=7)
        yield lambda at: [ev.AttemptReleased(**self._who(at, 1), step=1200, checkpoint=saved, checkpoint_step=1200)]
        yield lambda at: [ev.AttemptGone(**self._who(at, 1), ended_at=at, ended_by="cloud", step=1200)]

    def _ended(self) -> Iterator[Any]:
        done = Outcome(kind="succeeded", exit_code=0)
        yield lambda at: [ev.AttemptFinished(**self._who(at), outcome=done, step=9000)]
        yield lambda at: [
            ev.RunEnded(at=at, run_id=self.run_id, outcome="succeeded", reason="training ended"),
            ev.TerminateIntended(**self._who(at), reason="the run succeeded"),
        ]
        yield lambda at: [ev.AttemptGone(**self._who(at), ended_at=at, ended_by="fleet", step=9000)]
        if self.keeps_no_disk:
            volume = {"run_id": self.run_id, "volume_id": f"vol-{self.run_id}"}
            yield lambda at: [ev.VolumeDeleteIntended(at=at, **volume, reason="the user said so")]
            yield lambda at: [ev.VolumeDeleted(at=at, **volume)]

    @property
    def keeps_no_disk(self) -> bool:
        """Every second ended run's disk was deleted."""
        return self.kind == "ended" and int(self.name.rpartition("-")[2]) % 2 == 1

    def resumed(self, at: float) -> Resumed:
        """From nothing at first, then from the checkpoint before."""
        if self.attempt == 1:
            return Resumed(ref=None, source="nothing", step=None, reached=None, lost_steps=0, lost_seconds=0.0, at=at)
        ref = CheckpointRef(attempt=1, seq=7)
        return Resumed(ref=ref, source="volume", step=1200, reached=1200, lost_steps=0, lost_seconds=0.0, at=at)


def heartbeat(run_id: str, attempt: int, instance_id: str, resumed: Resumed, now: float, **more: Any) -> bytes:
    """What a training machine says."""
    beat = Heartbeat(
        run_id=run_id,
        attempt=attempt,
        instance_id=instance_id,
        boot_id="b",
        beat=900,
        at=now,
        **{"phase": "training", "step": 4000, **more},
        step_at=now,
        rate=0.31,
        metrics={"loss": 0.2345, "reward": 17.5},
        checkpoint=CheckpointRef(attempt=attempt, seq=9),
        checkpoint_step=3900,
        checkpoint_at=now - 90,
        checkpoints=9,
        resumed=resumed,
        disk_free=400_000_000_000,
        volume_id=f"vol-{run_id}",
        version="0",
    )
    return document_bytes(beat)


class Clock:
    """Set by hand while the fixture is made."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def stories(live: int) -> list[Story]:
    """Live runs, every tenth of them recovered once; then those that ended."""
    kinds = ["recovered" if n % 10 == 0 else "plain" for n in range(live)] + ["ended"] * (live * 2 // 5)
    return [Story(number, kind) for number, kind in enumerate(kinds)]


def build(folder: Path, live: int, now: float) -> None:
    """Write it: ``ENTRIES_EACH * live`` journal entries, a snapshot almost ``SNAPSHOT_EVERY`` entries old, the rest."""
    os.fsync = _not_at_all  # only while the fixture is made
    clock = Clock()
    objects = FileObjects(folder, clock)
    book = Journal(objects, FLEET, by="laptop-0", version="0")
    total, told = ENTRIES_EACH * live, stories(live)
    step = HOURS * 3600 / total
    clock.now = now - HOURS * 3600

    def write(make: Any) -> None:
        clock.now += step
        assert book.append([encode(event) for event in make(clock.now)]) is not None

    last = min(SNAPSHOT_EVERY - 1, total // 20)
    for make in _interleaved(told, window=max(4, live // 4)):
        write(make)
    for number in range(total - last - book.head):
        write(_price(told[number % live], number))
    clock.now = now
    controller = Controller(objects, book_of(objects), FLEET, {"sim": MemoryCloud(clock)})
    controller.load()
    for run in controller.state.busy_runs:
        for a in run.live_attempts:
            data = heartbeat(run.run_id, a.number, a.instance_id or "", a.resumed or told[0].resumed(now), now)
            objects.put(layout.heartbeat(run.run_id, a.number), data)
    controller.observer.providers = {"sim": world(controller.state, clock)}
    tick = controller.tick()
    assert not tick.events, tick.events[:3]
    assert {type(action).__name__ for action in tick.actions} == {"WriteDesired"}
    book.refresh()
    for number in range(last):
        write(_price(told[number], -1 - number))


def _not_at_all(fd: Any) -> None:
    """Instead of fsync."""


def book_of(objects: FileObjects, by: str = "laptop-1") -> Journal:
    """A journal to read."""
    return Journal(objects, FLEET, by=by, version="0")


def _price(story: Story, number: int) -> Any:
    return lambda at: [
        ev.PriceChanged(at=at, run_id=story.run_id, attempt=story.attempt, price=story.offer.price + 100 * number)
    ]


def _interleaved(told: list[Story], window: int) -> Iterator[Any]:
    """As many runs under way at once as ``window``: each gives an entry in turn."""
    waiting = iter(told)
    active = [story.entries() for story in itertools.islice(waiting, window)]
    while active:
        for entries in list(active):
            entry = next(entries, None)
            if entry is not None:
                yield entry
                continue
            active.remove(entries)
            active.extend(story.entries() for story in itertools.islice(waiting, 1))
