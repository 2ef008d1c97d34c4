"""The volume that follows the run: from the machine that let go of it to the one that waits; deleted by its time."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.core.actions import Action, Attach, DeleteVolume, Detach, GrowVolume
from fleet.core.facts import place_of
from fleet.core.observed import Observed, Place
from fleet.core.plan.horizon import not_after
from fleet.core.predecessors import may_write
from fleet.core.state import AttemptState, RunState, VolumeRecord
from fleet.model.base import Seconds
from fleet.model.cloud import ExistingVolume, InstanceState, NewVolume, VolumeState
from fleet.model.events import AttachIntended, DetachIntended, VolumeDeleteIntended, VolumeGrowIntended

KEEP: Seconds = 7 * 86_400
"""How long a volume outlives its use, unless the job says otherwise (design.md, section 8)."""


GROW_LEAST: Seconds = 60
"""What was asked for is seen in the listing within this, or is asked for again."""
GROW_MOST: Seconds = 6 * 3600
"""EC2 changes a volume once in six hours; twice as long is waited after each try, and no longer than this."""


def grow(run: RunState, observed: Observed) -> Iterator[Action]:
    """Enlarge the volume that came from a run which asked for less. Its file system grows when it is mounted next."""
    record = run.volumes.get(run.volume_id) if run.volume_id else None
    if run.want != "train" or record is None or not record.held or record.delete_at is not None:
        return
    if not run.serving:
        return  # a launch reckons with the larger disk: where budgets do not pay for one, nobody enlarges it
    capabilities = observed.capabilities.get(record.provider)
    seen = observed.volume((record.provider, record.region), record.volume_id)
    if capabilities is None or not capabilities.growing or seen is None:
        return
    if max(seen.size_gb, record.size_gb) >= run.job.volume.size:  # a listing may be older than the journal
        return
    if record.grow_at is not None:
        tried_for = record.grow_at - (record.grow_first_at if record.grow_first_at is not None else record.grow_at)
        if observed.now - record.grow_at < min(max(tried_for, GROW_LEAST), GROW_MOST):
            return
    size = run.job.volume.size
    yield GrowVolume(
        not_after=not_after(observed),
        intention=VolumeGrowIntended(at=observed.now, run_id=run.run_id, volume_id=record.volume_id, size_gb=size),
        run_id=run.run_id,
        provider=record.provider,
        region=record.region,
        volume_id=record.volume_id,
        size_gb=size,
    )


def hand_over(run: RunState, observed: Observed) -> Iterator[Action]:
    """Attach the volume to the machine that waits for it, once the one before it released it or is gone. Never by force."""
    # One that trains has it, or went on without it and would not look at it any more. Of two the older one is given it.
    waiting = next((a for a in run.serving if a.resumed is None), None)
    if waiting is None or not isinstance(waiting.volume, ExistingVolume) or waiting.instance_id is None:
        return
    place = place_of(waiting)
    volume = observed.volume(place, waiting.volume.volume_id)
    instance = observed.instance(place, waiting.instance_id)
    if volume is None or instance is None or instance.state is not InstanceState.RUNNING:
        return
    if volume.state is VolumeState.AVAILABLE:
        before = [run.attempts[number] for number in may_write(run, waiting.number)]
        if not all(_taken_with(run, attempt, volume.volume_id, observed) for attempt in before):
            return  # one that trains without it: whoever is given the volume takes that for the proof that nobody does
        yield _attach(run, waiting, volume.volume_id, observed)
    elif volume.attached_to not in (None, waiting.instance_id) and volume.state is VolumeState.IN_USE:
        holder = next((a for a in run.attempts.values() if a.instance_id == volume.attached_to), None)
        if holder is not None and (holder.released_at is not None or _stopped(holder, place, observed)):
            yield _detach(run, holder, volume.volume_id, observed)


def _stopped(holder: AttemptState, place: Place, observed: Observed) -> bool:
    """Nothing runs on it any more, and yet it keeps its disks: so does Compute Engine's that powered itself off."""
    seen = observed.instance(place, holder.instance_id or "")
    return holder.phase == "gone" and seen is not None and seen.state is InstanceState.STOPPED


def _taken_with(run: RunState, attempt: AttemptState, volume_id: str, observed: Observed) -> bool:
    """Its machine was about to be taken and trained on this volume: the volume is free, so the machine is no more.

    One that never was given it trains on its own disk, and saves there until the last second.
    """
    if attempt.notice is None:
        return False
    beat = observed.heartbeat(run.run_id, attempt.number, attempt.instance_id)
    return isinstance(attempt.volume, NewVolume) or (beat is not None and beat.volume_id == volume_id)


def _attach(run: RunState, attempt: AttemptState, volume_id: str, observed: Observed) -> Attach:
    provider, region = place_of(attempt)
    intention = AttachIntended(at=observed.now, run_id=run.run_id, attempt=attempt.number, volume_id=volume_id)
    return Attach(
        not_after=not_after(observed),
        intention=intention if attempt.attach_at is None else None,
        run_id=run.run_id,
        attempt=attempt.number,
        provider=provider,
        region=region,
        volume_id=volume_id,
        instance_id=attempt.instance_id or "",
    )


def _detach(run: RunState, holder: AttemptState, volume_id: str, observed: Observed) -> Detach:
    provider, region = place_of(holder)
    intention = DetachIntended(at=observed.now, run_id=run.run_id, attempt=holder.number, volume_id=volume_id)
    return Detach(
        not_after=not_after(observed),
        intention=intention if holder.detach_at is None else None,
        run_id=run.run_id,
        attempt=holder.number,
        provider=provider,
        region=region,
        volume_id=volume_id,
        instance_id=holder.instance_id or "",
    )


def delete_volumes(run: RunState, observed: Observed) -> Iterator[Action]:
    """Delete what was left behind, or kept after the run's end, once its keep time is over."""
    for volume in run.volumes.values():
        if not volume.held:
            continue
        since = volume.superseded_at if volume.superseded_at is not None else run.ended_at
        keep = run.job.volume.keep if run.job.volume.keep is not None else KEEP
        over = since is not None and observed.now - since >= keep
        if volume.delete_at is None and not over:
            continue
        if not _unused(volume, observed):
            continue
        yield _delete(run, volume, observed)


def _unused(volume: VolumeRecord, observed: Observed) -> bool:
    """Seen, and held by nobody; or asked for already."""
    seen = observed.volume((volume.provider, volume.region), volume.volume_id)
    return volume.delete_at is not None or (seen is not None and seen.state is VolumeState.AVAILABLE)


def _delete(run: RunState, volume: VolumeRecord, observed: Observed) -> DeleteVolume:
    intention = VolumeDeleteIntended(
        at=observed.now, run_id=run.run_id, volume_id=volume.volume_id, reason="its keep time is over"
    )
    return DeleteVolume(
        not_after=not_after(observed),
        intention=intention if volume.delete_at is None else None,
        run_id=run.run_id,
        provider=volume.provider,
        region=volume.region,
        volume_id=volume.volume_id,
    )
