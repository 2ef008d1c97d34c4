"""What a job could run on now, what it would cost, and what would be chosen: before anything is spent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fleet.control.budgets import with_zone
from fleet.control.rates import billing_of, rates_of
from fleet.control.zone import local_zone
from fleet.core.allowed import bid, described, fitting, providers_of
from fleet.core.bought import Yield, by_week, yields
from fleet.core.budget import Ask, Later, within
from fleet.core.costs import volume_rate
from fleet.core.foretold import Foretold, anywhere, foretell
from fleet.core.leases import Lease, worst_price
from fleet.core.named import holder_of
from fleet.core.pace import pace_of
from fleet.core.placement import Placement, place
from fleet.core.rates import measured_rates, work_price
from fleet.core.state import FleetState, RunState
from fleet.core.survival import Hints
from fleet.core.worth import Knowledge, Worth, disk_prices, worth
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span
from fleet.model.cloud import Offer
from fleet.model.errors import FleetError, ProviderError
from fleet.model.job import Job
from fleet.providers.base import Provider

LATELY: Seconds = 42 * 86400
"""What was bought in the last six weeks says what is to be expected; before, it may have been another model."""


class NothingFitsError(FleetError):
    """Nothing that the job allows is offered at its price now."""


@dataclass(frozen=True, slots=True)
class Priced:
    """An offer with what it comes to."""

    offer: Offer
    hourly: Micros
    """With the volume, micro-dollars."""
    chosen: bool
    cooling: bool
    """It was refused or taken back a moment ago, and is left alone for a while."""
    rate: float | None = None
    """Steps per second that earlier attempts of the job's name reached on this type; None: not known yet."""
    worth: Worth | None = None
    """What an hour of training comes to; None: nobody asked."""
    hints: Hints | None = None
    """What the cloud tells of the pool."""

    @property
    def daily(self) -> Micros:
        """With the volume, micro-dollars."""
        return self.hourly * 24

    @property
    def per_thousand_steps(self) -> Micros | None:
        """With the volume, micro-dollars; None while the rate is not known."""
        return work_price(self.hourly, self.rate) if self.rate is not None else None


@dataclass(frozen=True, slots=True)
class Beside:
    """What is paid for besides the machine while it runs, micro-dollars per hour, by the prices where it would run."""

    volume: Micros
    address: Micros
    """Its public address; 0: it has none, or none is paid for."""
    root_disk: Micros
    """The machine's own disk; 0: it comes with the machine."""
    root_gb: int
    listed: str = ""
    """Of when these prices are; empty: there is no list."""

    @property
    def machine(self) -> Micros:
        """What comes and goes with the machine."""
        return self.address + self.root_disk

    @property
    def hourly(self) -> Micros:
        """Everything, with the volume."""
        return self.volume + self.machine


@dataclass(frozen=True, slots=True)
class Plan:
    """What `fleet up` would do first."""

    offers: tuple[Priced, ...]
    """Those that the job allows, cheapest first."""
    why: str
    """Why the chosen one, or why none."""
    volume_monthly: Micros
    job: Job
    bucket: str = ""
    """Where state would go."""
    forecast: Foretold | None = None
    """What the whole comes to; None: the job does not say how long it trains."""
    beside: Beside = Beside(0, 0, 0, 0)
    """What comes on top of the chosen offer; of the cheapest, if none is chosen."""
    bought: tuple[Yield, ...] = ()
    """What earlier runs of the job's name came to, by type and market, over the last weeks."""
    weeks: tuple[tuple[Span, tuple[Yield, ...]], ...] = ()
    """The same by week, oldest first."""
    notes: tuple[str, ...] = ()
    """What of the job's wishes is nowhere on offer and what serves instead, and which prices could not be had."""
    waits: str = ""
    """Which budget for a day or a month lets no machine of it be launched now; empty: none keeps it from that."""


Hinting = Callable[[Iterable[Offer]], Mapping[str, Hints]]
"""Tells what is known of the pools of some offers."""


def _no_hints(_offers: Iterable[Offer]) -> Mapping[str, Hints]:
    return {}


def _left_alone(state: FleetState, offer: Offer, now: float) -> bool:
    return max(state.cooling.get(offer.key, 0.0), state.resting.get(offer.key, 0.0)) > now


def _next_run(state: FleetState, job: Job, now: float) -> RunState:
    """The run that `fleet up` would make, with the volume that it asks for by name."""
    run = RunState(run_id="", name=job.name, job=job, workdir_key=None, created_at=now)
    holder = holder_of(state, job.volume.name) if job.volume.name is not None else None
    if holder is None:
        return run
    return run.model_copy(update={"volumes": {holder[1].volume_id: holder[1]}, "volume_id": holder[1].volume_id})


def _offers_of(providers: Iterable[Provider]) -> tuple[list[Offer], tuple[str, ...]]:
    """What each sells, and which of them tells nothing now. Raises ProviderError if none tells anything."""
    offers: list[Offer] = []
    failed: dict[str, ProviderError] = {}
    answered = False
    for provider in providers:
        try:
            offers.extend(provider.offers())
            answered = True
        except ProviderError as error:
            failed[provider.name] = error
    if failed and not answered:
        raise next(iter(failed.values()))
    return offers, tuple(f"{name} tells no offers now: {error.message}" for name, error in failed.items())


def offering(state: FleetState, providers: Iterable[Provider], job: Job, now: float, hinting: Hinting = _no_hints) -> Plan:
    """The offers that a job allows, cheapest first. Raises NothingFitsError, or ProviderError if none can be asked."""
    wanted = providers_of(job.resources)
    known = {provider.name: provider for provider in providers}
    offers, silent = _offers_of([known[name] for name in sorted(wanted & known.keys())])
    missing = sorted(wanted - known.keys())
    silent += tuple(f"{name} is left out: `fleet init {name}` sets this fleet up there" for name in missing)
    allowed = sorted((o for o in offers if fitting(o, job.resources)), key=lambda o: (o.price, o.key))
    if not allowed:
        hint = "\n".join([*silent, "Loosen resources, or raise max_price."])
        raise NothingFitsError(f"no offer fits {described(job.resources)}", hint)
    run = _next_run(state, job, now)
    capabilities = {name: known[name].capabilities for name in {o.provider for o in offers}}
    prices = disk_prices(capabilities)
    addresses = {name: one.address_price for name, one in capabilities.items()}
    knows = Knowledge(state, now, hinting(offers), prices, addresses)
    placement = place(run, offers, state.cooling, now, state.resting, knows)
    chosen = placement.offers[0] if isinstance(placement, Placement) else None
    tried = {o.key for o in placement.offers} if isinstance(placement, Placement) else set()
    price = knows.disk_price(chosen) if chosen is not None else max(knows.disk_price(o) for o in allowed)
    rates = measured_rates(state, job.name)
    rows = tuple(
        Priced(
            offer=o,
            hourly=o.price + volume_rate(job.volume.size, knows.disk_price(o)),
            chosen=chosen is not None and o.key == chosen.key,
            cooling=o.key not in tried and _left_alone(state, o, now),
            rate=rates.get((o.provider, o.instance_type)),
            worth=worth(o, run, run.volumes.get(run.volume_id or ""), knows),
            hints=knows.hints_of(o),
        )
        for o in allowed
    )
    why = placement.why if isinstance(placement, Placement) else placement.reason
    rest = [o for o in offers if o not in allowed and fitting(o, anywhere(job.resources))]
    beside = _beside(chosen or allowed[0], job, knows, known)
    foretold = foretell(run, allowed, rest, knows, beside.machine)
    waits = _waits_for_budget(
        state, run, placement.offers if isinstance(placement, Placement) else allowed, now, known, price
    )
    plan = Plan(rows, why, job.volume.size * price, job, forecast=foretold, beside=beside, notes=silent, waits=waits)
    return _with_bought(plan, knows.runs_of(job.name), now, known)


def _waits_for_budget(
    state: FleetState, run: RunState, offers: Sequence[Offer], now: Seconds, known: Mapping[str, Provider], price: Micros
) -> str:
    """Which budget for a day or a month would not even let the least of the machines be launched now, and till when."""
    run = run.model_copy(update={"job": with_zone(run.job)})
    offer = min(offers, key=lambda one: worst_price(one, bid(one, run.job.resources)))
    lease = Lease(now + pace_of(offer.provider).lease_cap, None)
    others = disk_prices({name: one.capabilities for name, one in known.items()})
    ask = Ask(state, run, offer, now, billing_of(known), price, new_volume=not run.volumes, disk_prices=others)
    found = within(ask, lease)
    return found.reason if isinstance(found, Later) else ""


def _beside(offer: Offer, job: Job, knows: Knowledge, known: Mapping[str, Provider]) -> Beside:
    """What is paid for besides an offer's machine: by the provider's list, else by what it says of itself."""
    volume = volume_rate(job.volume.size, knows.disk_price(offer))
    rates = rates_of({offer.provider: known[offer.provider]}).get(offer.provider)
    if rates is None:
        return Beside(volume, knows.addresses.get(offer.provider, 0), 0, 0)
    local = rates.at(offer.region)
    size = job.resources.disk_size or local.root_gb
    return Beside(volume, local.address_of(offer.market), volume_rate(size, local.root_gb_month), size, local.listed)


def _with_bought(plan: Plan, runs: Iterable[RunState], now: float, known: Mapping[str, Provider]) -> Plan:
    """What the last weeks came to, on this user's calendar."""
    span, zone = Span(now - LATELY, now), local_zone()
    recent = [_without_living(run) for run in runs if run.ended_at is None or run.ended_at > span.start]
    if not recent:
        return plan
    billing = billing_of(known)
    weekly = tuple((week, tuple(some)) for week, some in by_week(recent, span, zone, now, billing))
    return replace(plan, bought=tuple(yields(recent, span, now, billing)), weeks=weekly)


def _without_living(run: RunState) -> RunState:
    """How far a machine that lives has come is not known here: what was paid for it would be held against nothing."""
    ended = {number: attempt for number, attempt in run.attempts.items() if attempt.ended_at is not None}
    return run if len(ended) == len(run.attempts) else run.model_copy(update={"attempts": ended})
