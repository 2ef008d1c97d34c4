"""Volumes with a name: runs that ask for the same one have it one after another."""

from __future__ import annotations

from collections.abc import Iterable

from fleet.core.allowed import fitting
from fleet.core.state import FleetState, RunState, VolumeRecord
from fleet.model.cloud import Offer
from fleet.model.job import Resources


def holder_of(state: FleetState, name: str) -> tuple[RunState, VolumeRecord] | None:
    """The run that answers for the newest volume of a name, and the volume; None if there is none that will stay."""
    found = [
        (run, volume)
        for run in state.runs.values()
        for volume in run.volumes.values()
        if volume.name == name and volume.held and volume.delete_at is None
    ]
    return max(found, key=lambda pair: pair[1].created_at, default=None)


def has_its_volume(run: RunState) -> bool:
    """Whether the volume that follows the run is the one that it asks for by name."""
    volume = run.volumes.get(run.volume_id) if run.volume_id else None
    return volume is not None and volume.held and volume.delete_at is None and volume.name == run.job.volume.name


def asks_before(state: FleetState, run: RunState, offers: Iterable[Offer]) -> RunState | None:
    """The run that has, or gets first, the volume that this one asks for; None if it is this one's turn.

    The holder comes first, then those that asked earlier, but for those that could not use it where it is: no two runs ever
    wait for each other.
    """
    name = run.job.volume.name
    if name is None or has_its_volume(run):
        return None
    holder = holder_of(state, name)
    if holder is not None and not holder[0].over and holder[0].run_id != run.run_id:
        return holder[0]
    for other in state.runs.values():
        if other.run_id == run.run_id:
            return None
        asks = other.job.volume.name == name and not other.over
        if asks and (holder is None or usable(holder[1], offers, other.job.resources)):
            return other
    return None


def usable(volume: VolumeRecord, offers: Iterable[Offer], resources: Resources) -> bool:
    """Whether anything that a job allows is for sale where a volume is: what could not be used is not taken."""
    return any(volume.near(offer) and fitting(offer, resources) for offer in offers)


def volume_to_take(state: FleetState, run: RunState) -> tuple[RunState, VolumeRecord] | None:
    """The volume that a run whose turn it is takes from a run that is over, and that run; None if it has one, or none is."""
    name = run.job.volume.name
    if name is None or has_its_volume(run):
        return None
    holder = holder_of(state, name)
    return holder if holder is not None and holder[0].over and holder[0].run_id != run.run_id else None
