"""What an evaluation's driver does next. Pure: facts in, one decision out; the order of the rules is what matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fleet.model.base import Seconds
from fleet.workloads.deepracer import faults, steer
from fleet.workloads.deepracer.faults import Fault
from fleet.workloads.deepracer.steer import Exited, of_exit

TRACED_WITHIN: Seconds = 30.0
"""Once all laps are told, the simulator writes its traces; results are complete without them."""
NO_LAP: Seconds = 3600.0
"""Without the end of a lap. The longest lap that is known takes two minutes of the simulator's time; a car that is put back
again and again, on a machine that is too small, some ten times that."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at a moment; times by one clock."""

    now: Seconds
    driven: int
    """Laps that the metrics tell of."""
    wanted: int
    moved: Seconds
    """When the newest of them was seen, or the simulator started."""
    traced: bool = False
    """Its traces are there."""
    exited: Sequence[Exited] = ()
    exited_at: Seconds | None = None
    """When the first end was heard."""
    fault: Fault | None = None
    """What the logs tell, or a signal that is overdue."""
    stop_asked: bool = False


@dataclass(frozen=True, slots=True)
class Ends:
    """The simulator is taken down."""

    how: Literal["driven", "stopped", "fault"]
    fault: Fault | None = None


def decide(facts: Facts) -> Ends | None:
    """How it ends; None: it goes on."""
    if facts.driven >= facts.wanted:
        late = facts.now - facts.moved >= TRACED_WITHIN
        return Ends("driven") if facts.traced or facts.exited or facts.stop_asked or late else None
    if facts.stop_asked:
        return Ends("stopped")
    if facts.exited_at is not None:
        if facts.now - facts.exited_at < steer.SETTLE:
            return None
        return Ends("fault", facts.fault or of_exit(facts.exited))
    if facts.fault is not None:
        return Ends("fault", facts.fault)
    waited = facts.now - facts.moved
    return Ends("fault", faults.meanwhile("no-lap", waited)) if waited > NO_LAP else None
