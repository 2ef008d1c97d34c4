"""Which machines that never spoke are to be looked into: why a boot failed is told before the next one is paid for."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.core.actions import Action, ExamineBoot
from fleet.core.facts import place_of
from fleet.core.observed import Observed
from fleet.core.pace import Pace, pace_of
from fleet.core.plan.horizon import not_after
from fleet.core.state import AttemptState, RunState
from fleet.model.base import Seconds

TOLD_FOR: Seconds = 3000
"""A cloud tells what an ended machine printed for an hour (EC2); what is not there by then is not coming."""


def examine_boots(run: RunState, observed: Observed) -> Iterator[Action]:
    """Before such a machine is ended, and again once it has: a console comes late."""
    if run.want != "train":
        return
    newest = run.newest
    for attempt in {a.number: a for a in (*run.live_attempts, *([newest] if newest is not None else ()))}.values():
        provider, region = place_of(attempt)
        capabilities = observed.capabilities.get(provider)
        if capabilities is None or not capabilities.console or attempt.instance_id is None or attempt.examined:
            continue
        if attempt.began_at is None and attempt.notice is None and _failed(attempt, observed, pace_of(provider)):
            yield ExamineBoot(
                not_after=not_after(observed),
                run_id=run.run_id,
                attempt=attempt.number,
                provider=provider,
                region=region,
                instance_id=attempt.instance_id,
            )


def _failed(attempt: AttemptState, observed: Observed, pace: Pace) -> bool:
    if attempt.phase == "gone":
        return attempt.ended_by != "cloud" and observed.now - (attempt.ended_at or 0.0) <= TOLD_FOR
    since = max(attempt.launched_at or 0.0, observed.awake_since)
    return attempt.launched_at is not None and observed.now - since > pace.boot_deadline
