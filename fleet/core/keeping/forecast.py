"""Whether a run will make its deadline, as far as arithmetic tells: no table is asked, no offer looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fleet.core.keeping.verdict import usual_overheads
from fleet.core.keeping.work import deadline_of, trains, work_of
from fleet.core.observed import AttemptKey
from fleet.core.pace import pace_of
from fleet.core.state import RunState
from fleet.model.base import Seconds
from fleet.model.documents import Heartbeat


@dataclass(frozen=True, slots=True)
class Forecast:
    """Times are seconds since 1970."""

    deadline: Seconds
    work_left: Seconds | None
    """None: nobody knows how much there is, or none is left to do."""
    finish: Seconds | None
    """When it ended, or will at the earliest; None: that is not known."""

    @property
    def late(self) -> bool:
        """It ended too late, or will."""
        return self.finish is not None and self.finish > self.deadline


def forecast(run: RunState, beats: Mapping[AttemptKey, Heartbeat], now: Seconds) -> Forecast | None:
    """None: the run has no deadline."""
    deadline = deadline_of(run)
    if deadline is None:
        return None
    if run.ended_at is not None:
        return Forecast(deadline, None, run.ended_at)
    work = work_of(run, beats, now)
    if work is None:
        return Forecast(deadline, None, now if now > deadline else None)
    carrier = run.carrier
    beat = beats.get((run.run_id, carrier.number)) if carrier is not None else None
    if carrier is not None and trains(carrier, beat):
        return Forecast(deadline, work.left, now + work.left)
    known = usual_overheads(run, run.name, pace_of(carrier.offers[0].provider if carrier is not None else ""))
    return Forecast(deadline, work.left, now + work.kept + known.boot + known.restore)
