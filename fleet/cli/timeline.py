"""One line for each thing that happens, as people read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleet.cli.plain import plain
from fleet.model import events as ev
from fleet.model.documents import Resumed
from fleet.model.units import format_duration, format_money


def describe(event: ev.Event) -> str:
    """What an event says, in words, without time and attempt."""
    words = _WORDS.get(type(event))
    return plain(words(event)) if words else event.type


def attempt_of(event: ev.Event) -> int | None:
    """The attempt that an event is about, if any."""
    return getattr(event, "attempt", None)


def _launched(event: ev.LaunchSucceeded) -> str:
    offer = event.instance.offer
    return (
        f"launched    {offer.instance_type} {offer.market.value} in {offer.zone} at {format_money(offer.price)}/h "
        f"({event.instance.instance_id})"
    )


def _notice(event: ev.NoticeSeen) -> str:
    if event.notice.kind == "rebalance":
        return "rebalance   the cloud says that it may take the machine soon: checkpoint early"
    left = f", {format_duration(event.notice.until - event.notice.seen_at)} left" if event.notice.until else ""
    return f"notice      the cloud takes the machine back{left}"


def _resumed(event: ev.AttemptResumed) -> str:
    return f"resumed     {resumed_words(event.resumed)}"


def resumed_words(resumed: Resumed) -> str:
    """From what, from where, and what was lost."""
    if resumed.source == "nothing":
        return "from the beginning: there is no checkpoint yet"
    text = f"at step {resumed.step} from the {resumed.source}"
    if resumed.lost_steps or resumed.lost_seconds:
        text += f"; lost {resumed.lost_steps} steps, {format_duration(resumed.lost_seconds)} of work"
    else:
        text += "; nothing lost"
    if resumed.skipped:
        text += f"; skipped {', '.join(f'{s.ref} ({s.reason})' for s in resumed.skipped)}"
    return text


def _released(event: ev.AttemptReleased) -> str:
    saved = f"checkpoint {event.checkpoint} at step {event.checkpoint_step}" if event.checkpoint else "no checkpoint"
    return f"released    {saved}; the volume is free"


def _gone(event: ev.AttemptGone) -> str:
    who = {"cloud": "taken by the cloud", "fleet": "ended by fleet", "itself": "shut itself down", "unknown": "lost"}
    last = f" at step {event.step}" if event.step is not None else ""
    return f"gone        {who[event.ended_by]}{last}"


def _examined(event: ev.BootExamined) -> str:
    last = (event.tail.strip().splitlines() or ["it printed nothing"])[-1]
    return f"boot failed {last}"


def _finished(event: ev.AttemptFinished) -> str:
    outcome = event.outcome
    code = f" (exit code {outcome.exit_code})" if outcome.exit_code is not None else ""
    return f"finished    {outcome.kind}{code}"


def _budget_set(event: ev.BudgetSet) -> str:
    caps = [f"{format_money(cap)} a {name}" for cap, name in ((event.day, "day"), (event.month, "month")) if cap is not None]
    return (
        f"budget      of the whole fleet: {' and '.join(caps)} ({event.time_zone})" if caps else "budget      none any more"
    )


def _budget_warned(event: ev.BudgetWarned) -> str:
    told = "used up" if event.share == 100 else f"{event.share} % used"
    what = {"run": "of the run", "day": "for a day", "month": "for a month"}[event.scope.removeprefix("fleet-")]
    whose = "the fleet's budget" if event.run_id is None else "the budget"
    spent = f"{format_money(event.spent)} of {format_money(event.cap)} spent, {format_money(event.forecast)} expected"
    return f"budget      {whose} {what} is {told}: {spent}"


_WORDS: dict[type, Callable[[Any], str]] = {
    ev.RunCreated: lambda e: f"created     run {e.run_id}",
    ev.RunResumed: lambda e: (
        f"resume      the user said so{f', budget {format_money(e.budget)}' if e.budget is not None else ''}"
    ),
    ev.NoteAdded: lambda e: f"note        {e.text}",
    ev.StopRequested: lambda e: f"{e.how:<11} the user said so",
    ev.LaunchIntended: lambda e: f"launching   {e.why}",
    ev.LaunchSucceeded: _launched,
    ev.LaunchFailed: lambda e: f"refused     {e.error_class.value}: {e.message}",
    ev.CallFailed: lambda e: f"failed      {e.call}: {e.message}; it is tried again",
    ev.AttemptBegan: lambda e: f"began       the agent on {e.instance_id} speaks",
    ev.NoticeSeen: _notice,
    ev.AttemptResumed: _resumed,
    ev.WorkLearned: lambda e: f"work        {format_duration(e.work)} in all, as its steps show ({e.step} of {e.total})",
    ev.AttemptRelieved: lambda e: f"relieved    by attempt {e.by}: {e.reason}",
    ev.AttemptReleased: _released,
    ev.AttemptFinished: _finished,
    ev.TerminateIntended: lambda e: f"terminate   {e.reason}",
    ev.BootExamined: _examined,
    ev.AttemptGone: _gone,
    ev.PriceChanged: lambda e: f"price       now {format_money(e.price)}/h",
    ev.PricesFilled: lambda e: f"price       {format_money(e.prices[-1].price)}/h" if e.prices else "price       not known",
    ev.LeaseExtended: lambda e: f"lease       it may live {format_duration(max(0.0, e.lease_until - e.at))} from here on",
    ev.VolumeMade: lambda e: f"volume      {e.volume.volume_id} ({e.volume.size_gb} GB) in {e.volume.zone}",
    ev.VolumePassed: lambda e: f"volume      {e.volume_id} comes from run {e.from_run}",
    ev.AttachIntended: lambda e: f"attaching   {e.volume_id}",
    ev.DetachIntended: lambda e: f"detaching   {e.volume_id}",
    ev.VolumeGrowIntended: lambda e: f"enlarging   {e.volume_id} to {e.size_gb} GB",
    ev.VolumeGrowFailed: lambda e: f"failed      enlarge {e.volume_id}: {e.message}; it serves as it is",
    ev.VolumeGrown: lambda e: f"volume      {e.volume_id} has {e.size_gb} GB now",
    ev.VolumeDeleteIntended: lambda e: f"deleting    {e.volume_id}: {e.reason}",
    ev.VolumeDeleted: lambda e: f"deleted     {e.volume_id}",
    ev.BudgetSet: _budget_set,
    ev.BudgetWarned: _budget_warned,
    ev.StorageMeasured: lambda e: f"bucket      {e.bytes / 1e9:.1f} GB in {e.objects} objects",
    ev.OrphanIntended: lambda e: f"collecting  {e.instance_id}: {e.reason}",
    ev.RunEnded: lambda e: f"ended       {e.outcome}: {e.reason}",
}
