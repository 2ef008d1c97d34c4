"""``fleet prices``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fleet.cli.output import emit, say
from fleet.cli.plain import plain
from fleet.cli.price_plot import told_price
from fleet.cli.sparkline import sparkline
from fleet.cli.table import print_table
from fleet.cli.views import dollars
from fleet.control.home import Home, open_home
from fleet.control.names import nearest
from fleet.model.errors import ErrorClass, FleetError, ProviderError
from fleet.providers.aws.catalog import accelerators
from fleet.providers.aws.config import default_region
from fleet.providers.aws.gpus import GPUS
from fleet.providers.aws.missing import Missing
from fleet.providers.aws.overview import Overview, Row, Source, Wish, look
from fleet.providers.aws.pricecache import told_age
from fleet.providers.aws.pricing import known_regions

if TYPE_CHECKING:
    from fleet.cli.objects import MissingObject, PriceObject, PricesObject, PriceSourceObject

SPARE = ("VCPUS", "RANGE", "ACCELERATORS", "INTERRUPTED", "ON-DEMAND")
STACKS = 4
"""What runs on a GPU is told where so many kinds are shown at most."""
_WHAT = {"spot": "spot", "history": "over time", "on-demand": "on demand", "bands": "interrupted"}


def show(wish: Wish, *, plot: Path | None, refresh: bool, as_json: bool) -> int:
    """A table of prices, cheapest first, with the age of every figure; 1 if nothing that was named is offered."""
    if plot is not None and plot.suffix not in (".html", ".png"):
        raise FleetError(f"--plot writes .html or .png, not {plot.suffix or plot.name!r}", "For example: --plot prices.html")
    home = open_home()
    profile, regions = _configured(home)
    wish = _with_regions(wish, regions, profile)
    seen = _looked(wish, home, profile, force=refresh)
    for note in seen.notes:
        sys.stderr.write(plain(f"note: {note}") + "\n")
    if plot is not None:
        _plot(seen, plot)
    if as_json:
        emit(prices_object(seen))
    else:
        _print(seen, wish)
    if plot is not None:
        say(f"plotted    {plot}")
    return 0 if seen.rows else 1


def _configured(home: Home) -> tuple[str | None, tuple[str, ...]]:
    """The profile and the regions that ``fleet init aws`` was told, if it was; no call is made for it."""
    try:
        found = json.loads((home.path / "aws.json").read_text(encoding="utf-8"))
        return found.get("profile"), tuple(map(str, found.get("regions", ())))
    except (OSError, ValueError, AttributeError, TypeError):
        return None, ()


def _with_regions(wish: Wish, configured: tuple[str, ...], profile: str | None) -> Wish:
    if wish.regions:
        return wish
    regions = configured
    if not regions:
        region = default_region(profile)
        if region is None:
            raise FleetError(
                "no region is named, and the AWS configuration names none", "Add for example --region us-east-1."
            )
        regions = (region,)
    return Wish(regions, wish.types, wish.gpu, wish.days, wish.scores)


def _looked(wish: Wish, home: Home, profile: str | None, *, force: bool) -> Overview:
    """The look itself; a region that nobody knows is most likely a slip of the pen."""

    def on_region(region: str) -> None:
        if len(wish.regions) > 1 and sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[Klooking at {region}")
            sys.stderr.flush()

    try:
        return look(wish, home.cache / "aws", profile=profile, force=force, on_region=on_region)
    except ProviderError as error:
        strange = [region for region in wish.regions if region not in known_regions()]
        if strange and error.error_class in (ErrorClass.TRANSIENT, ErrorClass.UNKNOWN):
            hint = f"{strange[0]}: {nearest(strange[0], known_regions())}"
            raise ProviderError(error.error_class, error.code, error.message, error.hint or hint) from None
        raise
    finally:
        if len(wish.regions) > 1 and sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _plot(seen: Overview, path: Path) -> None:
    from fleet.cli.price_plot import page, panels

    drawn = panels(seen)
    if not drawn:
        raise FleetError("there is no price to plot", "`fleet prices` without --plot says why.")
    if path.suffix == ".html":
        path.write_text(page(seen, drawn), encoding="utf-8")
    else:
        from fleet.cli.price_png import draw

        draw(seen, drawn, path)


def _print(seen: Overview, wish: Wish) -> None:
    brief = not wish.types and not wish.gpu
    rows = _cheapest_zones(seen.rows) if brief else seen.rows
    if rows:
        head = ("TYPE", "ZONE", "ACCELERATORS", "VCPUS", "SPOT/H", "ON-DEMAND", "SAVED", "INTERRUPTED",
                f"{wish.days} DAYS", "RANGE", *(("SCORE",) if wish.scores else ()))  # fmt: skip
        print_table([head, *(_row(one, seen, scores=wish.scores) for one in rows)], SPARE)
        print()
    if brief:
        print("Each type's cheapest zone. All zones, other types: fleet prices g4dn.xlarge 'g6.*', fleet prices --gpu L4\n")
    for line in (*_told_sources(seen), *_stacks(rows)):
        print(plain(line))
    for missing in seen.missing:
        print(plain(f"missing      {missing.told}"))


def _cheapest_zones(rows: Sequence[Row]) -> list[Row]:
    found: dict[tuple[str, str], Row] = {}
    for row in rows:  # the cheapest come first
        found.setdefault((row.region, row.instance_type), row)
    return list(found.values())


def _row(row: Row, seen: Overview, *, scores: bool) -> tuple[str, ...]:
    usual, saved = row.on_demand, _saving(row)
    prices = [price for _, price in row.points]
    devices = accelerators(row.facts)
    cells = (
        row.instance_type,
        row.zone,
        (f"{len(devices)}x{devices[0]}" if len(devices) > 1 else devices[0]) if devices else "-",
        str(row.facts.vcpus) if row.facts else "-",
        told_price(row.spot) if row.spot is not None else "-",
        ("~" if usual.source == "estimate" else "") + told_price(usual.price) if usual else "-",
        f"{saved}%" if saved is not None else "-",
        row.band.label if row.band else "-",
        sparkline(row.points, seen.since, seen.at),
        f"{told_price(min(prices))} to {told_price(max(prices))}" if prices else "-",
    )
    return (*cells, str(row.score) if row.score is not None else "-") if scores else cells


def _saving(row: Row) -> int | None:
    """In percent of on-demand's price; negative where spot is dearer."""
    if row.spot is None or row.on_demand is None:
        return None
    return round(100 * (1 - row.spot / row.on_demand.price))


def _told_sources(seen: Overview) -> Iterator[str]:
    """A line for each kind of figure; regions that say the same share one."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for source in seen.sources:
        grouped.setdefault((source.what, _told(source, seen.at)), []).append(source.region)
    for (what, told), regions in grouped.items():
        where = f" ({', '.join(regions)})" if any(regions) and len({s.region for s in seen.sources if s.region}) > 1 else ""
        yield f"{_WHAT[what]:<12} {told}{where}"


def _told(source: Source, now: float) -> str:
    if source.at is None:
        return f"not available: {source.problem or 'nothing was told'}"
    if source.what == "on-demand" and source.origin != "AWS Price List":
        told = f"{source.origin}, of {datetime.fromtimestamp(source.at, timezone.utc):%Y-%m-%d}"
        why = f"; the price list could not be asked: {source.problem}" if source.problem else ""
        return f"~ {told}" if source.origin.startswith("worked") else f"{told}{why}"
    told = f"{source.origin}, {told_age(max(0.0, now - source.at))}"
    return f"{told}; not newer: {source.problem}" if source.problem else told


def _stacks(rows: Sequence[Row]) -> Iterator[str]:
    gpus = list(dict.fromkeys(row.facts.gpu for row in rows if row.facts and row.facts.gpu in GPUS))
    for name in gpus if len(gpus) <= STACKS else ():
        gpu = GPUS[name or ""]
        driver = f"driver {gpu.branch}, CUDA up to {gpu.cuda}; " if gpu.branch else ""
        yield f"{name:<12} {driver}{gpu.note}"


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
        "saving_percent": _saving(row),
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
