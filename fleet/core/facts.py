"""What the world shows that the journal does not say yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fleet.core.keeping.work import learned
from fleet.core.observed import Lookup, Observed, Place
from fleet.core.pace import Pace, pace_of
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.model import events as ev
from fleet.model.base import Seconds
from fleet.model.cloud import GONE_STATES, Instance, InstanceState, Volume
from fleet.model.documents import Heartbeat

FLEETING: Seconds = 120
"""A disk that is at no machine of its run is the run's once it is older: no launch takes longer, no listing lags more."""
VANISHED: Seconds = 3600
"""A volume that no listing shows for so long is gone. What is written off wrongly is taken up again once it is seen."""
ASKED_LEAST: Seconds = 3600
"""For so long one controller asks what a machine was charged before it gives up."""
KEPT_MOST: Seconds = 90 * 86_400
"""No cloud remembers its prices longer (EC2 tells those of the last 90 days)."""


def facts(state: FleetState, observed: Observed) -> list[ev.Event]:
    """The events that bring the journal up to what was observed, in the order in which they are to be recorded."""
    found: list[ev.Event] = []
    for run in state.busy_runs:
        for attempt in run.attempts.values():
            if attempt.phase != "gone":
                found.extend(_of_attempt(run, attempt, observed))
    for run_id, number in state.unsettled.values():
        run = state.runs[run_id]
        found.extend(_prices(run, run.attempts[number], observed, run.attempts[number].ended_at))
    found.extend(_new_volumes(state, observed))
    found.extend(_grown_volumes(state, observed))
    found.extend(_vanished_volumes(state, observed))
    return found


def place_of(attempt: AttemptState) -> Place:
    """The provider and region that the attempt's instance is, or would be, in."""
    offer = attempt.offer or attempt.offers[0]
    return offer.provider, offer.region


def _of_attempt(run: RunState, attempt: AttemptState, observed: Observed) -> Iterator[ev.Event]:
    instance_id = attempt.instance_id
    if instance_id is None:
        adopted = _adopt(run, attempt, observed)
        if adopted is None:
            yield from _never_launched(run, attempt, observed)
            return
        yield adopted
        instance_id = adopted.instance.instance_id
    beat = observed.heartbeat(run.run_id, attempt.number, instance_id)
    if beat is not None:
        yield from _from_heartbeat(run, attempt, beat, observed.now)
    instance = observed.instance(place_of(attempt), instance_id)
    pace = pace_of(place_of(attempt)[0])
    told = list(_from_cloud(run, attempt, instance, observed.lookups.get(instance_id), beat, observed.now, pace))
    capabilities = observed.capabilities.get(place_of(attempt)[0])
    if capabilities is not None and capabilities.price_history:
        told = [event for event in told if not isinstance(event, ev.PriceChanged)]  # a listing lags, its history does not
    yield from told
    ended = next((event.ended_at for event in told if isinstance(event, ev.AttemptGone)), None)
    yield from _prices(run, attempt, observed, ended)


def _adopt(run: RunState, attempt: AttemptState, observed: Observed) -> ev.LaunchSucceeded | None:
    """A launch whose answer was lost is found by the token in its tags."""
    if attempt.phase not in ("intended", "ending", "refused"):
        return None
    mine = observed.launched(place_of(attempt), attempt.token)
    if mine is None:
        return None
    return ev.LaunchSucceeded(
        at=observed.now, run_id=run.run_id, attempt=attempt.number, try_no=attempt.try_no, instance=_priced(mine, attempt)
    )


def _priced(mine: Instance, attempt: AttemptState) -> Instance:
    """The machine with the prices of its intention, where its cloud lists none, as one does that tells no prices just now.

    What seems to cost nothing would be given a lease without an end, whatever the budget.
    """
    intended = next((offer for offer in attempt.offers if offer.key == mine.offer.key), None)
    if intended is None or (mine.offer.price > 0 and mine.offer.on_demand_price > 0):
        return mine
    return mine.model_copy(update={"offer": intended})


def _never_launched(run: RunState, attempt: AttemptState, observed: Observed) -> Iterator[ev.Event]:
    """A launch whose outcome nobody knows: given up, once it would have shown itself; or over, as its machine tells."""
    listing = observed.listings.get(place_of(attempt))
    capabilities = observed.capabilities.get(place_of(attempt)[0])
    if listing is None or capabilities is None or attempt.phase not in ("intended", "ending"):
        return
    who: dict[str, Any] = {"at": observed.now, "run_id": run.run_id, "attempt": attempt.number}
    pace, beat = pace_of(place_of(attempt)[0]), observed.heartbeats.get((run.run_id, attempt.number))
    if beat is None:
        given_up = attempt.terminate_at if attempt.phase == "ending" else None
        if given_up is not None and observed.now - given_up > capabilities.visible_within + pace.absence:
            yield ev.AttemptGone(**who, ended_at=observed.now, ended_by="unknown", estimate=True)
        return
    if observed.now - beat.at <= pace.silence:
        return  # it lives, and will be seen
    yield ev.LaunchSucceeded(**who, try_no=attempt.try_no, instance=_forgotten(attempt, beat))
    yield from _from_heartbeat(run, attempt, beat, observed.now)
    yield ev.AttemptGone(**who, ended_at=beat.at, ended_by="unknown", estimate=True, **_last_word(beat))


def _last_word(beat: Heartbeat | None) -> dict[str, Any]:
    """How far it had come, as it told; nothing if it never spoke."""
    if beat is None:
        return {}
    far: dict[str, Any] = {"step": beat.step, "rate": beat.rate, "trained": beat.trained}
    return {**far, "saved": beat.saved, "saved_step": beat.checkpoint_step}


def _forgotten(attempt: AttemptState, beat: Heartbeat) -> Instance:
    """A machine that lived and ended while nobody looked, and that the cloud has forgotten: its own words are left.

    It was paid for all the same, so it counts: from when it was asked for, as the dearest of what was asked for.
    """
    dearest = max(attempt.offers, key=lambda offer: offer.price)
    return Instance(
        instance_id=beat.instance_id, offer=dearest, state=InstanceState.TERMINATED, launched_at=attempt.intended_at, tags={}
    )


def _from_heartbeat(run: RunState, attempt: AttemptState, beat: Heartbeat, now: float) -> Iterator[ev.Event]:
    """What the agent says for the first time."""
    who = {"at": now, "run_id": run.run_id, "attempt": attempt.number}
    if attempt.began_at is None:
        yield ev.AttemptBegan(**who, instance_id=beat.instance_id)
    if beat.resumed is not None and attempt.resumed is None:
        yield ev.AttemptResumed(**who, resumed=beat.resumed)
    work = learned(run, beat, pace_of(place_of(attempt)[0]).boot_deadline / 3)
    if work is not None and beat.step is not None and beat.total is not None:
        yield ev.WorkLearned(**who, work=work, step=beat.step, total=beat.total)
    if beat.rebalance is not None and attempt.rebalance is None:
        yield ev.NoticeSeen(**who, notice=beat.rebalance)
    if beat.notice is not None and attempt.notice is None:
        yield ev.NoticeSeen(**who, notice=beat.notice)
    if beat.outcome is not None and attempt.outcome is None:
        yield ev.AttemptFinished(**who, outcome=beat.outcome, step=beat.step)
    if beat.phase in ("released", "fenced") and attempt.released_at is None:
        held = {"checkpoint": beat.checkpoint, "checkpoint_step": beat.checkpoint_step, "saved": beat.saved}
        yield ev.AttemptReleased(**who, step=beat.step, **held)


def _from_cloud(
    run: RunState,
    attempt: AttemptState,
    instance: Instance | None,
    lookup: Lookup | None,
    beat: Heartbeat | None,
    now: float,
    pace: Pace,
) -> Iterator[ev.Event]:
    """The instance's end, and its price."""
    who = {"at": now, "run_id": run.run_id, "attempt": attempt.number}
    last_word = _last_word(beat)
    if instance is not None and instance.state in GONE_STATES:
        last = _last_sign(attempt, beat, now)
        ended_at = instance.ended_at if instance.ended_at is not None else last
        by = instance.ended_by or "unknown"
        unseen = instance.ended_at is None or by == "unknown"
        if by == "unknown" and attempt.terminate_at is not None:
            by = "fleet"
        yield ev.AttemptGone(**who, ended_at=ended_at, ended_by=by, estimate=unseen, **last_word)
    elif instance is None and lookup is not None and _absence_believed(attempt, lookup, now, pace):
        last = _last_sign(attempt, beat, now)
        yield ev.AttemptGone(**who, ended_at=last, ended_by="unknown", estimate=True, **last_word)
    elif instance is not None and attempt.prices and attempt.prices[-1].price != instance.offer.price:
        yield ev.PriceChanged(**who, price=instance.offer.price)


def _last_sign(attempt: AttemptState, beat: Heartbeat | None, now: float) -> float:
    """Until when a machine whose end nobody saw is counted: its last word; if it never spoke, until its lease ended it."""
    if beat is not None:
        return beat.at
    return min(now, attempt.lease_until) if attempt.lease_until is not None else now


def _prices(run: RunState, attempt: AttemptState, observed: Observed, ended: float | None) -> Iterator[ev.Event]:
    """What it was charged, by the provider's own history: when that says something new, and once at its end."""
    history = observed.histories.get((run.run_id, attempt.number))
    known = attempt.prices[-1].price if attempt.prices else None
    if history is None:
        if ended is not None and attempt.phase == "gone" and _never_priced(run, attempt, observed, ended):
            yield ev.PricesFilled(at=observed.now, run_id=run.run_id, attempt=attempt.number, prices=(), until=ended or 0.0)
        return
    reaches = ended is not None and history.until >= ended
    if reaches or any(point.price != known for point in history.prices):
        prices = tuple(point for point in history.prices if ended is None or point.at < ended)
        until = min(history.until, ended) if ended is not None else history.until
        yield ev.PricesFilled(at=observed.now, run_id=run.run_id, attempt=attempt.number, prices=prices, until=until)


def _never_priced(run: RunState, attempt: AttemptState, observed: Observed, ended: float) -> bool:
    """Nobody will tell any more what it was charged: its end was learned long ago, and it was asked about for long enough.

    Whoever comes back after days has all of them to ask for what they missed, and a first call may fail like any other.
    """
    provider = place_of(attempt)[0]
    pace, capabilities = pace_of(provider), observed.capabilities.get(provider)
    if capabilities is None or observed.now - max(ended, attempt.gone_at or ended) <= pace.settle:
        return False
    asked = observed.priced_in_vain_since.get((run.run_id, attempt.number))
    forgotten = not capabilities.price_history or observed.now - ended > KEPT_MOST
    return forgotten or (asked is not None and observed.now - asked >= min(pace.settle, ASKED_LEAST))


def _absence_believed(attempt: AttemptState, lookup: Lookup, now: float, pace: Pace) -> bool:
    """Absence counts only when repeated, past a grace period, and confirmed by id (design.md, section 5)."""
    launched = attempt.launched_at or attempt.intended_at
    return (
        lookup.absences >= 2
        and lookup.absent_since is not None
        and now - lookup.absent_since >= pace.absence
        and now - launched >= pace.absence
    )


def _vanished_volumes(state: FleetState, observed: Observed) -> Iterator[ev.Event]:
    """Volumes that somebody deleted elsewhere, in a console: they are paid for no more since they were first missed."""
    if not observed.missing:
        return
    for run in state.runs.values():
        for volume in run.volumes.values():
            lookup = observed.missing.get(volume.volume_id)
            if lookup is None or lookup.absent_since is None or not volume.held or volume.delete_at is not None:
                continue
            since = lookup.absent_since
            if lookup.absences >= 3 and observed.now - max(since, volume.created_at) >= VANISHED:
                yield ev.VolumeDeleted(at=max(since, volume.since), run_id=run.run_id, volume_id=volume.volume_id)


def _new_volumes(state: FleetState, observed: Observed) -> Iterator[ev.Event]:
    """Volumes with a run's tag that the journal does not know: made in a launching call; or written off, and there again."""
    told: set[str] = set()  # a listing may show something twice
    for (provider, _), listing in observed.listings.items():
        for volume in sorted(listing.volumes, key=lambda one: one.created_at):  # the newest is the run's
            run = _misses(state, volume)
            if run is not None and volume.volume_id not in told and _stays(run, volume, observed.now):
                told.add(volume.volume_id)
                yield ev.VolumeMade(at=observed.now, run_id=run.run_id, provider=provider, volume=volume)


def _stays(run: RunState, volume: Volume, now: Seconds) -> bool:
    """Whether it is more than what a launch that came to nothing had begun: such a disk is gone with the launch (Compute
    Engine makes it before it knows whether there is room), and a listing that lags shows it even after the run has another.
    """
    mine = {attempt.instance_id for attempt in run.attempts.values() if attempt.instance_id is not None}
    return volume.attached_to in mine or volume.volume_id in run.volumes or now - volume.created_at >= FLEETING


def _misses(state: FleetState, volume: Volume) -> RunState | None:
    """The run that had it made and does not know it yet; or the one that wrote it off, its maker or who took it over."""
    maker = state.runs.get(volume.tags.get("run", ""))
    record = maker.volumes.get(volume.volume_id) if maker is not None else None
    if record is None or record.passed_at is None:
        return maker if record is None or record.written_off else None
    takers = (
        run for run in state.runs.values() if (had := run.volumes.get(volume.volume_id)) is not None and had.written_off
    )
    return next(takers, None)


def _grown_volumes(state: FleetState, observed: Observed) -> Iterator[ev.Event]:
    """Volumes that are larger than the journal has them, for the run that answers for each."""
    told: set[str] = set()
    for listing in observed.listings.values():
        for volume in listing.volumes:
            run = _answers(state, volume)
            if run is None or volume.volume_id in told or volume.size_gb <= run.volumes[volume.volume_id].size_gb:
                continue
            told.add(volume.volume_id)
            yield ev.VolumeGrown(at=observed.now, run_id=run.run_id, volume_id=volume.volume_id, size_gb=volume.size_gb)


def _answers(state: FleetState, volume: Volume) -> RunState | None:
    """The run that had it made, or the one that it went to."""
    maker = state.runs.get(volume.tags.get("run", ""))
    record = maker.volumes.get(volume.volume_id) if maker is not None else None
    if maker is None or record is None or record.held:
        return maker if record is not None else None
    holders = (run for run in state.runs.values() if (held := run.volumes.get(volume.volume_id)) is not None and held.held)
    return next(holders, None)
