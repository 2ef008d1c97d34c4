"""Whether a volume may be as it was made: a machine that is taken before it formats its disk leaves a blank one behind."""

from __future__ import annotations

from fleet.core.state import AttemptState, RunState, VolumeRecord
from fleet.model.cloud import ExistingVolume


def never_used(run: RunState, volume_id: str) -> bool:
    """Made for this run, and no attempt that may have had it was seen to train.

    Such a one may be marked new once more: without that every later attempt would have to refuse it. A machine formats only
    what is blank as well, so that a training that nobody saw is safe.
    """
    volume = run.volumes.get(volume_id)
    if volume is None or volume.held_since is not None or volume.earlier:
        return False
    return not any(attempt.resumed is not None and _may_have_had(attempt, volume) for attempt in run.attempts.values())


def _may_have_had(attempt: AttemptState, volume: VolumeRecord) -> bool:
    if attempt.ended_at is not None and attempt.ended_at < volume.created_at:
        return False
    if isinstance(attempt.volume, ExistingVolume):
        return attempt.volume.volume_id == volume.volume_id
    offer = attempt.offer
    return offer is None or (offer.region, offer.zone) == (volume.region, volume.zone)
