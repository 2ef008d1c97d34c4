"""Recordings as maps and pages are tried with: a car that drives round a circle, and the real logs and traces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fleet.workloads.deepracer.analysis.logs import read_log
from fleet.workloads.deepracer.analysis.recording import PartRecord, Recording, Trace
from fleet.workloads.deepracer.analysis.steps import STATUSES, Steps, joined
from tests.unit.deepracer.analyses import data

RADIUS = 3.0
STEPS_PER_LAP = 150
STEP = 1 / 15
"""Seconds."""


def round_and_round(episodes: int, *, iteration: int = 0, share: float = 1.0, speed: float = 2.0, first: int = 0) -> Steps:
    """So many episodes on a circle, each going on for this share of the lap."""
    count = max(2, round(STEPS_PER_LAP * share))
    total = episodes * count
    number = np.tile(np.arange(1, count + 1), episodes)
    angle = 2 * np.pi * (number - 1) / (STEPS_PER_LAP - 1)
    done = number == count
    status = np.full(total, STATUSES.index("in_progress"), dtype=np.int8)
    status[number == 1] = STATUSES.index("prepare")
    status[done] = STATUSES.index("lap_complete" if share >= 1 else "off_track")
    episode = first + np.repeat(np.arange(episodes), count)
    return Steps(
        iteration=np.full(total, iteration), drive=episode, episode=episode, number=number,
        x=RADIUS * np.cos(angle), y=RADIUS * np.sin(angle), heading=np.degrees(angle) + 90, steering=np.zeros(total),
        speed=np.full(total, speed), action=np.zeros(total, dtype=np.int64), reward=np.ones(total), done=done,
        on_track=~done | (share >= 1), progress=100.0 * number / STEPS_PER_LAP, waypoint=(number - 1) // 2,
        track_length=np.full(total, 2 * np.pi * RADIUS), at=np.arange(total) * STEP + np.full(total, 10.0), status=status,
        pause=np.zeros(total), wall=np.full(total, np.nan),
    )  # fmt: skip


def recorded(*traces: Trace, name: str = "racer-1") -> Recording:
    """One part of these traces, that the model holds all of."""
    own = {int(one) for trace in traces for one in np.unique(trace.steps.iteration)}
    return Recording(name, (PartRecord(name, traces=traces, whole={one: one for one in sorted(own)}),))


def circle(*pieces: Steps, world: str = "circle", worker: int = 0) -> Trace:
    """One worker's training."""
    return Trace(worker, "training", joined(pieces), track=world)


def of_log(name: str) -> Recording:
    """A real log of the shared data, all of whose iterations count."""
    read = read_log(data(name).read_bytes(), name)
    parts = []
    for part in read.parts:
        own = {int(one) for trace in part.traces for one in np.unique(trace.steps.iteration)}
        parts.append(replace(part, whole={one: one for one in sorted(own)}))
    return Recording(name, tuple(parts))
