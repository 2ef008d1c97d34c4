"""The simulated cloud itself: what exists, how it changes with time, what it charges. Accounts see it by SimProvider."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from fleet.model.base import Micros, Seconds
from fleet.model.cloud import EndedBy, InstanceState, LaunchRequest, Market, Offer, VolumeState
from fleet.providers.sim.lies import Lies
from fleet.providers.sim.market import HOUR, SimType, SpotMarket, Weather
from fleet.providers.sim.things import Charge, SimInstance, SimVolume
from fleet.providers.sim.throttle import Allowance

MONTH_HOURS = 730
_TYPES = {
    "c5.2xlarge": SimType(340_000),
    "g3s.xlarge": SimType(750_000, ("M60",)),
    "p2.xlarge": SimType(900_000, ("K80",)),
}
_REGIONS = {"sim-1": ("sim-1a", "sim-1b", "sim-1c"), "sim-2": ("sim-2a", "sim-2b")}


@dataclass(frozen=True, slots=True)
class Manners:
    """How the cloud behaves; the defaults are worse than the real ones'. Pairs are bounds of uniform draws, in seconds."""

    provider: str = "sim"
    """What its offers say: a fleet may have several such clouds."""
    types: dict[str, SimType] = field(default_factory=lambda: dict(_TYPES))
    regions: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(_REGIONS))
    weather: Weather = field(default_factory=Weather)
    boot: tuple[Seconds, Seconds] = (20, 90)
    shutdown: tuple[Seconds, Seconds] = (5, 90)
    disk: tuple[Seconds, Seconds] = (1, 12)
    """Creating, attaching, detaching."""
    lag: Seconds = 30
    """Lists may be so old; what was just made is missing for up to as long."""
    notice: Seconds = 120
    rebalance_lead: Seconds = 300
    spot_quota: int = 8
    on_demand_quota: int = 8
    """Instances per region."""
    volume_quota: int = 50
    calls_burst: float = 40
    calls_per_second: float = 4
    """Per region, whoever in the account calls; beyond them RequestLimitExceeded."""
    first_dead_man: Seconds = 1800
    """Armed by the first step of the boot, before any agent runs."""
    remembered: Seconds = HOUR
    """Terminated instances are listed for so long."""
    minimum_seconds: int = 60
    free_if_interrupted_within: int = 3600
    volume_price: Micros = 80_000
    stops_only: bool = False
    """A machine that powers itself off is only stopped, as on Compute Engine: it keeps its disks until it is terminated."""


class SimCloud:
    """Everything, whosever it is."""

    def __init__(
        self,
        clock: Callable[[], Seconds],
        seed: int = 0,
        manners: Manners | None = None,
        market: SpotMarket | None = None,
    ) -> None:
        """``market`` stands in for one that is drawn from the seed: recorded prices and capacity, for back-tests."""
        self.clock = clock
        self.seed = seed
        self.manners = manners or Manners(weather=Weather(epoch=clock()))
        self.market = market or SpotMarket(seed, self.manners.weather)
        self.instances: dict[str, SimInstance] = {}
        """Every machine that there ever was: the invoice is over all of them."""
        self.listed: dict[str, SimInstance] = {}
        """Those that are not forgotten yet."""
        self.volumes: dict[str, SimVolume] = {}
        self.disks: dict[str, SimVolume] = {}
        """Volumes that were not deleted a while ago."""
        self._quiet_until: Seconds = 0.0
        """Nothing is due before that."""
        self._for_sale: dict[str, tuple[float, tuple[Offer, ...]]] = {}
        """By region: the hour, and its offers."""
        self.slow_detach: Seconds = 0.0
        """A detach takes so much longer: EBS volumes stick at times."""
        self.half_launch = False
        """The next launch makes its machine and answers with an error, without its disk."""
        self.lies = Lies()
        self.allowance = Allowance()
        self.on_made: Callable[[SimInstance], None] = lambda _made: None
        """Told of each new machine."""
        self.calls: dict[str, int] = {}
        """How often each kind of call was made, throttled ones included."""

    # --- chance

    def draw(self, what: str, bounds: tuple[float, float]) -> float:
        """A number that depends on the seed and on what it is for, and on nothing else."""
        return random.Random(f"{self.seed}/{what}").uniform(*bounds)  # noqa: S311 - a simulation

    def new_id(self, prefix: str, token: str) -> str:
        """An id that depends on the token: nothing is made twice."""
        return f"{prefix}-{hashlib.sha256(f'{self.seed}/{token}'.encode()).hexdigest()[:17]}"

    # --- offers

    def offers(self, region: str) -> tuple[Offer, ...]:
        """What is for sale in a region now: prices stand for an hour."""
        hour = self.clock() // HOUR
        known = self._for_sale.get(region)
        if known is None or known[0] != hour:
            known = self._for_sale[region] = (hour, tuple(self._offers(region)))
        return known[1]

    def _offers(self, region: str) -> Iterator[Offer]:
        now = self.clock()
        for zone in self.manners.regions.get(region, ()):
            for name, kind in self.manners.types.items():
                for market in (Market.SPOT, Market.ON_DEMAND):
                    price = kind.on_demand
                    if market is Market.SPOT:
                        if not self.market.sells(zone, name):
                            continue
                        price = self.market.price(zone, name, kind, now)
                    yield Offer(
                        provider=self.manners.provider,
                        region=region,
                        zone=zone,
                        instance_type=name,
                        market=market,
                        price=price,
                        on_demand_price=kind.on_demand,
                        accelerators=kind.accelerators,
                    )

    # --- machines

    def make_instance(self, request: LaunchRequest, digest: str, offer: Offer) -> SimInstance:
        """A machine that boots from now on, and the moment when it will be taken back."""
        now, instance_id = self.clock(), self.new_id("i", request.token)
        visible = now + self.draw(f"{instance_id}/visible", (0, self.manners.lag))
        first = now + self.manners.first_dead_man
        lease = request.lease_until
        made = SimInstance(instance_id, request, digest, offer, now, visible)
        made.power_off_at = first if lease is None else min(first, lease)
        made.state.set(now, InstanceState.PENDING)
        made.state.foresee(now + self.draw(f"{instance_id}/boot", self.manners.boot), InstanceState.RUNNING)
        self.instances[instance_id] = self.listed[instance_id] = made
        self._quiet_until = 0.0
        if offer.market is Market.SPOT:
            self._foretell(made, now)
        self.on_made(made)
        return made

    def volumes_at(self, instance_id: str) -> list[SimVolume]:
        """The disks that are at a machine, or on their way to it."""
        now = self.clock()
        return [
            v for v in self.disks.values() if v.deleted_at is None and (v.held.at(now) or (None, None))[1] == instance_id
        ]

    def _foretell(self, made: SimInstance, now: Seconds) -> None:
        """Capacity ends, or the price passes the bid: two minutes before, a notice."""
        offer = made.offer
        take_at = self.market.spot_ends(offer.zone, offer.instance_type, now)
        hour = (now // HOUR + 1) * HOUR
        bid = made.request.max_price
        kind = self.manners.types[offer.instance_type]
        while bid is not None and hour < take_at:
            if self.market.price(offer.zone, offer.instance_type, kind, hour) > bid:
                take_at = hour
            hour += HOUR
        self.take(made.instance_id, at=take_at)

    def take(
        self, instance_id: str, *, at: Seconds, notice: bool = True, rebalance: bool = True, warned_late: Seconds = 0
    ) -> None:
        """The cloud will take an instance back; ``warned_late`` seconds are missing from the notice."""
        made = self.instances[instance_id]
        self._quiet_until = 0.0
        made.take_at = at
        made.notice_at = at - self.manners.notice + warned_late if notice else None
        made.rebalance_at = at - self.manners.notice - self.manners.rebalance_lead if rebalance else None

    def end(self, instance_id: str, by: EndedBy, at: Seconds) -> None:
        """Begin to shut a machine down; its disks are free once it is off."""
        made = self.instances[instance_id]
        if made.ended_by is not None:
            if made.stopped and by == "fleet":
                self._delete(made, at)
            return
        self._quiet_until = 0.0
        made.ended_by = by
        off = at + self.draw(f"{instance_id}/off", self.manners.shutdown)
        made.state.set(at, InstanceState.SHUTTING_DOWN)
        made.stopped = by == "itself" and self.manners.stops_only
        if made.stopped:
            made.state.foresee(off, InstanceState.STOPPED)
            return
        made.state.foresee(off, InstanceState.TERMINATED)
        self._free_disks(instance_id, at, off)

    def _delete(self, made: SimInstance, at: Seconds) -> None:
        """One that is stopped, or about to be: what it holds is free then."""
        made.stopped = False
        off = max(at, made.state.since(InstanceState.STOPPED) or at)
        made.state.foresee(off, InstanceState.TERMINATED)
        self._free_disks(made.instance_id, at, off)

    def _free_disks(self, instance_id: str, at: Seconds, off: Seconds) -> None:
        for volume in self.disks.values():
            held = volume.held.at(at)
            if held is not None and held[1] == instance_id:
                volume.held.set(at, (VolumeState.IN_USE, instance_id))
                volume.held.foresee(self.lies.free_at(volume.volume_id, off), (VolumeState.AVAILABLE, None))

    def arm(self, instance_id: str, at: Seconds) -> None:
        """The machine's dead-man switch."""
        self.instances[instance_id].power_off_at = at
        self._quiet_until = min(self._quiet_until, at)

    def power_off(self, instance_id: str) -> None:
        """The machine shuts itself down (its dead-man switch, or its agent)."""
        self.evolve()
        self.end(instance_id, "itself", self.clock())

    def evolve(self) -> None:
        """Let happen what was due up to now."""
        now = self.clock()
        if now < self._quiet_until:
            return
        due = now + HOUR
        for made in list(self.listed.values()):
            if made.ended_by is not None:
                gone = made.state.since(InstanceState.TERMINATED)
                if gone is not None and now - gone > self.manners.remembered:
                    del self.listed[made.instance_id]
                continue
            ends: list[tuple[Seconds, EndedBy]] = []
            if made.take_at is not None:
                ends.append((made.take_at, "cloud"))
            if made.power_off_at is not None:
                ends.append((made.power_off_at, "itself"))
            at, by = min(ends, default=(now + HOUR, "unknown"))
            if at <= now:
                self.end(made.instance_id, by, at)
            else:
                due = min(due, at)
        for volume in list(self.disks.values()):
            if volume.deleted_at is not None and now - volume.deleted_at > self.manners.remembered:
                del self.disks[volume.volume_id]
        self._quiet_until = due

    # --- what a machine's metadata says

    def notice(self, instance_id: str) -> Seconds | None:
        """When the machine will be taken back, once that is announced."""
        made = self.instances[instance_id]
        return made.take_at if made.notice_at is not None and made.notice_at <= self.clock() else None

    def rebalance(self, instance_id: str) -> bool:
        """Whether the cloud recommends to leave."""
        made = self.instances[instance_id]
        return made.rebalance_at is not None and made.rebalance_at <= self.clock()

    # --- money

    def invoice(self) -> list[Charge]:
        """Every charge up to now, as the cloud would bill it."""
        self.evolve()
        now = self.clock()
        lines = [line for made in self.instances.values() for line in self._machine_charges(made, now)]
        for volume in self.volumes.values():
            end = min(now, volume.deleted_at if volume.deleted_at is not None else now)
            used, since = 0, volume.created_at
            for at, size in (*((min(at, end), before) for at, before in volume.grew), (end, volume.size_gb)):
                used, since = used + (round(at * 1000) - round(since * 1000)) * size, at
            whole = MONTH_HOURS * 3_600_000
            amount = (used * self.manners.volume_price + whole // 2) // whole
            lines.append(Charge(volume.volume_id, volume.created_at, end, self.manners.volume_price, amount))
        return lines

    def _machine_charges(self, made: SimInstance, now: Seconds) -> Iterator[Charge]:
        ended = made.ended_at(now)
        end = ended if ended is not None else now
        if made.ended_by == "cloud" and end - made.launched_at <= self.manners.free_if_interrupted_within:
            return
        end = max(end, made.launched_at + self.manners.minimum_seconds)
        start = made.launched_at
        while start < end:
            stop = min(end, (start // HOUR + 1) * HOUR)
            price = self.price_in_force(made, start if ended is None else min(start, ended))  # the least is one price's
            yield Charge(
                made.instance_id, start, stop, price, (round((stop - start) * 1000) * price + 1_800_000) // 3_600_000
            )
            start = stop

    def price_in_force(self, made: SimInstance, at: Seconds) -> Micros:
        """Spot follows its market by the hour; on-demand stays."""
        offer = made.offer
        if offer.market is Market.ON_DEMAND:
            return offer.price
        return self.market.price(offer.zone, offer.instance_type, self.manners.types[offer.instance_type], at)
