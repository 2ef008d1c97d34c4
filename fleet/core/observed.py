"""What was seen of the world in one tick: the plan's other half beside the state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet.model.base import Seconds
from fleet.model.cloud import AccessRule, Capabilities, Instance, Listing, Offer, PriceSince, Volume
from fleet.model.documents import Desired, Heartbeat

if TYPE_CHECKING:
    from fleet.core.survival import Hints

Place = tuple[str, str]
"""A provider and one of its regions."""
AttemptKey = tuple[str, int]
"""A run's id and the number of an attempt."""


@dataclass(frozen=True, slots=True)
class History:
    """The provider's own word on the prices of one instance."""

    prices: tuple[PriceSince, ...]
    until: Seconds


@dataclass(frozen=True, slots=True)
class Lookup:
    """The answer to asking for one instance by id, since listings may lag. ``instance`` is None if it is unknown."""

    instance: Instance | None
    absent_since: Seconds | None = None
    """Since when neither listings nor questions by id knew it, and how often in a row that was so."""
    absences: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """A listing by its ids: thousands of machines are looked up in it in one tick. What stands in it twice counts once."""

    instances: Mapping[str, Instance]
    volumes: Mapping[str, Volume]
    tokens: Mapping[str, Instance]
    """By the token in their tags."""

    @classmethod
    def of(cls, listing: Listing | None) -> Listed:
        """Nothing is known of a region that could not be listed."""
        instances = listing.instances[::-1] if listing is not None else ()
        return cls(
            instances={instance.instance_id: instance for instance in instances},
            volumes={volume.volume_id: volume for volume in (listing.volumes[::-1] if listing is not None else ())},
            tokens={instance.tags["token"]: instance for instance in instances if "token" in instance.tags},
        )


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
    hints: Mapping[str, Hints] = field(default_factory=dict)
    """By pool (``provider/region/zone/type``): what the cloud tells of interruptions and chances."""
    missing: Mapping[str, Lookup] = field(default_factory=dict)
    """By volume id: those that a run answers for, and that the last listings of their region did not show."""
    histories: Mapping[AttemptKey, History] = field(default_factory=dict)
    """What spot instances were charged since they were last asked about."""
    priced_in_vain_since: Mapping[AttemptKey, Seconds] = field(default_factory=dict)
    """Machines that ended: since when this controller has asked what they were charged."""
    access: Mapping[Place, tuple[AccessRule, ...]] = field(default_factory=dict)
    """Who is let in, where that was asked: with the sweep of all regions."""
    desired: Mapping[str, Desired] = field(default_factory=dict)
    """By run: what desired.json says."""
    secrets: frozenset[str] | None = None
    """Names of the variables in this controller's environment; None: it is not asked."""
    awake_since: Seconds = 0.0
    """This computer slept before: whoever was silent meanwhile may not have been running either."""
    acted: Mapping[str, Seconds] = field(default_factory=dict)
    """When this controller last did an action, by the action's key."""
    _listed: dict[Place, Listed] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Listings that were looked into: a memory, no part of what was seen."""

    def instance(self, place: Place, instance_id: str) -> Instance | None:
        """The freshest word on an instance: the answer by id, else the listing's."""
        lookup = self.lookups.get(instance_id)
        return lookup.instance if lookup is not None else self._in(place).instances.get(instance_id)

    def launched(self, place: Place, token: str) -> Instance | None:
        """The instance that a try became, as its region's listing has it."""
        return self._in(place).tokens.get(token)

    def volume(self, place: Place, volume_id: str) -> Volume | None:
        """A volume as its region's listing has it."""
        return self._in(place).volumes.get(volume_id)

    def _in(self, place: Place) -> Listed:
        found = self._listed.get(place)
        if found is None:
            found = self._listed[place] = Listed.of(self.listings.get(place))
        return found

    def heartbeat(self, run_id: str, attempt: int, instance_id: str | None) -> Heartbeat | None:
        """The attempt's latest word, if it is this instance's: another instance does not speak for it."""
        beat = self.heartbeats.get((run_id, attempt))
        return beat if beat is not None and beat.instance_id == instance_id else None


def for_sale(observed: Observed) -> list[Offer]:
    """What can be bought where this controller can also see what it bought."""
    offers = (offer for of_provider in observed.offers.values() for offer in of_provider)
    return [offer for offer in offers if (offer.provider, offer.region) in observed.listings]
