"""What a job's whole training is expected to come to, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fleet.cli.views import dollars
from fleet.core.foretold import Foretold
from fleet.model.base import Micros, Seconds
from fleet.model.units import format_duration, format_money

if TYPE_CHECKING:
    from fleet.cli.objects import ForecastObject

CENT: Micros = 10_000


def told_forecast(found: Foretold) -> Iterator[str]:
    """Lines below the table of a plan."""
    one = found.forecast
    low, middle, high = (_money(cost) for cost in one.cost)
    alone = _money(one.on_demand_cost)
    yield f"costs  {middle} with all of that; of ten tries one is below {low}, one above {high} (on demand {alone})"
    early, usual, long = (told_hours(seconds) for seconds in one.seconds)
    often = f"{one.interruptions:.1f} interruptions on average"
    yield f"ends   after {usual}; of ten tries one is done before {early}, one after {long}; {often}"
    if found.like is not None:
        yield f"since  {found.like} trained {format_duration(found.work)} to its end; the job has no `estimate`"
    if one.on_demand_share > 0:
        yield f"uses   on-demand in {one.on_demand_share:.0%} of the tries"
    if found.deadline is not None and found.earliest is not None:
        if found.deadline < found.earliest:
            earliest = told_hours(found.earliest)
            yield f"late   the deadline of {told_hours(found.deadline)} cannot be kept: {earliest} is the earliest"
        else:
            yield f"keeps  the deadline of {told_hours(found.deadline)} in {1 - (one.late or 0):.1%} of the tries"
    if found.later and found.later[0].deadline == found.deadline:
        here, *more = found.later
        saved = (f"{told_hours(each.deadline)} saves {_money(max(0, here.cost - each.cost))}" for each in more)
        yield f"looser a deadline of {', of '.join(saved)}"
    elif found.later:
        yield f"looser a deadline of {told_hours(found.later[0].deadline)} costs {_money(found.later[0].cost)} on average"
    for place in found.elsewhere[:2]:
        hour = f"{format_money(place.per_hour)} for an hour of training"
        yield f"{place.provider}/{place.region} would save {place.saves:.0%} ({hour})"


def forecast_object(found: Foretold) -> ForecastObject:
    """As ``-o json`` prints it."""
    one = found.forecast
    return {
        "work_seconds": found.work,
        "like": found.like,
        "total_usd": [dollars(cost) for cost in one.cost],
        "mean_usd": dollars(one.mean_cost),
        "seconds": [round(seconds, 1) for seconds in one.seconds],
        "interruptions_count": round(one.interruptions, 2),
        "on_demand_usd": dollars(one.on_demand_cost),
        "on_demand_percent": round(100 * one.on_demand_share),
        "deadline_seconds": found.deadline,
        "earliest_deadline_seconds": found.earliest,
        "late_percent": round(100 * one.late, 2) if one.late is not None else None,
        "later": [{"deadline_seconds": each.deadline, "machines_usd": dollars(each.cost)} for each in found.later],
        "elsewhere": [
            {
                "provider": place.provider,
                "region": place.region,
                "usd_per_training_hour": dollars(place.per_hour),
                "saves_percent": round(100 * place.saves),
            }
            for place in found.elsewhere
        ],
    }


def told_hours(seconds: Seconds) -> str:
    """``20s``, ``35m``, ``7.5h``, ``52h``, ``9d``."""
    if seconds < 90:
        return f"{seconds:.0f}s"
    if seconds < 5400:
        return f"{seconds / 60:.0f}m"
    hours = seconds / 3600
    if hours < 20:
        return f"{hours:.1f}h"
    return f"{hours:.0f}h" if hours < 96 else f"{hours / 24:.1f}d"


def _money(micros: Micros) -> str:
    """With cents: what is expected is not known better. Less than that is told all the same."""
    return f"${micros / 1e6:.2f}" if micros >= CENT or not micros else format_money(micros)
