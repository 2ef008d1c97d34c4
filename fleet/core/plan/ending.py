"""Which machines are to end, and why."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.core.actions import Action, Record, Terminate
from fleet.core.allowed import fitting
from fleet.core.cooling import given_up
from fleet.core.facts import place_of
from fleet.core.keeping import Verdict
from fleet.core.leases import too_late
from fleet.core.observed import Observed, for_sale
from fleet.core.pace import Pace, pace_of
from fleet.core.plan.horizon import not_after
from fleet.core.plan.keeping import not_needed
from fleet.core.state import AttemptState, RunState
from fleet.model.base import Seconds
from fleet.model.cloud import Billing
from fleet.model.events import TerminateIntended

DRAINING_MORE = 10
"""A machine that is seen to drain after the user's stop may take so many times the usual deadline."""


def end_machines(run: RunState, observed: Observed, verdict: Verdict | None = None) -> Iterator[Action]:
    """Terminate what should not live, and ask again for what was asked and still lives."""
    for attempt in run.live_attempts:
        if attempt.phase == "ending":
            if attempt.instance_id is not None:
                yield _terminate(run, attempt, observed, None)
            continue
        reason = _reason(run, attempt, observed) or not_needed(run, attempt, verdict, observed)
        if reason is None:
            continue
        intention = TerminateIntended(at=observed.now, run_id=run.run_id, attempt=attempt.number, reason=reason)
        if attempt.instance_id is None:
            yield Record(not_after=not_after(observed), intention=intention)
        else:
            yield _terminate(run, attempt, observed, intention)


def _terminate(run: RunState, attempt: AttemptState, observed: Observed, intention: TerminateIntended | None) -> Terminate:
    provider, region = place_of(attempt)
    return Terminate(
        not_after=not_after(observed),
        intention=intention,
        run_id=run.run_id,
        attempt=attempt.number,
        provider=provider,
        region=region,
        instance_id=attempt.instance_id or "",
    )


def _reason(run: RunState, attempt: AttemptState, observed: Observed) -> str | None:
    """Why the attempt's machine is to end now, in words; None if it is to live."""
    pace = pace_of(place_of(attempt)[0])
    return (
        _by_user(run, attempt, observed, pace)
        or unanswered(run, attempt, observed)
        or _over(run, attempt, observed, pace)
        or _relieved_long_ago(run, attempt, observed, pace)
        or _past_notice(attempt, observed, pace)
        or _mute(run, attempt, observed, pace)
        or _superseded(run, attempt)
    )


def _by_user(run: RunState, attempt: AttemptState, observed: Observed, pace: Pace) -> str | None:
    if run.want == "down":
        return "the user took the run down"
    if run.want == "stop" and (attempt.phase == "intended" or _stopped_long_ago(run, attempt, observed, pace)):
        return "the user stopped the run"
    return None


def unanswered(run: RunState, attempt: AttemptState, observed: Observed) -> str | None:
    """Nobody knows what became of its launch, and a provider that answers has what the job allows.

    Should there be a machine after all, it is found by its token and ended; until then the fences keep it from the run.
    """
    mine = place_of(attempt)[0]
    waited_since = max(attempt.intended_at, observed.awake_since)
    if not given_up(run, attempt) or observed.now - waited_since <= pace_of(mine).boot_deadline:
        return None
    for offer in for_sale(observed):
        if offer.provider != mine and fitting(offer, run.job.resources):
            waited = f"{(observed.now - attempt.intended_at) / 60:.0f} minutes"
            return f"{mine} did not answer its launch for {waited}, and {offer.provider} has machines too"
    return None


def _stopped_long_ago(run: RunState, attempt: AttemptState, observed: Observed, pace: Pace) -> bool:
    """A machine that says that it is still saving gets more time: a last checkpoint may be large."""
    return _keeps_on(run, attempt, observed, pace, run.want_at)


def _relieved_long_ago(run: RunState, attempt: AttemptState, observed: Observed, pace: Pace) -> str | None:
    if attempt.relieved_at is None or not _keeps_on(run, attempt, observed, pace, attempt.relieved_at):
        return None
    return "it was to let go, and did not"


def _keeps_on(run: RunState, attempt: AttemptState, observed: Observed, pace: Pace, since: Seconds) -> bool:
    waited = observed.now - max(since, observed.awake_since)
    beat = observed.heartbeat(run.run_id, attempt.number, attempt.instance_id)
    saving = beat is not None and beat.phase == "draining" and observed.now - beat.at <= pace.stop_deadline
    return waited > pace.stop_deadline * (DRAINING_MORE if saving else 1)


def _over(run: RunState, attempt: AttemptState, observed: Observed, pace: Pace) -> str | None:
    """Its work is done: everything is released, or the run has ended without it."""
    now = observed.now
    if run.ended_at is not None and (attempt.released_at is not None or now - run.ended_at > pace.leave_grace):
        return f"the run {run.outcome}"
    if attempt.released_at is not None and not _worth_staying(attempt, observed):
        return "it released everything"
    if too_late(attempt, now, pace):
        return "it was not launched in time: its lease is nearly over"
    if attempt.lease_until is not None and now > attempt.lease_until + pace.leave_grace:
        return "its lease is over"
    return None


def _worth_staying(attempt: AttemptState, observed: Observed) -> bool:
    """EC2 does not charge for what *it* interrupts in the first hour: then wait to be taken (design.md, section 6)."""
    capabilities = observed.capabilities.get(place_of(attempt)[0])
    free = (capabilities.billing if capabilities else Billing()).free_if_interrupted_within
    notice, launched = attempt.notice, attempt.launched_at
    if notice is None or notice.until is None or launched is None:
        return False
    return notice.until - launched <= free and observed.now < notice.until


def _past_notice(attempt: AttemptState, observed: Observed, pace: Pace) -> str | None:
    notice = attempt.notice
    if notice is None:
        return None
    capabilities = observed.capabilities.get(place_of(attempt)[0])
    until = notice.until or notice.seen_at + (capabilities.notice_seconds if capabilities else 0.0)
    return "its notice passed long ago" if observed.now > until + pace.drain_slack else None


def _mute(run: RunState, attempt: AttemptState, observed: Observed, pace: Pace) -> str | None:
    """It never spoke, or fell silent for longer than its own dead-man switch would have let it."""
    now = observed.now
    if attempt.began_at is None:
        since = max(attempt.launched_at or 0.0, observed.awake_since)
        look = run.job.keep_failed or 0.0  # the user wants to see it for themselves
        if attempt.launched_at is not None and now - since > pace.boot_deadline + look:
            return f"no word from it within {pace.boot_deadline:.0f} s of its launch"
        return None
    beat = observed.heartbeat(run.run_id, attempt.number, attempt.instance_id)
    last = max(beat.at if beat else 0.0, attempt.began_at)
    silent = now - max(last, observed.awake_since, observed.heard.get((run.run_id, attempt.number), 0.0))
    return f"no word from it for {now - last:.0f} s" if silent > pace.silence else None


def _superseded(run: RunState, attempt: AttemptState) -> str | None:
    """A later attempt trains already: whatever this one still writes is late."""
    later = [a.number for a in run.attempts.values() if a.number > attempt.number and a.resumed is not None]
    return f"attempt {max(later)} trains in its place" if later and attempt.notice is None else None
