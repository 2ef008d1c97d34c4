"""What a job could run on now, what it would cost, and what would be chosen: before anything is spent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from fleet.core.allowed import described, fitting, providers_of
from fleet.core.costs import volume_rate
from fleet.core.foretold import Foretold, anywhere, foretell
from fleet.core.named import holder_of
from fleet.core.placement import Placement, place
from fleet.core.rates import measured_rates, work_price
from fleet.core.state import FleetState, RunState
from fleet.core.survival import Hints
from fleet.core.worth import Knowledge, Worth, disk_prices, worth
from fleet.model.base import Micros
from fleet.model.cloud import Offer
from fleet.model.errors import FleetError
from fleet.model.job import Job
from fleet.providers.base import Provider


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
    notes: tuple[str, ...] = ()
    """What of the job's wishes is nowhere on offer and what serves instead, and which prices could not be had."""


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


def offering(state: FleetState, providers: Iterable[Provider], job: Job, now: float, hinting: Hinting = _no_hints) -> Plan:
    """The offers that a job allows, cheapest first. Raises NothingFitsError, or ProviderError if none can be asked."""
    wanted = providers_of(job.resources)
    known = {provider.name: provider for provider in providers}
    offers = [o for name in sorted(wanted & known.keys()) for o in known[name].offers()]
    allowed = sorted((o for o in offers if fitting(o, job.resources)), key=lambda o: (o.price, o.key))
    if not allowed:
        raise NothingFitsError(f"no offer fits {described(job.resources)}", "Loosen resources, or raise max_price.")
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
    foretold = foretell(run, allowed, rest, knows)
    return Plan(rows, why, job.volume.size * price, job, forecast=foretold)
