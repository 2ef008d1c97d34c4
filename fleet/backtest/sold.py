"""What a market sells to a job: its types with their prices on demand, and where, if the market itself does not say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from fleet.core.allowed import alternatives
from fleet.model.base import Micros
from fleet.model.job import Job, Resources
from fleet.providers.sim.market import SimType

USUAL = "p3.2xlarge"
"""Where a job names neither type nor accelerator: what the traces were measured with."""
USUAL_PRICE: Micros = 3_060_000
OLD: Mapping[str, tuple[Micros, tuple[str, ...]]] = {
    "p3.2xlarge": (USUAL_PRICE, ("V100",)),
    "p3.8xlarge": (12_240_000, ("V100",) * 4),
    "p3.16xlarge": (24_480_000, ("V100",) * 8),
    "p2.xlarge": (900_000, ("K80",)),
    "p2.8xlarge": (7_200_000, ("K80",) * 8),
}
"""Types of the traces' time, in us-east-1."""
HERE: Mapping[str, tuple[Micros, tuple[str, ...]]] = {
    "small": (500_000, ()),
    "medium": (900_000, ("K80",)),
    "large": (1_600_000, ("K80", "K80")),
}
"""What ``local`` pretends to be."""
ANYWHERE: Mapping[str, tuple[str, ...]] = {
    region: tuple(f"{region}{letter}" for letter in "abc") for region in ("us-east-1", "us-west-2")
}
_ZONE = re.compile(r"^(?P<region>.+[0-9])[a-z]$")


def on_demand_price(name: str, region: str = "us-east-1") -> Micros | None:
    """Micro-dollars per hour; None: of such a type nothing is known."""
    if name in HERE or name in OLD:
        return (HERE.get(name) or OLD[name])[0]
    from fleet.providers.aws.pricing import bundled

    found = bundled(region).get(name) or bundled("us-east-1").get(name)
    return found.price if found is not None else None


def sim_type(name: str, price: Micros | None, wanted: Iterable[str] = ()) -> SimType:
    """A type as the cloud sells it: with its own accelerators, or else those that the job wants of it."""
    known = HERE.get(name) or OLD.get(name)
    if known is not None:
        return SimType(price or known[0], known[1])
    from fleet.providers.aws.catalog import accelerators_of, type_of

    devices = accelerators_of(name) if type_of(name) is not None else tuple(wanted)
    return SimType(price or on_demand_price(name) or USUAL_PRICE, devices)


def types_for(job: Job, notes: list[str]) -> dict[str, SimType]:
    """The types that a job may be served by, in a market that has none of its own."""
    found: dict[str, SimType] = {}
    for one in alternatives(job.resources):
        for name in one.instance_type or _with(one):
            price = on_demand_price(name)
            if price is None:
                price = USUAL_PRICE
                notes.append(f"what {name} costs on demand is not known here: ${USUAL_PRICE / 1e6:.2f} an hour is taken")
            found.setdefault(name, sim_type(name, price, _devices(one)))
    return found


def _devices(one: Resources) -> tuple[str, ...]:
    name, _, count = (one.accelerators or "").partition(":")
    return (name,) * int(count or 1) if name else ()


def _with(one: Resources) -> tuple[str, ...]:
    """A type for who names none: the cheapest known with the accelerators that are wanted."""
    if one.infra.partition("/")[0] == "local":
        return tuple(HERE)
    devices = _devices(one)
    if not devices:
        return (USUAL,)
    from fleet.providers.aws.catalog import accelerators_of, with_gpu

    names = [*OLD, *with_gpu(devices[0])]
    has = {name: OLD[name][1] if name in OLD else accelerators_of(name) for name in names}
    fit = [n for n in names if [d.casefold() for d in has[n]].count(devices[0].casefold()) >= len(devices)]
    priced = sorted((on_demand_price(n) or USUAL_PRICE, n) for n in fit)
    return (priced[0][1],) if priced else (devices[0].lower(),)


def regions_for(job: Job) -> dict[str, tuple[str, ...]]:
    """Where a job may go, in a market that is nowhere in particular: three zones in each region that it names."""
    found: dict[str, tuple[str, ...]] = {}
    for one in alternatives(job.resources):
        name, _, rest = one.infra.partition("/")
        region, _, zone = rest.partition("/")
        if name == "local":
            region = region or "here"
        if not region:
            found = {**ANYWHERE, **found}
            continue
        zones = (
            *found.get(region, ()),
            *((zone,) if zone else (f"{region}{'-' if name == 'local' else ''}{x}" for x in "abc")),
        )
        found[region] = tuple(dict.fromkeys(zones))
    return found


def region_of(zone: str) -> str:
    """``us-west-2`` of ``us-west-2b``; what has another form is its own region."""
    match = _ZONE.match(zone)
    return match["region"] if match else zone


def places(job: Job) -> list[tuple[str, str]]:
    """The region and zone that each alternative is limited to; empty: not limited."""
    told = []
    for one in alternatives(job.resources):
        name, _, rest = one.infra.partition("/")
        region, _, zone = rest.partition("/")
        told.append(("", "") if name == "local" else (region, zone))
    return told


def allowed(job: Job, region: str, zone: str) -> bool:
    """Whether some alternative of a job may go there. A job for this computer may be tried anywhere."""
    return any(r in ("", region) and z in ("", zone) for r, z in places(job))


def wanted_types(job: Job) -> set[str]:
    """The types that a job names; empty: it names none somewhere."""
    ways = alternatives(job.resources)
    return set() if any(not one.instance_type for one in ways) else {n for one in ways for n in one.instance_type}
