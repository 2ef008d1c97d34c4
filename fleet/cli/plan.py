"""``fleet plan``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fleet import api
from fleet.cli.forecast import forecast_object, told_forecast
from fleet.cli.output import emit
from fleet.cli.table import print_table
from fleet.cli.up import accelerators_of, tell_warning, warn_of_missing_scripts
from fleet.cli.views import dollars
from fleet.control.offering import Plan, Priced
from fleet.model.units import format_money
from fleet.workloads.before import refuse_hopeless
from fleet.workloads.kinds import read_job

if TYPE_CHECKING:
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
    for line in told_forecast(plan.forecast) if plan.forecast is not None else ():
        print(line)
    for line in _steps(plan):
        print(f"steps  {line}")
    for line in plan.notes:
        print(f"note   {line}")
    print(f"\nStart it: fleet up {path}")
    return 0


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


def plan_object(plan: Plan) -> PlanObject:
    """The plan as ``-o json`` prints it."""
    return {
        "offers": [_object(one) for one in plan.offers],
        "why": plan.why,
        "notes": list(plan.notes),
        "makes": {
            "volume_gb": plan.job.volume.size,
            "volume_usd_per_month": dollars(plan.volume_monthly),
            "bucket": plan.bucket,
        },
        "forecast": forecast_object(plan.forecast) if plan.forecast is not None else None,
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
