"""``fleet offers``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fleet import api
from fleet.cli.forecast import told_hours
from fleet.cli.output import emit
from fleet.cli.table import print_table
from fleet.cli.views import dollars
from fleet.control.offering import Plan, Priced
from fleet.core.survival import Hints
from fleet.core.worth import Worth
from fleet.model.units import format_money

if TYPE_CHECKING:
    from fleet.cli.objects import RankedObject, RankingObject

HEAD = (
    "ZONE", "TYPE", "MARKET", "TRAINING/H", "$/H", "ON-DEMAND", "LIFE", "TAKEN 1H", "6H", "OVERHEAD", "SPEED",
    "CHANCE", "GOT/REFUSED/TAKEN", "BAND", "SCORE", "",
)  # fmt: skip
SPARE = ("SCORE", "ON-DEMAND", "CHANCE", "BAND", "SPEED", "6H")
SHOWN = 40
"""Offers that people are shown; JSON has all."""


@dataclass(frozen=True, slots=True)
class Words:
    """What is wanted, where no job says it."""

    gpu: str | None = None
    types: tuple[str, ...] = ()
    infra: str | None = None
    market: Literal["spot", "spot-first", "on-demand"] = "spot-first"


def show(job: Path | None, words: Words, *, everything: bool, as_json: bool) -> int:
    """A table of offers, the best first. Nothing is written, not even a fleet."""
    plan = api.offers(job, gpu=words.gpu, types=words.types, infra=words.infra, market=words.market)
    ranked = [(one, one.worth) for one in plan.offers if one.worth is not None]
    ranked.sort(key=lambda pair: (pair[1].per_hour, pair[0].offer.key))
    if as_json:
        emit(ranking_object(plan, ranked))
        return 0
    shown = ranked if everything else ranked[:SHOWN]
    print_table([HEAD, *(_row(one, found) for one, found in shown)], SPARE)
    for line in _below(plan, ranked, len(ranked) - len(shown)):
        print(line)
    return 0


def _below(plan: Plan, ranked: Sequence[tuple[Priced, Worth]], hidden: int) -> Iterator[str]:
    if hidden:
        yield f"and {hidden} more: --all"
    yield f"\nwhy    {plan.why}"
    speeds = {found.speed_known for _, found in ranked}
    if False in speeds:
        which = "a type's speed is" if speeds == {False} else "the speed of types with '-' is"
        yield f"speed  {which} not known, and taken for 1, until a run of the job's name trained on it"
    for line in plan.notes:
        yield f"note   {line}"


def _row(one: Priced, found: Worth) -> tuple[str, ...]:
    offer, seen, hints = one.offer, found.outlook, one.hints or Hints()
    spot = found.life is not None
    history = f"{seen.launched:.0f}/{seen.refused:.0f}/{seen.taken:.0f}" if seen.launched + seen.refused > 0 else "-"
    mark = "chosen" if one.chosen else "left alone for a while" if one.cooling else ""
    return (
        offer.zone,
        offer.instance_type,
        offer.market.value,
        format_money(found.per_hour),
        format_money(offer.price),
        format_money(offer.on_demand_price),
        told_hours(found.life) if found.life is not None else "-",
        f"{found.taken_1h:.0%}" if spot else "-",
        f"{found.taken_6h:.0%}" if spot else "-",
        f"{1 - found.kept:.1%}",
        f"{found.speed:.2f}" if found.speed_known else "-",
        f"{seen.chance:.0%}" if spot else "-",
        history if spot else "-",
        (hints.label or "-") if spot else "-",
        str(hints.score or "-") if spot else "-",
        mark,
    )


def ranking_object(plan: Plan, ranked: Sequence[tuple[Priced, Worth]]) -> RankingObject:
    """The offers as ``-o json`` prints them."""
    return {"offers": [_object(one, found) for one, found in ranked], "why": plan.why, "notes": list(plan.notes)}


def _object(one: Priced, found: Worth) -> RankedObject:
    offer, seen, hints = one.offer, found.outlook, one.hints or Hints()
    spot = found.life is not None
    return {
        "offer": offer.key,
        "provider": offer.provider,
        "region": offer.region,
        "zone": offer.zone,
        "instance_type": offer.instance_type,
        "market": offer.market.value,
        "accelerators": list(offer.accelerators),
        "usd_per_training_hour": dollars(found.per_hour),
        "usd_per_hour": dollars(offer.price),
        "on_demand_usd_per_hour": dollars(offer.on_demand_price),
        "with_all_usd_per_hour": dollars(found.hourly),
        "expected_life_seconds": round(found.life) if found.life is not None else None,
        "chance_taken_1h": round(found.taken_1h, 4),
        "chance_taken_6h": round(found.taken_6h, 4),
        "overhead_share": round(1 - found.kept, 4),
        "speed_ratio": round(found.speed, 3) if found.speed_known else None,
        "chance": round(seen.chance, 3) if spot else 1.0,
        "launched_count": round(seen.launched, 2) if spot else 0.0,
        "refused_count": round(seen.refused, 2) if spot else 0.0,
        "taken_count": round(seen.taken, 2) if spot else 0.0,
        "interruption": hints.label if spot else None,
        "placement_score": hints.score if spot else None,
        "chosen": one.chosen,
        "cooling": one.cooling,
    }
