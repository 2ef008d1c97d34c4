"""Keeping a deadline: which market the next machine is of, when one is launched beside another, and when it takes over.

The new machine boots, and waits for the one that trains. Only once it is ready is that one told to let go: should the new
one be lost before, nothing has happened to training.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet.core.actions import Action, Record
from fleet.core.deadlines.model import Do
from fleet.core.keeping.verdict import Verdict, market_of, ready
from fleet.core.keeping.words import told
from fleet.core.observed import Observed
from fleet.core.plan.horizon import not_after
from fleet.core.state import AttemptState, RunState
from fleet.model.base import Seconds
from fleet.model.cloud import Market
from fleet.model.events import AttemptRelieved

LITTLE: Seconds = 600
"""With less work left than this no machine is launched beside another: it would hardly have booted before the end."""

REGAINED: Seconds = 300
"""On-demand that was launched beside spot takes over, unless there is more slack than this again: it was launched because
there was none, and would be once more."""


def next_market(verdict: Verdict) -> Market | None:
    """Where the only machine of a run is launched. None: as its job says, nothing speaks for one or the other."""
    if verdict.mood in ("unknown", "unpromised") and verdict.do is Do.SPOT:
        return None
    return Market.ON_DEMAND if verdict.do in (Do.ON_DEMAND, Do.BOTH) else Market.SPOT


def market_beside(run: RunState, verdict: Verdict) -> Market | None:
    """Which machine is wanted beside the one that carries the run; None: none is."""
    carrier = run.serving[0]
    trains = carrier.phase == "running" and carrier.resumed is not None
    if verdict.work is None or len(run.serving) > 1 or verdict.work.left < LITTLE:
        return None
    if market_of(carrier) is Market.ON_DEMAND:
        return Market.SPOT if trains and verdict.do in (Do.BOTH, Do.SPOT) else None
    return Market.ON_DEMAND if carrier.phase != "intended" and verdict.do in (Do.ON_DEMAND, Do.BOTH) else None


def relieve(run: RunState, verdict: Verdict | None, observed: Observed) -> Iterator[Action]:
    """Tell the older of two machines to let go, once the newer one waits for nothing else and is still wanted."""
    if verdict is None or len(run.serving) < 2:
        return
    older, newer = run.serving[0], run.serving[-1]
    if older.resumed is None or not ready(run, newer, observed) or not _wanted(newer, verdict):
        return
    intention = AttemptRelieved(
        at=observed.now, run_id=run.run_id, attempt=older.number, by=newer.number, reason=told(verdict)
    )
    yield Record(not_after=not_after(observed), intention=intention)


def not_needed(run: RunState, attempt: AttemptState, verdict: Verdict | None, observed: Observed) -> str | None:
    """Why one of two machines of a run is to end, in words; None if both are to go on."""
    if verdict is None or len(run.serving) < 2 or attempt.resumed is not None:
        return None
    older, newer = run.serving[0], run.serving[-1]
    if attempt is newer:
        undone = verdict.forced or ready(run, newer, observed)
        return f"it is not needed any more: {told(verdict)}" if undone and _unwanted(newer, verdict) else None
    if attempt is older and ready(run, newer, observed) and _wanted(newer, verdict):
        return f"it never trained, and attempt {newer.number} is ready: {told(verdict)}"
    return None


def _wanted(newer: AttemptState, verdict: Verdict) -> bool:
    """Whether a machine that is ready shall take over now."""
    if market_of(newer) is Market.SPOT:
        return verdict.do is Do.SPOT and newer.rebalance is None
    return verdict.do in (Do.ON_DEMAND, Do.BOTH) or verdict.latest <= REGAINED


def _unwanted(newer: AttemptState, verdict: Verdict) -> bool:
    """Whether it shall not: a spot machine may wait ready for a while, an on-demand one costs too much for that."""
    if market_of(newer) is Market.SPOT:
        return verdict.do is Do.ON_DEMAND or newer.rebalance is not None  # the cloud may take it in a moment
    return verdict.do in (Do.SPOT, Do.WAIT) and verdict.latest > REGAINED
