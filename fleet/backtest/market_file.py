"""Markets from files: traces of capacity, tables of prices, and a fleet's own history. A file that lies is refused."""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from fleet.backtest.from_history import history_market
from fleet.backtest.market import Climate, Drawn, Market, Pool, Record, Recorded
from fleet.backtest.named import NAMES, climate, named_market, parameters
from fleet.backtest.sold import allowed, on_demand_price, places, region_of, sim_type, types_for, wanted_types
from fleet.core.history import KIND
from fleet.model.base import Micros, Seconds
from fleet.model.errors import FleetError
from fleet.model.job import Job
from fleet.providers.sim.market import SimType

FORMS = (
    "A market is calm, average or stormy; or a file: a trace (.json), a folder of traces, a table of prices (.csv, "
    ".csv.gz), or what `fleet history export` wrote."
)
TRACE_FORM = 'A trace holds {"metadata": {"gap_seconds": 600}, "data": [0, 1, …]} and is called like us-west-2b_v100_1.json.'
TABLE_FORM = "A table of prices has the columns date, region, instance_type and spot_price_usd_per_hour."
DAY: Seconds = 86_400
MOST_DOLLARS = 10_000.0
"""An hour of a machine costs less."""
TRACED = {("v100", "1"): "p3.2xlarge", ("v100", "8"): "p3.16xlarge", ("k80", "1"): "p2.xlarge", ("k80", "8"): "p2.8xlarge"}
BANDS = {"<5%": "calm", "5-10%": "calm", "10-15%": "average", "15-20%": "average", ">20%": "stormy"}
MOST_BYTES = 200_000_000


def open_market(what: str, job: Job) -> Market:
    """The market of that name, or from that file, as far as a job may use it. Raises FleetError for anything else."""
    if what in NAMES:
        return named_market(what, job)
    path = Path(what)
    if path.is_dir():
        return trace_market(sorted(path.glob("*.json")), what, job)
    if not path.exists():
        raise FleetError(f"there is no market {what!r}, and no such file", FORMS)
    if path.stat().st_size > MOST_BYTES:
        raise FleetError(f"{what} has {path.stat().st_size:,} bytes: that is no market", FORMS)
    if path.name.endswith((".csv", ".csv.gz")):
        return price_market(path, job)
    found = _json(path)
    if isinstance(found, dict) and found.get("kind") == KIND:
        return history_market(found, what, job)
    return trace_market([path], what, job)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FleetError(f"{path} cannot be read as a market: {error}", FORMS) from None


# --- traces


def trace_market(paths: list[Path], name: str, job: Job) -> Recorded:
    """Measured capacity of some zones, which share a clock. Prices are the named markets': a share of on-demand's."""
    if not paths:
        raise FleetError(f"{name} holds no traces", TRACE_FORM)
    pools: dict[Pool, Record] = {}
    types: dict[str, SimType] = {}
    regions: dict[str, tuple[str, ...]] = {}
    elsewhere: set[str] = set()
    spans: list[Seconds] = []
    notes: list[str] = []
    own = types_for(job, notes) if wanted_types(job) else {}
    for path in paths:
        zone, kind = _named(path)
        region = region_of(zone)
        data, gap = _trace(path)
        if not allowed(job, region, zone):
            elsewhere.add(zone)
            continue
        names = own or {kind: sim_type(kind, None)}
        for each, sold in names.items():
            types[each] = sold
            share = round(sold.on_demand * parameters()["share"])
            pools[zone, each] = Record(tuple(_edges(data, gap)), data[0], ((0.0, share),))
        regions[region] = tuple(dict.fromkeys((*regions.get(region, ()), zone)))
        spans.append(len(data) * gap)
    if not pools:
        raise FleetError(
            f"{name} has nothing that this job could use: its zones are {', '.join(sorted(elsewhere))}", TRACE_FORM
        )
    notes += [
        f"capacity is measured: {len(spans)} trace(s) over {min(spans) / DAY:.1f} days, each run from another moment",
        f"spot costs {parameters()['share']:.3f} of on demand: a trace tells no prices",
    ]
    return Recorded(name, types, regions, pools, min(spans), tuple(dict.fromkeys(notes)))


def _named(path: Path) -> tuple[str, str]:
    """Zone and type by the file's name."""
    zone, *rest = path.name.removesuffix(".json").split("_")
    return zone, TRACED.get((rest[0], rest[1]), "p3.2xlarge") if len(rest) == 2 else "p3.2xlarge"


def _trace(path: Path) -> tuple[list[bool], Seconds]:
    found = _json(path)
    try:
        gap, data = found["metadata"]["gap_seconds"], found["data"]
    except (KeyError, TypeError):
        raise FleetError(f"{path} is no trace: metadata.gap_seconds or data is missing", TRACE_FORM) from None
    if not _number(gap) or not 0 < gap <= 30 * DAY:
        raise FleetError(f"{path}: gap_seconds is {gap!r}, no length of a tick", TRACE_FORM)
    if not isinstance(data, list) or not data:
        raise FleetError(f"{path}: it has no data", TRACE_FORM)
    for index, value in enumerate(data):
        if not (isinstance(value, bool) or _number(value)) or value < 0:
            raise FleetError(f"{path}: data[{index}] is {value!r}, no number of machines", TRACE_FORM)
    return [value >= 1 for value in data], float(gap)


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _edges(data: list[bool], gap: Seconds) -> Iterator[Seconds]:
    return (index * gap for index in range(1, len(data)) if data[index] != data[index - 1])


# --- tables of prices


def price_market(path: Path, job: Job) -> Drawn:
    """Recorded prices by region and type. What a price does not tell is drawn: capacity, by the band of interruptions."""
    rows = list(_rows(path))
    usable = {key: points for key, points in _series(path, rows).items() if _usable(job, *key)}
    if not usable:
        known = sorted({f"{region}/{name}" for _, region, name, _, _ in rows})
        more = f" and {len(known) - 8} more" if len(known) > 8 else ""
        raise FleetError(
            f"{path} has nothing that this job could use: it has {', '.join(known[:8])}{more}",
            "Name one of its regions or types in the job's resources, or leave them out.",
        )
    notes: list[str] = []
    first, last = min(points[0][0] for points in usable.values()), max(points[-1][0] for points in usable.values())
    types = {name: sim_type(name, _usual(name, usable, notes)) for name in sorted({name for _, name in usable})}
    bands = {(region, name): band for _, region, name, _, band in rows}
    records: dict[Pool, Record] = {}
    climates: dict[Pool, Climate] = {}
    for (region, name), points in usable.items():
        for zone in _zones(job, region):
            records[zone, name] = Record((), up=True, prices=tuple((at - first, price) for at, price in points))
            climates[zone, name] = climate(BANDS.get(bands[region, name].replace(" ", ""), "average"))
    regions = {region: _zones(job, region) for region in sorted({region for region, _ in usable})}
    notes += [
        f"prices are recorded: {len(usable)} pool(s) from {_day(first)} to {_day(last)}, each run from another day of them",
        "capacity is drawn, by the band of interruptions: prices do not tell it",
    ]
    return Drawn(str(path), types, regions, climates, tuple(dict.fromkeys(notes)), records, last - first + DAY)


def _zones(job: Job, region: str) -> tuple[str, ...]:
    """Prices are the region's: its zones have them in common, and each its own capacity."""
    named = tuple(zone for r, zone in places(job) if r == region and zone)
    return named or tuple(f"{region}{letter}" for letter in "abc")


def _usable(job: Job, region: str, name: str) -> bool:
    wanted = wanted_types(job)
    return any(allowed(job, region, zone) for zone in _zones(job, region)) and (not wanted or name in wanted)


def _day(at: Seconds) -> str:
    return f"{datetime.fromtimestamp(at, timezone.utc):%Y-%m-%d}"


def _usual(name: str, usable: Mapping[tuple[str, str], list[tuple[Seconds, Micros]]], notes: list[str]) -> Micros:
    known = on_demand_price(name)
    if known is not None:
        return known
    highest = max(price for (_, one), points in usable.items() if one == name for _, price in points)
    notes.append(f"what {name} costs on demand is not known here: its highest spot price is taken")
    return highest


Row = tuple[Seconds, str, str, Micros, str]


def _rows(path: Path) -> Iterator[Row]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = {"date", "region", "instance_type", "spot_price_usd_per_hour"} - set(reader.fieldnames or ())
            if missing:
                raise FleetError(f"{path} has no column {', '.join(sorted(missing))}", TABLE_FORM)
            for line, row in enumerate(reader, 2):
                yield _row(path, line, row)
    except (OSError, UnicodeDecodeError, csv.Error, EOFError) as error:
        raise FleetError(f"{path} cannot be read as a table of prices: {error}", TABLE_FORM) from None


def _row(path: Path, line: int, row: Mapping[str, Any]) -> Row:
    told = row["spot_price_usd_per_hour"]
    try:
        price = float(told)
    except (TypeError, ValueError):
        price = math.nan
    if not 0 < price <= MOST_DOLLARS:
        raise FleetError(f"{path}:{line}: {told!r} is no price of a machine's hour", TABLE_FORM)
    try:
        at = datetime.combine(date.fromisoformat(str(row["date"])), datetime.min.time(), timezone.utc).timestamp()
    except ValueError:
        raise FleetError(f"{path}:{line}: {row['date']!r} is no date like 2026-08-22", TABLE_FORM) from None
    if not row["region"] or not row["instance_type"]:
        raise FleetError(f"{path}:{line}: the region or the type is missing", TABLE_FORM)
    return at, row["region"], row["instance_type"], round(price * 1e6), str(row.get("interruption_frequency") or "")


def _series(path: Path, rows: Iterable[Row]) -> dict[tuple[str, str], list[tuple[Seconds, Micros]]]:
    found: dict[tuple[str, str], list[tuple[Seconds, Micros]]] = {}
    for line, (at, region, name, price, _) in enumerate(rows, 2):
        points = found.setdefault((region, name), [])
        if points and at <= points[-1][0]:
            raise FleetError(
                f"{path}:{line}: {_day(at)} comes after {_day(points[-1][0])}: sort {name} in {region} by date", TABLE_FORM
            )
        points.append((at, price))
    return found
