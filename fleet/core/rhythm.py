"""How often somebody must look: each minute while something lives, else each hour. And what news is worth waiting for."""

from __future__ import annotations

from fleet.core.allowed import providers_of
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.model.base import Seconds

HERE_ONLY = frozenset({"local"})
"""What a controller in a cloud can do nothing for."""


def lively(state: FleetState) -> bool:
    """Whether a controller in the cloud must look each minute.

    A run that trains, or wants to, or is ending. One that waits for a word of its user's too: as long as it does, each call
    fails and so says it (``unspoken``). Not one whose machines are on its user's own computer. What is left can wait for the
    hour: volumes past their time, machines that nobody owns, rules that were forgotten, the last prices of what has ended.
    """
    return any(_elsewhere(run) for run in state.busy_runs)


def unspoken(state: FleetState) -> list[RunState]:
    """The runs in a cloud that launch nothing until their users say so."""
    return [run for run in state.busy_runs if run.waits_for_user and run.want == "train" and _elsewhere(run)]


def _elsewhere(run: RunState) -> bool:
    return not providers_of(run.job.resources) <= HERE_ONLY


def wants_machine(run: RunState, now: Seconds) -> bool:
    """Whether a launch may be decided, or sent again, for a run: only then is it worth knowing what machines cost."""
    if run.ended_at is not None or run.want != "train":
        return False
    if run.pause is not None and (run.pause.until is None or run.pause.until > now):
        return False
    there = sum(attempt.phase in ("launched", "running") for attempt in run.attempts.values())
    return there == 0 or (there <= 2 and run.job.deadline is not None)


def attempt_of(state: FleetState, instance_id: str) -> tuple[RunState, AttemptState] | None:
    """The live attempt that an instance is; None: of no attempt, or of one that is over."""
    for run in state.busy_runs:
        for attempt in run.live_attempts:
            if attempt.instance_id == instance_id:
                return run, attempt
    return None


def may_be_ours(state: FleetState, provider: str, region: str) -> bool:
    """Whether a machine that no attempt owns may have come of a launch whose outcome is not recorded yet."""
    asked = (a for run in state.busy_runs for a in run.live_attempts if a.instance_id is None)
    return any((offer.provider, offer.region) == (provider, region) for attempt in asked for offer in attempt.offers)


def unsettled(state: FleetState, run_id: str, number: int) -> bool:
    """After news of an attempt's machine: whether looking again in a second may bring its replacement sooner.

    As long as it still counts as carrying the run on: the news comes before the cloud's listing, and the agent's word. Then
    as long as the attempt after it is being launched: what one offer refuses, the next may give.
    """
    run = state.runs.get(run_id)
    attempt = run.attempts.get(number) if run is not None else None
    if run is None or attempt is None:
        return False
    if attempt.serving:
        return True
    newest = run.newest
    if newest is None or newest.number == number or run.ended_at is not None or run.pause is not None:
        return False
    return newest.phase in ("intended", "refused")
