"""What there is to tell of a fleet: the state before, the state after → things, each with the command to type next.

Pure, and the same for whoever looks: a controller that begins (the state before is empty) finds all that ever happened, and
leaves what was told to those who remember it (core/notify.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet.core.budget.caps import caps_of
from fleet.core.presence import one_line
from fleet.core.state import AttemptState, BudgetWarning, FleetState, RunState
from fleet.core.summary import Interruption, interruptions
from fleet.core.thing import Thing
from fleet.model.base import Seconds
from fleet.model.notify import Kind
from fleet.model.units import format_duration, format_money

LEAST: Seconds = 60
"""A run that has waited for a machine for less is not worth a thought."""
MOST_TEXT = 300


def happened(before: FleetState, after: FleetState) -> Iterator[Thing]:
    """What happened in between, each run's in order. A run that did not change is not looked at."""
    for run_id, run in after.runs.items():
        was = before.runs.get(run_id)
        if was is not run:
            known = {one.key for one in _of_run(was, "")} if was is not None else set()
            yield from (one for one in _of_run(run, name_of(after, run)) if one.key not in known)
    if before.warned is not after.warned:
        for key, warning in after.warned.items():
            if key not in before.warned:
                yield spent(after, warning)


def _of_run(run: RunState, who: str) -> Iterator[Thing]:
    yield from _taken(run, who)
    yield from _ended(run, who)


def standing(after: FleetState, now: Seconds) -> Iterator[Thing]:
    """What is so now, and may pass: runs without a machine."""
    for run in after.busy_runs:
        since = without_machine(run)
        if since is not None:
            since = _after_budgets(after, run, since, now)
        if since is None or now - since < LEAST:
            continue
        had = max((one.number for one in run.attempts.values() if one.launched_at is not None), default=0)
        who = name_of(after, run)
        waits = run.waits_for_user
        why = f": it waits for a word of yours: {_short(run.pause.reason if run.pause else '')}" if waits else _refusal(run)
        told = f"{run.name} has had no machine for {format_duration(now - since)}{why}"
        yield Thing(
            kind="no-capacity",
            run_id=run.run_id,
            which=f"{had}-{run.want_at:.0f}",
            at=since,
            name=run.name,
            what=told,
            next=f"fleet resume {who}" if waits else f"fleet status {who}",
            standing=True,
        )


def blind(who: str, since: Seconds, now: Seconds, trouble: str) -> Thing:
    """A controller that cannot see, or may not act."""
    name = f"the controller {who}"
    return Thing(
        kind="blind",
        run_id="",
        which=f"{who}/{since:.0f}",
        at=since,
        name=name,
        what=f"{name} has been blind for {format_duration(now - since)}: {_short(trouble)}",
        next="fleet controller list",
        standing=True,
    )


def name_of(state: FleetState, run: RunState) -> str:
    """What a command takes for a run: its name, as long as no newer run has it."""
    return run.name if state.names.get(run.name) == run.run_id else run.run_id


def without_machine(run: RunState) -> Seconds | None:
    """Since when a run that is to train has had no machine; None: it has one, or needs none."""
    if run.ended_at is not None or run.want != "train":
        return None
    since = max(run.created_at, run.want_at)
    for attempt in run.attempts.values():
        if attempt.launched_at is None:
            continue
        left = _left(attempt)
        if left is None:
            return None
        since = max(since, left)
    return since


def _left(attempt: AttemptState) -> Seconds | None:
    """When a machine stopped to serve; None: it does."""
    if attempt.phase in ("launched", "running", "draining"):
        return None
    times = (attempt.released_at, attempt.ended_at, attempt.terminate_at)
    return min((at for at in times if at is not None), default=attempt.launched_at)


def _taken(run: RunState, who: str) -> Iterator[Thing]:
    """Machines that the cloud took, and training that went on."""
    found = interruptions(run)
    for one in found:
        attempt = run.attempts[one.attempt]
        how = "without a warning" if one.kind == "kill" else "with a warning"
        what = f"{run.name}: the cloud takes machine {one.attempt} back, {how}{_machine(attempt)}"
        yield Thing("interruption", run.run_id, str(one.attempt), one.at, run.name, what, f"fleet status {who}")
    again: dict[int, list[Interruption]] = {}
    for one in found:
        if one.recovered_by is not None:
            again.setdefault(one.recovered_by, []).append(one)
    for number, some in again.items():
        yield _recovery(run, who, number, some)


def _recovery(run: RunState, who: str, number: int, some: list[Interruption]) -> Thing:
    attempt = run.attempts[number]
    resumed = attempt.resumed
    assert resumed is not None
    took = format_duration(max(one.recover_seconds or 0.0 for one in some))
    lost = "nothing was lost"
    if resumed.lost_steps or resumed.lost_seconds:
        lost = f"{resumed.lost_steps} steps were lost, {format_duration(resumed.lost_seconds)} of work"
    what = f"{run.name} trains on machine {number}{_machine(attempt)}, {took} after the interruption; {lost}"
    return Thing("recovery", run.run_id, str(number), resumed.at, run.name, what, f"fleet status {who}")


def _ended(run: RunState, who: str) -> Iterator[Thing]:
    """How it ended. What its user ended is not told."""
    if run.ended_at is None:
        return
    at, which = run.ended_at, f"{run.ended_at:.0f}"
    if run.outcome == "succeeded":
        what = f"{run.name} finished after {format_duration(at - run.created_at)}"
        yield Thing("finished", run.run_id, which, at, run.name, what, f"fleet status {who}")
    elif run.outcome == "failed":
        # The first line alone: those after it are what training printed, and may hold what is not to be sent anywhere.
        what = f"{run.name} failed: {_short((run.reason.splitlines() or [''])[0])}"
        yield Thing("failed", run.run_id, which, at, run.name, what, f"fleet logs {who}")


def _after_budgets(state: FleetState, run: RunState, since: Seconds, now: Seconds) -> Seconds | None:
    """Since when nothing but the cloud kept machines from it; None: a budget still does, which is told as such."""
    for cap in caps_of(state, run):
        for warning in state.warned.values():
            if (warning.scope, warning.run_id, warning.cap, warning.share) != (cap.scope, cap.run_id, cap.limit, 100):
                continue
            end = cap.period(warning.period_start).end
            if warning.period_start <= now < end:
                return None
            since = max(since, min(end, now))
    return since


def spent(state: FleetState, warning: BudgetWarning) -> Thing:
    """A budget of which 80 % are spent, or all, and the command that shows it, or that raises it."""
    run = state.runs.get(warning.run_id) if warning.run_id is not None else None
    who, name = (name_of(state, run), run.name) if run is not None else ("", "the fleet")
    cap, full = format_money(warning.cap), warning.share == 100
    period = {"run": "", "day": " for a day", "month": " for a month"}[warning.scope.removeprefix("fleet-")]
    paid, budget = format_money(warning.spent), f"the budget of {cap}{period} of {name}"
    if not full:
        what = f"{paid} of {budget} are spent; it comes to {format_money(warning.forecast)} if all goes on as it does"
    elif warning.scope == "run":
        what = f"{budget} is used up, {paid} are spent: it is saved and ended"
    else:
        until = warning.scope.rpartition("-")[2]
        what = f"{budget} is used up, {paid} are spent: nothing is launched until the {until} is over"
    more = f"fleet cost {who}" if run is not None else "fleet budget"
    if full and warning.scope == "run":
        more = f"fleet resume {who} --budget '{format_money(2 * warning.cap)}'"
    kind: Kind = "budget-100" if full else "budget-80"
    which = f"{warning.scope}/{warning.period_start:.0f}/{warning.cap}"
    return Thing(kind, warning.run_id or "", which, warning.at, f"the budget of {name}", what, more)


def _machine(attempt: AttemptState) -> str:
    offer = attempt.offer
    return f" ({offer.instance_type} {offer.market.value} in {offer.zone})" if offer is not None else ""


def _refusal(run: RunState) -> str:
    """Why, as the cloud or the pause last told."""
    if run.pause is not None:
        return f": {_short(run.pause.reason)}"
    newest = run.newest
    refused = newest is not None and newest.phase == "refused" and newest.error
    return f"; the last refusal: {_short(newest.error or '')}" if newest is not None and refused else ""


def _short(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"
