"""When a controller has to look again although nothing happened: the next moment at which its plan could be another one."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.backtest.ways import Ways
from fleet.core.budget.waiting import waits_for_budget
from fleet.core.deadlines.model import Do
from fleet.core.keeping import Verdict, judge
from fleet.core.keeping.verdict import market_of
from fleet.core.observed import Observed
from fleet.core.pace import pace_of
from fleet.core.placement import Nothing, place
from fleet.core.plan.keeping import market_beside
from fleet.core.rhythm import wants_machine
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.model.base import Seconds
from fleet.model.cloud import ExistingVolume, Market

DUE: Seconds = 300
"""Once on-demand is due it is there, or on its way: then no more is to be decided soon."""


def next_look(state: FleetState, observed: Observed, ways: Ways) -> Seconds:
    """The earliest of what waits: pauses and cool-downs, machines that are handed a volume or that are to end, leases, and
    the last moment for on-demand where there is a deadline."""
    now = observed.now
    due = [now + ways.quiet]
    for run in state.busy_runs:
        due.extend(_of_run(state, run, observed, ways))
    return max(now + ways.pace, min(due))


def _of_run(state: FleetState, run: RunState, observed: Observed, ways: Ways) -> Iterator[Seconds]:
    now, waits, beside = observed.now, False, None
    if run.job.deadline is not None and run.ended_at is None:
        verdict = judge(state, run, observed)
        if verdict is not None:
            waits = verdict.do is Do.WAIT
            beside = market_beside(run, verdict) if run.serving else None
            yield now + _decides(verdict.latest, ways.quiet if _goes_on(run, verdict) else ways.decides, ways.pace)
    billing = {name: c.billing for name, c in observed.capabilities.items()}
    later = waits_for_budget(state, run, now, billing) if not run.serving else None
    if later is not None:
        yield later.until + 0.001
    elif beside is not None or (not run.serving and not waits and wants_machine(run, now)):
        offers = [offer for of_provider in observed.offers.values() for offer in of_provider]
        found = place(run, offers, state.cooling, now, state.resting, market=beside)
        yield found.until + 0.001 if isinstance(found, Nothing) and found.until is not None else now + ways.pace
    elif run.pause is not None and run.pause.until is not None and run.pause.until > now:
        yield run.pause.until + 0.001
    for attempt in run.live_attempts:
        yield from _of_attempt(attempt, now, ways)


def _goes_on(run: RunState, verdict: Verdict) -> bool:
    """Spot trains, and is to: as long as it does nothing is better, and slack stays what it is."""
    if verdict.do is not Do.SPOT or len(run.serving) != 1:
        return False
    (one,) = run.serving
    return one.resumed is not None and market_of(one) is Market.SPOT


def _decides(latest: Seconds, most: Seconds, pace: Seconds) -> Seconds:
    """Half of the way to the moment at which on-demand must begin: what is left shrinks, and so do the steps."""
    return min(most, max(pace, latest / 2)) if latest > 0 else min(most, DUE)


def _of_attempt(attempt: AttemptState, now: Seconds, ways: Ways) -> Iterator[Seconds]:
    pace = pace_of("sim")
    if attempt.phase == "intended":
        yield now + ways.pace
    elif attempt.phase in ("ending", "released"):
        yield now + 3 * ways.pace
    elif attempt.phase == "launched":
        yield (attempt.launched_at or now) + pace.boot_deadline + 1
    if attempt.phase in ("launched", "running") and attempt.resumed is None and isinstance(attempt.volume, ExistingVolume):
        yield now + ways.pace  # its volume is brought to it as soon as both are ready
    if attempt.notice is not None and attempt.notice.until is not None:
        yield max(now + ways.pace, attempt.notice.until + pace.drain_slack + 1)
    if attempt.lease_until is not None:
        yield max(now + ways.pace, attempt.lease_until + pace.leave_grace + 1)
