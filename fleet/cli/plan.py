"""``fleet plan``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fleet import api
from fleet.cli.bought import told_yield, yield_object
from fleet.cli.forecast import forecast_object, told_forecast
from fleet.cli.output import emit
from fleet.cli.table import print_table
from fleet.cli.up import accelerators_of, tell_warning, warn_of_missing_scripts
from fleet.cli.views import dollars
from fleet.control.offering import Plan, Priced
from fleet.core.plan.volumes import KEEP
from fleet.model.cloud import Offer
from fleet.model.units import format_duration, format_money
from fleet.workloads.before import refuse_hopeless
from fleet.workloads.kinds import read_job

if TYPE_CHECKING:
    from fleet.cli.bought_objects import PerDayObject
    from fleet.cli.objects import OfferObject, PlanObject

HEAD = ("ZONE", "TYPE", "MARKET", "ACCELERATORS", "$/H", "ON-DEMAND", "WITH VOLUME/H", "PER DAY", "1,000 STEPS", "")
SPARE = ("ACCELERATORS", "ON-DEMAND", "$/H")


def show(path: Path, *, as_json: bool) -> int:
    """A table of offers, and what would be made. Nothing is written, not even a fleet."""
    job, folder = read_job(path)
    warn_of_missing_scripts(job, folder)
    plan = api.plan(path)
    refuse_hopeless(job, folder, accelerators_of(plan), tell_warning)
    if as_json:
        emit(plan_object(plan))
        return 0
    print_table([HEAD, *(_row(one) for one in plan.offers)], SPARE)
    print(f"\nwhy    {plan.why}")
    size, monthly = plan.job.volume.size, format_money(plan.volume_monthly)
    print(f"makes  a machine, and a volume of {size} GB ({monthly} a month); state goes to {plan.bucket}")
    print(f"day    {told_day(plan)}")
    for line in told_forecast(plan.forecast) if plan.forecast is not None else ():
        print(line)
    if plan.volume_monthly:
        keep = format_duration(plan.job.volume.keep if plan.job.volume.keep is not None else KEEP)
        print(f"kept   the volume, for {keep} after the end, at {monthly} a month (`volume: {{keep: …}}` says how long)")
    for line in _steps(plan):
        print(f"steps  {line}")
    for one in plan.bought:
        print(f"bought {told_yield(one)}")
    for line in _notes(plan):
        print(f"note   {line}")
    print(f"\nStart it: fleet up {path}")
    return 0


def _notes(plan: Plan) -> list[str]:
    return [*plan.notes, *([f"it would wait: {plan.waits}"] if plan.waits else [])]


def _steps(plan: Plan) -> Iterator[str]:
    """What is to be said about the price of work: where it is not known yet, and where the cheapest hour is not the best."""
    if any(one.rate is None for one in plan.offers):
        yield f"their price on a type is known once a run of {plan.job.name!r} has reported steps on it and left it"
    known = [(one.per_thousand_steps, one) for one in plan.offers if one.per_thousand_steps is not None]
    chosen = [price for price, one in known if one.chosen]
    price, best = min(known, key=lambda pair: pair[0], default=(0, None))
    if best is not None and chosen and price < chosen[0]:
        kind = best.offer.instance_type
        here, there = format_money(chosen[0]), format_money(price)
        yield f"1,000 cost {there} on {kind}, {here} on the chosen one; to choose it: instance_type: {kind}"


def told_day(plan: Plan) -> str:
    """What a day costs while a machine runs, item by item."""
    beside, offer = plan.beside, _offer(plan)
    items = [("machine", offer.price), ("volume", beside.volume), ("public address", beside.address)]
    items.append((f"root disk of {beside.root_gb} GB", beside.root_disk))
    told = ", ".join(f"{what} {format_money(24 * hourly)}" for what, hourly in items if hourly)
    listed = f" (address and root disk as listed on {beside.listed})" if beside.listed else ""
    total = format_money(24 * (offer.price + beside.hourly))
    return f"{total} on {offer.instance_type} {offer.market.value}: {told or 'nothing'}{listed}"


def _offer(plan: Plan) -> Offer:
    """The chosen one; the cheapest, if none is."""
    return next((one.offer for one in plan.offers if one.chosen), plan.offers[0].offer)


def plan_object(plan: Plan) -> PlanObject:
    """The plan as ``-o json`` prints it."""
    return {
        "offers": [_object(one) for one in plan.offers],
        "why": plan.why,
        "notes": _notes(plan),
        "makes": {
            "volume_gb": plan.job.volume.size,
            "volume_usd_per_month": dollars(plan.volume_monthly),
            "bucket": plan.bucket,
        },
        "per_day": _per_day(plan),
        "forecast": forecast_object(plan.forecast) if plan.forecast is not None else None,
        "bought": [yield_object(one) for one in plan.bought],
        "weeks": [
            {"start_at": week.start, "end_at": week.end, "types": [yield_object(one) for one in some]}
            for week, some in plan.weeks
        ],
    }


def _per_day(plan: Plan) -> PerDayObject:
    beside, offer = plan.beside, _offer(plan)
    return {
        "machine_usd": dollars(24 * offer.price),
        "volume_usd": dollars(24 * beside.volume),
        "address_usd": dollars(24 * beside.address),
        "root_disk_usd": dollars(24 * beside.root_disk),
        "total_usd": dollars(24 * (offer.price + beside.hourly)),
        "listed": beside.listed,
    }


def _object(one: Priced) -> OfferObject:
    offer, work = one.offer, one.per_thousand_steps
    return {
        "offer": offer.key,
        "provider": offer.provider,
        "region": offer.region,
        "zone": offer.zone,
        "instance_type": offer.instance_type,
        "market": offer.market.value,
        "accelerators": list(offer.accelerators),
        "usd_per_hour": dollars(offer.price),
        "on_demand_usd_per_hour": dollars(offer.on_demand_price),
        "with_volume_usd_per_hour": dollars(one.hourly),
        "with_volume_usd_per_day": dollars(one.daily),
        "steps_per_second": one.rate,
        "with_volume_usd_per_1000_steps": dollars(work) if work is not None else None,
        "chosen": one.chosen,
        "cooling": one.cooling,
    }


def _row(one: Priced) -> tuple[str, ...]:
    offer, work = one.offer, one.per_thousand_steps
    what = (offer.zone, offer.instance_type, offer.market.value, ", ".join(offer.accelerators) or "-")
    prices = (offer.price, offer.on_demand_price, one.hourly, one.daily)
    steps = format_money(work) if work is not None else "-"
    mark = "chosen" if one.chosen else "left alone for a while" if one.cooling else ""
    return (*what, *(format_money(price) for price in prices), steps, mark)
