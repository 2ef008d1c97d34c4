"""What each event means: the journal folded into the present state.

Every handler takes a run and an event and gives the run after it. Repetition is harmless: two controllers may record
the same fact, and a record may come after the state has moved on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fleet.core.cooling import STOPS, cooled, given_up, has_choice, rested
from fleet.core.pace import UNKNOWN_RETRY, pace_of
from fleet.core.phases import moved
from fleet.core.sightings import SIGHTINGS, observe
from fleet.core.state import AttemptState, BudgetWarning, FleetBudget, FleetState, Pause, RunState, VolumeRecord
from fleet.core.storage import measured
from fleet.model import events as ev
from fleet.model.cloud import PriceSince
from fleet.model.errors import ErrorClass

MOST_DOUBLINGS = 4
"""A cloud that is overloaded or away is asked more and more seldom, but every few minutes at least."""
WARNINGS_KEPT = 70 * 86_400.0
"""Of budgets for days and months: last month's are still told."""
Folded = tuple[int, float, Sequence[ev.Event]]
"""A journal entry: its number, its time by the bucket's clock, its events."""


def fold(state: FleetState, number: int, at: float, events: Iterable[ev.Event]) -> FleetState:
    """The state after one journal entry. ``number`` is the entry's, ``at`` its time by the bucket's clock."""
    return fold_all(state, [(number, at, tuple(events))])


def fold_all(state: FleetState, entries: Iterable[Folded]) -> FleetState:
    """The state after some journal entries: as if folded one by one, but what a fleet holds is copied only once."""
    head, latest = state.head, state.at
    runs, names = dict(state.runs), dict(state.names)
    cooling, resting, orphans = dict(state.cooling), dict(state.resting), dict(state.orphans)
    unsettled, pools, storage = dict(state.unsettled), dict(state.pools), state.storage
    budget, warned = state.budget, state.warned
    for number, at, events in entries:
        head, latest = number, max(at, latest)
        for event in events:
            if isinstance(event, ev.OrphanIntended):
                orphans.setdefault(event.instance_id, event.at)
                continue
            if isinstance(event, ev.BudgetSet):
                budget = _budget(event)
                continue
            if isinstance(event, ev.BudgetWarned):
                warned = _warned(warned, event)
                continue
            if isinstance(event, ev.StorageMeasured):
                storage = measured(storage, event)
                continue
            if isinstance(event, ev.RunCreated):
                runs.setdefault(event.run_id, _created(event))
                names[event.name] = event.run_id
                continue
            if isinstance(event, ev.VolumePassed):
                runs.update(_passed(runs.get(event.from_run), runs.get(event.run_id), event))
                continue
            run = runs.get(event.run_id)
            if run is None:
                continue  # a run that this journal never created: nothing to change
            _no_sooner(cooling, cooled(run, event))
            _no_sooner(resting, rested(run, event))
            after = runs[event.run_id] = _applied(run, event)
            if isinstance(event, SIGHTINGS):
                observe(pools, run.run_id, run.attempts.get(event.attempt), after.attempts.get(event.attempt), event)
            if isinstance(event, (ev.AttemptGone, ev.PricesFilled)):
                _settle(unsettled, runs[event.run_id], event.attempt)
    changed = {
        "runs": runs,
        "unsettled": unsettled,
        "names": names,
        "cooling": cooling,
        "resting": resting,
        "orphans": orphans,
        "pools": pools,
        "budget": budget,
        "warned": warned,
        "storage": storage,
    }
    return state.model_copy(update={"head": head, "at": latest, **changed})


def _no_sooner(until: dict[str, float], more: dict[str, float]) -> None:
    """A refusal that is recorded late is no reason to try again sooner than another one said."""
    for key, at in more.items():
        until[key] = max(at, until.get(key, at))


def _settle(unsettled: dict[str, tuple[str, int]], run: RunState, number: int) -> None:
    """Remember which of the gone still have prices to come."""
    attempt = run.attempts.get(number)
    key = f"{run.run_id}/{number}"
    if attempt is None or attempt.phase != "gone" or attempt.settled:
        unsettled.pop(key, None)
    elif pace_of(attempt.offer.provider if attempt.offer else "").settle > 0:
        unsettled[key] = (run.run_id, number)


def _budget(event: ev.BudgetSet) -> FleetBudget | None:
    if event.day is None and event.month is None:
        return None
    return FleetBudget(day=event.day, month=event.month, time_zone=event.time_zone, set_at=event.at)


def warning_key(scope: str, run_id: str | None, period_start: float, cap: int, share: int) -> str:
    """One for each warning that there can be: a cap that is raised is another one."""
    return f"{scope}/{run_id or ''}/{period_start:.0f}/{cap}/{share}"


def _warned(before: dict[str, BudgetWarning], event: ev.BudgetWarned) -> dict[str, BudgetWarning]:
    key = warning_key(event.scope, event.run_id, event.period_start, event.cap, event.share)
    if key in before:
        return before
    kept = {k: w for k, w in before.items() if w.scope == "run" or w.period_start >= event.period_start - WARNINGS_KEPT}
    return {**kept, key: BudgetWarning.model_validate(event.model_dump(exclude={"type", "v"}))}


def _created(event: ev.RunCreated) -> RunState:
    return RunState(
        run_id=event.run_id,
        name=event.name,
        job=event.job,
        workdir_key=event.workdir_key,
        mounts=event.mounts,
        created_at=event.at,
    )


def _applied(run: RunState, event: Any) -> RunState:
    on_run = _ON_RUN.get(type(event))
    if on_run is not None:
        return on_run(run, event)
    attempt = run.attempts.get(event.attempt)
    if attempt is None and not isinstance(event, ev.LaunchIntended):
        return run
    after = _ON_ATTEMPT[type(event)](attempt, event)
    if after is None:
        return run
    run = run.model_copy(update={"attempts": {**run.attempts, event.attempt: after}})
    return _consequences(run, attempt, event)


def _phase(attempt: AttemptState, event: Any, **update: Any) -> AttemptState:
    """The attempt after the event: its phase by the table, the named fields as given."""
    return attempt.model_copy(update={"phase": moved(attempt.phase, event.type), **update})


def _launch_intended(attempt: AttemptState | None, event: ev.LaunchIntended) -> AttemptState | None:
    if attempt is not None and (attempt.phase != "refused" or event.try_no <= attempt.try_no):
        return None
    return AttemptState(
        number=event.attempt,
        phase="intended",
        try_no=event.try_no,
        token=event.token,
        offers=event.offers,
        volume=event.volume,
        predecessor=event.predecessor,
        besides=event.besides,
        why=event.why,
        intended_at=event.at,
        lease_until=event.lease_until,
        share=event.share,
    )


def _launch_succeeded(attempt: AttemptState, event: ev.LaunchSucceeded) -> AttemptState | None:
    if event.try_no != attempt.try_no or attempt.instance_id is not None:
        return None  # a try that was given up, or known already; its machine is found as nobody's and collected
    instance = event.instance
    return _phase(
        attempt,
        event,
        instance_id=instance.instance_id,
        offer=instance.offer,
        launched_at=instance.launched_at,
        prices=(PriceSince(at=instance.launched_at, price=instance.offer.price),),
        error=None,
    )


def _launch_failed(attempt: AttemptState, event: ev.LaunchFailed) -> AttemptState | None:
    if event.try_no != attempt.try_no or attempt.phase != "intended":
        return None
    return _phase(attempt, event, error=f"{event.code}: {event.message}")


def _notice_seen(attempt: AttemptState, event: ev.NoticeSeen) -> AttemptState:
    if event.notice.kind == "rebalance":
        return attempt.model_copy(update={"rebalance": attempt.rebalance or event.notice})
    return _phase(attempt, event, notice=attempt.notice or event.notice)


def _gone(attempt: AttemptState, event: ev.AttemptGone) -> AttemptState | None:
    if attempt.phase == "gone":
        return None
    return _phase(
        attempt,
        event,
        ended_at=event.ended_at,
        ended_by=event.ended_by,
        end_estimated=event.estimate,
        gone_at=event.at,
        step=event.step if event.step is not None else attempt.step,
        rate=event.rate,
        saved=event.saved if event.saved is not None else attempt.saved,
        saved_step=event.saved_step if event.saved_step is not None else attempt.saved_step,
        trained=event.trained,
    )


def _examined(attempt: AttemptState, event: ev.BootExamined) -> AttemptState:
    last = event.tail.strip().splitlines()[-1:] or ["it printed nothing"]
    return attempt.model_copy(update={"examined": True, "error": attempt.error or f"the boot failed: {last[0][:300]}"})


def _price_changed(attempt: AttemptState, event: ev.PriceChanged) -> AttemptState | None:
    if attempt.prices and attempt.prices[-1].price == event.price and event.at >= attempt.prices[-1].at:
        return None  # in force already; but a clock that stepped back says that it has been for longer
    return attempt.model_copy(update={"prices": (*attempt.prices, PriceSince(at=event.at, price=event.price))})


def _prices_filled(attempt: AttemptState, event: ev.PricesFilled) -> AttemptState | None:
    if attempt.priced_until is not None and event.until <= attempt.priced_until:
        return None
    first = event.prices[0].at if event.prices else event.until
    prices = [known for known in attempt.prices if known.at < first or not event.prices]
    for point in event.prices:
        if not prices or prices[-1].price != point.price:
            prices.append(point)
    told = {"prices": tuple(prices), "priced_until": event.until, "unpriced": attempt.unpriced or not event.prices}
    return attempt.model_copy(update=told)


def _released(attempt: AttemptState, event: ev.AttemptReleased) -> AttemptState:
    told = {"step": event.step or attempt.step, "saved": event.saved if event.saved is not None else attempt.saved}
    told["saved_step"] = event.checkpoint_step if event.checkpoint_step is not None else attempt.saved_step
    return _phase(attempt, event, released_at=attempt.released_at or event.at, **told)


def _finished(attempt: AttemptState, event: ev.AttemptFinished) -> AttemptState:
    known = {"outcome": attempt.outcome or event.outcome, "finished_at": attempt.finished_at or event.at}
    return _phase(attempt, event, step=event.step or attempt.step, **known)


def _terminate_intended(attempt: AttemptState, event: ev.TerminateIntended) -> AttemptState:
    return _phase(
        attempt,
        event,
        terminate_at=attempt.terminate_at or event.at,
        terminate_reason=attempt.terminate_reason or event.reason,
    )


_ON_ATTEMPT: dict[type, Callable[[Any, Any], AttemptState | None]] = {
    ev.LaunchIntended: _launch_intended,
    ev.LaunchSucceeded: _launch_succeeded,
    ev.LaunchFailed: _launch_failed,
    ev.CallFailed: lambda a, e: a.model_copy(update={"error": f"{e.call}: {e.code}: {e.message}"}),
    ev.AttemptBegan: lambda a, e: _phase(a, e, began_at=a.began_at or e.at),
    ev.NoticeSeen: _notice_seen,
    ev.AttemptResumed: lambda a, e: a.model_copy(update={"resumed": a.resumed or e.resumed}),
    ev.WorkLearned: lambda a, _e: a,
    ev.AttemptRelieved: lambda a, e: _phase(a, e, relieved_at=a.relieved_at or e.at),
    ev.AttemptReleased: _released,
    ev.AttemptFinished: _finished,
    ev.TerminateIntended: _terminate_intended,
    ev.BootExamined: _examined,
    ev.AttemptGone: _gone,
    ev.PriceChanged: _price_changed,
    ev.PricesFilled: _prices_filled,
    ev.LeaseExtended: lambda a, e: a.model_copy(update={"lease_until": e.lease_until, "share": e.share}),
    ev.AttachIntended: lambda a, e: a.model_copy(update={"attach_at": a.attach_at or e.at}),
    ev.DetachIntended: lambda a, e: a.model_copy(update={"detach_at": a.detach_at or e.at}),
}


def _consequences(run: RunState, before: AttemptState | None, event: Any) -> RunState:
    """What an attempt's event means for its run: pauses and counts of failures."""
    if isinstance(event, (ev.LaunchFailed, ev.CallFailed)):
        return _paused(run, event)
    if isinstance(event, ev.LaunchSucceeded):
        return run.model_copy(update={"pause": None, "unknown_errors": 0, "hindered": 0})
    if isinstance(event, ev.AttemptBegan):
        return run.model_copy(update={"boot_failures": 0})
    if isinstance(event, ev.WorkLearned):
        return run.model_copy(update={"work": event.work})
    if isinstance(event, ev.TerminateIntended) and given_up(run, before):
        return run.model_copy(update={"pause": None, "unknown_errors": 0, "hindered": 0})
    if isinstance(event, ev.AttemptGone) and before is not None and before.phase != "gone":
        run = _crashed(run, before, event)
    if before is not None and _boot_failed(run, before, event):
        failures = run.boot_failures + 1
        wait = pace_of(before.offer.provider if before.offer else "").boot_pause * 2 ** (failures - 1)
        pause = Pause(reason=f"{failures} instance(s) in a row ended without the agent's word", until=event.at + wait)
        return run.model_copy(update={"boot_failures": failures, "pause": pause})
    return run


def _crashed(run: RunState, before: AttemptState, event: ev.AttemptGone) -> RunState:
    """A machine that ends by itself, again and again at the same place, must not be replaced for ever."""
    pace = pace_of(before.offer.provider if before.offer else "")
    further = event.step is not None and event.step > run.best_step
    long = event.step is None and event.ended_at - (before.launched_at or event.ended_at) > pace.boot_deadline
    told = any(one is not None for one in (before.outcome, before.notice, before.terminate_at, before.relieved_at))
    run = run.model_copy(update={"best_step": max(run.best_step, event.step if event.step is not None else -1)})
    if further or long or told or before.began_at is None or event.ended_by not in ("itself", "unknown"):
        return run.model_copy(update={"crashes": 0}) if further or long else run
    crashes = run.crashes + 1
    if crashes == 1:
        return run.model_copy(update={"crashes": 1})  # once is bad luck, and costs no time
    reason = f"{crashes} machines in a row ended by themselves without getting further"
    pause = Pause(reason=reason, until=event.at + pace.boot_pause * 2 ** (crashes - 2))
    return run.model_copy(update={"crashes": crashes, "pause": pause})


def _boot_failed(run: RunState, before: AttemptState, event: Any) -> bool:
    """It never spoke, and neither the cloud nor the user is the reason. Counted as soon as it is given up."""
    if before.began_at is not None or before.notice is not None or before.phase in ("ending", "gone"):
        return False
    if isinstance(event, ev.TerminateIntended):
        replaced = any(a.number > before.number and a.resumed is not None for a in run.attempts.values())
        return run.want == "train" and run.ended_at is None and not replaced
    return isinstance(event, ev.AttemptGone) and event.ended_by != "cloud"


def _paused(run: RunState, event: ev.LaunchFailed | ev.CallFailed) -> RunState:
    """Launching waits after errors that another offer would not mend."""
    what = f"{event.code}: {event.message}"
    if isinstance(event, ev.CallFailed) and event.call != "launch":
        return run  # said in the attempt; the call is repeated
    attempt = run.attempts[event.attempt]
    pace = pace_of(attempt.offers[0].provider if attempt.offers else "")
    if event.error_class in STOPS and has_choice(run) and isinstance(event, ev.LaunchFailed):
        return run.model_copy(update={"hindered": 0})  # the provider is left alone for a while; another may serve
    if event.error_class in STOPS:
        return run.model_copy(update={"pause": Pause(reason=what, until=None)})
    if event.error_class is ErrorClass.UNKNOWN:
        count = run.unknown_errors
        until = event.at + UNKNOWN_RETRY[count] if count < len(UNKNOWN_RETRY) else None
        return run.model_copy(update={"unknown_errors": count + 1, "pause": Pause(reason=what, until=until)})
    if event.error_class in (ErrorClass.TRANSIENT, ErrorClass.THROTTLED):
        wait = pace.pause_transient * 2 ** min(run.hindered, MOST_DOUBLINGS) * (1 + _share(run.run_id, run.hindered) / 2)
        return run.model_copy(update={"hindered": run.hindered + 1, "pause": Pause(reason=what, until=event.at + wait)})
    if event.error_class in (ErrorClass.NOT_YET, ErrorClass.CREDENTIALS):
        return run.model_copy(update={"pause": Pause(reason=what, until=event.at + pace.pause_transient)})
    return run.model_copy(update={"hindered": 0})  # the offers cool down; another may be tried at once


def _share(run_id: str, count: int) -> float:
    """From 0 to 1: the runs of a fleet that were refused together do not come back together, whoever folds this."""
    return hashlib.sha256(f"{run_id}/{count}".encode()).digest()[0] / 255


def _stop_requested(run: RunState, event: ev.StopRequested) -> RunState:
    stronger = event.how == "down" or run.want == "train"
    return run.model_copy(update={"want": event.how, "want_at": event.at}) if stronger else run


def _run_resumed(run: RunState, event: ev.RunResumed) -> RunState:
    if run.ended_at is None and not run.waits_for_user:
        return run
    budget = run.job.budget if event.budget is None else run.job.budget.model_copy(update={"run": event.budget})
    if run.ended_at is None:
        again = {"pause": None, "boot_failures": 0, "crashes": 0, "unknown_errors": 0, "hindered": 0}
        return run.model_copy(update={"job": run.job.model_copy(update={"budget": budget}), **again})
    return run.model_copy(
        update={
            "job": run.job.model_copy(update={"budget": budget}),
            "want": "train",
            "want_at": event.at,
            "pause": None,
            "boot_failures": 0,
            "crashes": 0,
            "unknown_errors": 0,
            "hindered": 0,
            "resumed_after": max(run.attempts, default=0),
            "breaks": (*run.breaks, (run.ended_at, event.at)),
            "ended_at": None,
            "outcome": None,
            "reason": "",
        }
    )


def _volume_made(run: RunState, event: ev.VolumeMade) -> RunState:
    volume = event.volume
    known = run.volumes.get(volume.volume_id)
    if known is not None and known.written_off:  # it was there all the time, and paid for
        again = {**run.volumes, volume.volume_id: known.model_copy(update={"deleted_at": None})}
        return run.model_copy(update={"volumes": again, "volume_id": run.volume_id or volume.volume_id})
    if known is not None:
        return run
    volumes = {
        key: old.model_copy(update={"superseded_at": old.superseded_at or event.at}) for key, old in run.volumes.items()
    }
    volumes[volume.volume_id] = VolumeRecord(
        volume_id=volume.volume_id,
        provider=event.provider,
        region=volume.region,
        zone=volume.zone,
        size_gb=volume.size_gb,
        price=volume.price,
        created_at=volume.created_at,
        name=volume.tags.get("volume"),
    )
    return run.model_copy(update={"volumes": volumes, "volume_id": volume.volume_id})


def _passed(giver: RunState | None, taker: RunState | None, event: ev.VolumePassed) -> dict[str, RunState]:
    """Both runs after the volume went over; nothing if the giver has it no more, or needs it again."""
    volume = giver.volumes.get(event.volume_id) if giver is not None else None
    if giver is None or taker is None or volume is None or not volume.held or not giver.over or giver is taker:
        return {}
    gone = volume.model_copy(update={"passed_at": event.at})
    old = taker.volumes.get(event.volume_id)
    earlier = (*old.earlier, (old.since, old.passed_at)) if old is not None and old.passed_at is not None else ()
    asked = {"grow_first_at": None, "grow_at": None, "grow_error": None}
    came = volume.model_copy(update={"held_since": event.at, "superseded_at": None, "earlier": earlier, **asked})
    kept = None if giver.volume_id == event.volume_id else giver.volume_id
    return {
        giver.run_id: giver.model_copy(update={"volumes": {**giver.volumes, event.volume_id: gone}, "volume_id": kept}),
        taker.run_id: taker.model_copy(
            update={"volumes": {**taker.volumes, event.volume_id: came}, "volume_id": event.volume_id}
        ),
    }


def _on_volume(change: Callable[[VolumeRecord, Any], dict[str, Any]]) -> Callable[[RunState, Any], RunState]:
    def changed(run: RunState, event: Any) -> RunState:
        volume = run.volumes.get(event.volume_id)
        if volume is None:
            return run
        update = {event.volume_id: volume.model_copy(update=change(volume, event))}
        return run.model_copy(update={"volumes": {**run.volumes, **update}})

    return changed


def _grown(volume: VolumeRecord, event: ev.VolumeGrown) -> dict[str, Any]:
    if event.size_gb <= volume.size_gb:
        return {}
    asked = {"grow_first_at": None, "grow_at": None, "grow_error": None}
    # When within that time it happened nobody saw: a ledger must not tell too little.
    since = volume.grow_first_at if volume.grow_first_at is not None else event.at
    return {"size_gb": event.size_gb, "grown": (*volume.grown, (since, volume.size_gb)), **asked}


def _volume_delete(field: str) -> Callable[[RunState, Any], RunState]:
    def change(run: RunState, event: Any) -> RunState:
        volume = run.volumes.get(event.volume_id)
        if volume is None or getattr(volume, field) is not None:
            return run
        volumes = {**run.volumes, event.volume_id: volume.model_copy(update={field: event.at})}
        gone = field == "deleted_at" and run.volume_id == event.volume_id
        return run.model_copy(update={"volumes": volumes, "volume_id": None if gone else run.volume_id})

    return change


def _run_ended(run: RunState, event: ev.RunEnded) -> RunState:
    if run.ended_at is not None:
        return run
    return run.model_copy(update={"ended_at": event.at, "outcome": event.outcome, "reason": event.reason})


_ON_RUN: dict[type, Callable[[RunState, Any], RunState]] = {
    ev.StopRequested: _stop_requested,
    ev.RunResumed: _run_resumed,
    ev.NoteAdded: lambda r, e: r if e.text in r.notes else r.model_copy(update={"notes": (*r.notes, e.text)}),
    ev.VolumeMade: _volume_made,
    ev.VolumeGrowIntended: _on_volume(
        lambda v, e: {"grow_at": e.at, "grow_first_at": e.at if v.grow_first_at is None else v.grow_first_at}
    ),
    ev.VolumeGrowFailed: _on_volume(lambda _v, e: {"grow_error": f"{e.code}: {e.message}"}),
    ev.VolumeGrown: _on_volume(_grown),
    ev.VolumeDeleteIntended: _volume_delete("delete_at"),
    ev.VolumeDeleted: _volume_delete("deleted_at"),
    ev.RunEnded: _run_ended,
}
