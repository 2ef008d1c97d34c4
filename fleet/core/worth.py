"""What an hour of training costs on each offer: not the price of an hour of a machine, but of an hour that is kept.

A spot machine is paid for while it boots, while it restores, and while it repeats what its predecessor lost. How often that
happens is what survival.py expects of its pool. The price of an hour of kept training is the price of an hour, divided by
the share of paid time that is kept and by the machine's speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleet.core.costs import disk_price, volume_rate
from fleet.core.observed import Observed
from fleet.core.overheads import Overheads, of_runs
from fleet.core.pools import PoolRecord, pool_name, pool_of
from fleet.core.rates import Kind, rates_of, speeds
from fleet.core.state import FleetState, RunState, VolumeRecord
from fleet.core.survival import Hints, Lives, Outlook, Prior, outlook, prior_of
from fleet.model.base import Micros, Seconds
from fleet.model.cloud import Capabilities, Market, Offer
from fleet.model.job import Job

MOVE_HOURS = 0.25
"""Paid machine time that filling a new volume from the bucket takes: an estimate until attempts measured it."""
SPREAD_HOURS = 24
"""A move's cost, and a first boot, are spread over so many hours of training before they are held against a price."""
KEPT_HOURS = 7 * 24
"""The volume that is left behind is paid for its keep time, 7 days unless the job says otherwise."""
EGRESS: Micros = 20_000
"""Per GB that goes from one region to another (EC2's usual price)."""
INTERNET: Micros = 120_000
"""Per GB that goes from one cloud to another, by the internet: Google's price, the dearer one (EC2's: 90,000)."""
LONGEST: Seconds = 30 * 86400
"""A longer life is told as this one."""
LEAST_KEPT = 0.02
"""A share of kept time below this is not told apart: a price must stay a number."""
TRIED = 0.5
"""Between markets, spot is not held for worse than so: survival is an expectation, a price of half is a fact."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What an offer comes to, for one job."""

    per_hour: Micros
    """Micro-dollars for an hour of kept training, at the speed of the types that are known."""
    hourly: Micros
    """Micro-dollars for an hour of the machine, with its volume, and its part of a move."""
    kept: float
    """The share of paid time that trains, and is not repeated."""
    speed: float
    """Against the other types; 1 where it is not known."""
    speed_known: bool
    outlook: Outlook
    life: Seconds | None
    """Expected, of a spot machine, up to 30 days; None: on demand, until it is ended."""
    taken_1h: float
    taken_6h: float
    """The chance that a machine is taken within one and six hours."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to be expected of an offer, whoever asks."""

    offer: Offer
    """Held, so that no other object has its identity meanwhile."""
    outlook: Outlook
    life: Seconds | None
    taken_1h: float
    taken_6h: float


@dataclass(slots=True)
class Knowledge:
    """What is known in one tick of pools and of jobs' names, looked up once however many runs ask."""

    state: FleetState = field(default_factory=FleetState)
    now: Seconds = 0.0
    hints: Mapping[str, Hints] = field(default_factory=dict)
    """By pool: what the cloud tells."""
    volume_prices: Mapping[str, Micros] = field(default_factory=dict)
    """By provider, and by ``provider/region`` where that asks something else, per GB and month."""
    addresses: Mapping[str, Micros] = field(default_factory=dict)
    """By provider, per hour: a public address."""
    checkpoint_gb: float = 0.0
    """What goes to another region in a move; 0: not known."""
    _names: dict[str, list[RunState]] | None = None
    _rates: dict[str, dict[Kind, float]] = field(default_factory=dict)
    _speeds: dict[str, dict[Kind, float]] = field(default_factory=dict)
    _overheads: dict[tuple[str, str, Seconds | None], Overheads] = field(default_factory=dict)
    _expected: dict[int, Expected] = field(default_factory=dict)
    """By the offer's identity: all runs of a tick are shown the same ones."""
    _kept: dict[tuple[int, Seconds, Seconds], float] = field(default_factory=dict)

    def disk_price(self, offer: Offer) -> Micros:
        """Micro-dollars for a GB and month of a disk that is made where an offer is."""
        return disk_price(self.volume_prices, offer)

    def runs_of(self, name: str) -> list[RunState]:
        """All runs of a name."""
        if self._names is None:
            self._names = {}
            for run in self.state.runs.values():
                self._names.setdefault(run.name, []).append(run)
        return self._names.get(name, [])

    def rates(self, name: str) -> dict[Kind, float]:
        """Steps per second by provider and type."""
        if name not in self._rates:
            self._rates[name] = rates_of(self.runs_of(name))
        return self._rates[name]

    def speeds(self, name: str) -> dict[Kind, float]:
        """How fast each type is that is known, against the others."""
        if name not in self._speeds:
            self._speeds[name] = speeds(self.rates(name))
        return self._speeds[name]

    def overheads(self, job: Job, provider: str) -> Overheads:
        """Of a job's name on a provider."""
        key = (job.name, provider, job.checkpoint.every)
        if key not in self._overheads:
            self._overheads[key] = of_runs(self.runs_of(job.name), provider, job)
        return self._overheads[key]

    def hints_of(self, offer: Offer) -> Hints:
        """What the cloud tells of an offer's pool, its price now among it."""
        told = self.hints.get(pool_name(pool_of(offer)), Hints())
        if offer.market is not Market.SPOT or offer.on_demand_price <= 0:
            return told
        return Hints(told.band, told.label, told.score, round(offer.price / offer.on_demand_price, 2))

    def expected(self, offer: Offer) -> Expected:
        """What is to be expected of an offer."""
        found = self._expected.get(id(offer))
        if found is None:
            beyond = outlook(self.record(offer), self.prior(offer), self.now)
            spot, life, age = offer.market is Market.SPOT, beyond.life, beyond.standing
            taken = (1 - life.past(3600, age), 1 - life.past(6 * 3600, age)) if spot else (0.0, 0.0)
            mean = life.mean(LONGEST, age) if spot else None
            found = self._expected[id(offer)] = Expected(offer, beyond, mean, *taken)
        return found

    def outlook(self, offer: Offer) -> Outlook:
        """What is to be expected of an offer's pool."""
        return self.expected(offer).outlook

    def record(self, offer: Offer) -> PoolRecord | None:
        """What was seen of an offer's pool."""
        return self.state.pools.get(pool_name(pool_of(offer)))

    def prior(self, offer: Offer) -> Prior:
        """What is believed of it without that."""
        return prior_of(len(offer.accelerators), self.hints_of(offer))

    def kept(self, offer: Offer, overheads: Overheads) -> float:
        """The share of paid time that is kept on an offer."""
        if offer.market is not Market.SPOT:
            return kept_on_demand(overheads)
        beyond = self.expected(offer).outlook
        key = (id(offer), overheads.total, overheads.lost)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = kept_share(beyond.life, overheads, beyond.standing)
        return found


def disk_prices(capabilities: Mapping[str, Capabilities]) -> dict[str, Micros]:
    """What disks cost, as ``Knowledge`` has it, from what each provider says."""
    found: dict[str, Micros] = {}
    for name, one in capabilities.items():
        found[name] = one.volume_price
        found |= {f"{name}/{region}": price for region, price in one.volume_prices.items()}
    return found


def knowledge(state: FleetState, observed: Observed) -> Knowledge:
    """What one tick knows, made once for all of its runs."""
    made: tuple[object, object, object, Knowledge] | None = state.__dict__.get("_knowledge")
    if made is None or made[0] is not observed or made[1] is not state.runs or made[2] is not state.pools:
        prices = disk_prices(observed.capabilities)
        addresses = {name: one.address_price for name, one in observed.capabilities.items()}
        found = Knowledge(state, observed.now, observed.hints, prices, addresses)
        made = state.__dict__["_knowledge"] = (observed, state.runs, state.pools, found)
    return made[3]


def kept_share(lives: Lives, overheads: Overheads, age: Seconds = 0.0, horizon: Seconds = SPREAD_HOURS * 3600) -> float:
    """Of the time that spot machines are paid for, in a pool that has had machines for ``age``, the share that is kept.

    One life after another, each at most as long as the horizon: of each its overhead trains nothing, and if it is taken
    while it trains, what it lost is repeated.
    """
    paid = lives.mean(horizon, age)
    spent = min(overheads.total + overheads.lost, horizon)  # a life that is shorter keeps nothing
    kept = paid - lives.mean(spent, age) + min(overheads.lost, horizon) * lives.past(horizon, age)
    return min(1.0, max(LEAST_KEPT, kept / paid)) if paid > 0 else LEAST_KEPT


def kept_on_demand(overheads: Overheads, horizon: Seconds = SPREAD_HOURS * 3600) -> float:
    """The same of a machine that nobody takes: it boots once."""
    return max(LEAST_KEPT, 1 - min(overheads.total, horizon) / horizon)


def leaving_price(offer: Offer, volume: VolumeRecord, keep: Seconds | None, checkpoint_gb: float = 0.0) -> Micros:
    """Micro-dollars per hour that moving to ``offer`` costs beside its price, spread over the hours after the move."""
    kept_hours = keep / 3600 if keep is not None else KEPT_HOURS
    moving = MOVE_HOURS * offer.price + kept_hours * volume_rate(volume.size_gb, volume.price)
    if offer.provider != volume.provider:
        moving += checkpoint_gb * INTERNET
    elif offer.region != volume.region:
        moving += checkpoint_gb * EGRESS
    return round(moving / SPREAD_HOURS)


def worth(offer: Offer, run: RunState, volume: VolumeRecord | None, known: Knowledge) -> Worth:
    """What an offer comes to for a run whose volume is where it is."""
    overheads, expected = known.overheads(run.job, offer.provider), known.expected(offer)
    faster = known.speeds(run.name).get((offer.provider, offer.instance_type))
    speed = faster if faster is not None else 1.0
    hourly = offer.price + known.addresses.get(offer.provider, 0)
    if volume is not None and not volume.near(offer):
        hourly += leaving_price(offer, volume, run.job.volume.keep, known.checkpoint_gb)
    size, price = run.job.volume.size, known.disk_price(offer)
    hourly += volume_rate(volume.size_gb, volume.price) if volume is not None else volume_rate(size, price)
    kept = known.kept(offer, overheads)
    return Worth(
        per_hour=round(hourly / (kept * speed)),
        hourly=hourly,
        kept=kept,
        speed=speed,
        speed_known=faster is not None,
        outlook=expected.outlook,
        life=expected.life,
        taken_1h=expected.taken_1h,
        taken_6h=expected.taken_6h,
    )


def dearer_than_on_demand(offer: Offer, found: Worth, overheads: Overheads) -> bool:
    """Whether spot costs more for kept training than the same machine would on demand."""
    beside = found.hourly - offer.price
    on_demand = (offer.on_demand_price + beside) / kept_on_demand(overheads)
    if offer.on_demand_price <= 0:
        return False  # nobody knows what on-demand would cost
    return offer.market is Market.SPOT and (offer.price + beside) / max(TRIED, found.kept) > on_demand
