"""What was seen of the world in one tick: the plan's other half beside the state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleet.model.base import Seconds
from fleet.model.cloud import Capabilities, Instance, Listing, Offer, Volume
from fleet.model.documents import Desired, Heartbeat

Place = tuple[str, str]
"""A provider and one of its regions."""
AttemptKey = tuple[str, int]
"""A run's id and the number of an attempt."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """The answer to asking for one instance by id, since listings may lag. ``instance`` is None if it is unknown."""

    instance: Instance | None
    absent_since: Seconds | None = None
    """Since when neither listings nor questions by id knew it, and how often in a row that was so."""
    absences: int = 0


@dataclass(frozen=True, slots=True)
class Observed:
    """One tick's view. What could not be asked is absent: silence is never taken for emptiness."""

    now: Seconds
    """By the bucket's clock."""
    listings: Mapping[Place, Listing] = field(default_factory=dict)
    lookups: Mapping[str, Lookup] = field(default_factory=dict)
    """By instance id; only instances that should live and were missing from their listing."""
    heartbeats: Mapping[AttemptKey, Heartbeat] = field(default_factory=dict)
    heard: Mapping[AttemptKey, Seconds] = field(default_factory=dict)
    """When this controller, by its own clock, saw a heartbeat change: clocks may differ, a word that is new is new."""
    listed_beats: frozenset[AttemptKey] = frozenset()
    """Every attempt whose heartbeat lies in the bucket, dead ones too."""
    offers: Mapping[str, tuple[Offer, ...]] = field(default_factory=dict)
    """By provider."""
    capabilities: Mapping[str, Capabilities] = field(default_factory=dict)
    desired: Mapping[str, Desired] = field(default_factory=dict)
    """By run: what desired.json says."""
    secrets: frozenset[str] | None = None
    """Names of the variables in this controller's environment; None: it is not asked."""
    awake_since: Seconds = 0.0
    """This computer slept before: whoever was silent meanwhile may not have been running either."""
    acted: Mapping[str, Seconds] = field(default_factory=dict)
    """When this controller last did an action, by the action's key."""

    def instance(self, place: Place, instance_id: str) -> Instance | None:
        """The freshest word on an instance: the answer by id, else the listing's."""
        lookup = self.lookups.get(instance_id)
        if lookup is not None:
            return lookup.instance
        listing = self.listings.get(place)
        return next((i for i in listing.instances if i.instance_id == instance_id), None) if listing else None

    def volume(self, place: Place, volume_id: str) -> Volume | None:
        """A volume as its region's listing has it."""
        listing = self.listings.get(place)
        return next((v for v in listing.volumes if v.volume_id == volume_id), None) if listing else None

    def heartbeat(self, run_id: str, attempt: int, instance_id: str | None) -> Heartbeat | None:
        """The attempt's latest word, if it is this instance's: another instance does not speak for it."""
        beat = self.heartbeats.get((run_id, attempt))
        return beat if beat is not None and beat.instance_id == instance_id else None
