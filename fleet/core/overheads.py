"""What an interruption costs in time, measured on the attempts of a job's own runs: medians, defaults until then."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from fleet.core.state import FleetState, RunState
from fleet.model.base import Seconds

BOOT: Seconds = 120
RESTORE: Seconds = 30
LOST: Seconds = 150
"""Half of a checkpoint interval of five minutes."""


@dataclass(frozen=True, slots=True)
class Overheads:
    """Seconds: from a launch until the agent speaks, from then until training goes on, and of work that is lost."""

    boot: Seconds = BOOT
    restore: Seconds = RESTORE
    lost: Seconds = LOST


def measured(known: RunState | FleetState, name: str) -> Overheads:
    """The overheads of one run, or of all runs of a name."""
    runs = [known] if isinstance(known, RunState) else [run for run in known.runs.values() if run.name == name]
    attempts = [attempt for run in runs for attempt in run.attempts.values()]
    boots = [a.began_at - a.launched_at for a in attempts if a.began_at is not None and a.launched_at is not None]
    every = [run.job.checkpoint.every / 2 for run in runs if run.job.checkpoint.every is not None]
    return Overheads(
        boot=max(0.0, median(boots)) if boots else BOOT,
        lost=max(LOST, *every) if every else LOST,
    )
