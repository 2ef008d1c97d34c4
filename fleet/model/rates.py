"""Listed prices of the small things: what a provider asks for besides machines, by region and with its date."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from fleet.model.base import Frozen, Micros, Seconds
from fleet.model.cloud import Market


class Rates(Frozen):
    """What one provider asks, micro-dollars. Nothing of it is measured: it is what a price list of a date said."""

    of: date
    """When it was looked at."""
    source: str = ""
    """Where it was read."""
    volume_gb_month: Micros = 0
    """Of the disks that runs have made."""
    root_gb_month: Micros = 0
    """Of a machine's own disk."""
    root_gb: int = 0
    """What that has, where a job asks for nothing else."""
    address_hour: Micros = 0
    """Of a machine's public address."""
    address_hour_spot: Micros | None = None
    """The same of a spot machine; None: no less."""
    address_since: Seconds = 0.0
    """Before this it was free."""
    storage_gb_month: Micros = 0
    """Of what lies in a bucket."""
    gb_bytes: int = 10**9
    """What a bucket's price list calls a GB."""
    put_per_thousand: Micros = 0
    get_per_thousand: Micros = 0
    egress_gb: Micros = 0
    """Of data that leaves for the internet."""
    snapshot_gb_month: Micros = 0
    regions: dict[str, dict[str, Micros]] = Field(default_factory=dict)
    """Where a region asks otherwise: the fields above by their names. Those that ask the same are named as well."""
    elsewhere: bool = False
    """The region that was asked for is in no list here: these are another's."""

    @property
    def listed(self) -> str:
        """Of when, and of where if that is not sure."""
        return f"{self.of}{' (of another region)' if self.elsewhere else ''}"

    def address_of(self, market: Market) -> Micros:
        """What an hour of a machine's public address costs."""
        spot = self.address_hour_spot if market is Market.SPOT else None
        return self.address_hour if spot is None else spot

    def at(self, region: str) -> Rates:
        """What a region asks."""
        made: tuple[Rates, dict[str, Rates]] = self.__dict__.setdefault("_at", (self, {}))
        if made[0] is not self:  # a copy with other prices takes along what was made of the first
            made = self.__dict__["_at"] = (self, {})
        known = made[1]
        if region not in known:
            own = self.regions.get(region)
            elsewhere = own is None and bool(self.regions)
            known[region] = self.model_copy(update={**(own or {}), "regions": {}, "elsewhere": elsewhere})
        return known[region]
