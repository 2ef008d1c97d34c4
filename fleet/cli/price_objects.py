"""Prices as ``-o json`` prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fleet.cli.price_words import dollars, saving
from fleet.providers.priced import Missing, Overview, Row, Source, accelerators

if TYPE_CHECKING:
    from fleet.cli.objects import MissingObject, PriceObject, PricesObject, PriceSourceObject


def prices_object(seen: Overview) -> PricesObject:
    """What ``-o json`` prints: every zone, whatever people are shown."""
    return {
        "at": seen.at,
        "prices": [_price_object(row) for row in seen.rows],
        "missing": [_missing_object(one) for one in seen.missing],
        "sources": [_source_object(one) for one in seen.sources],
        "notes": list(seen.notes),
    }


def _price_object(row: Row) -> PriceObject:
    facts, usual = row.facts, row.on_demand
    return {
        "region": row.region,
        "zone": row.zone,
        "instance_type": row.instance_type,
        "accelerators": list(accelerators(facts)),
        "arch": facts.arch if facts else None,
        "vcpus": facts.vcpus if facts else None,
        "memory_gb": round(facts.memory_gib * 1.073741824, 1) if facts else None,
        "driver": facts.driver_branch if facts else None,
        "cuda": (facts.cuda or None) if facts else None,
        "stack": facts.stack if facts else "",
        "spot_usd_per_hour": dollars(row.spot) if row.spot is not None else None,
        "on_demand_usd_per_hour": dollars(usual.price) if usual else None,
        "on_demand_from": usual.source if usual else None,
        "saving_percent": saving(row),
        "interruption": row.band.label if row.band else None,
        "placement_score": row.score,
        "history": [{"at": at, "usd_per_hour": dollars(price)} for at, price in row.points],
    }


def _missing_object(missing: Missing) -> MissingObject:
    return {
        "what": missing.what,
        "why": missing.why,
        "instead": [
            {
                "instance_type": one.instance_type,
                "offer": one.offer.key if one.offer else None,
                "usd_per_hour": dollars(one.offer.price) if one.offer else None,
            }
            for one in missing.instead
        ],
    }


def _source_object(source: Source) -> PriceSourceObject:
    return cast(
        "PriceSourceObject",
        {"what": source.what, "region": source.region, "origin": source.origin, "at": source.at, "problem": source.problem},
    )
