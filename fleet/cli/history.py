"""``fleet history``."""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.cli.output import emit, say
from fleet.cli.table import print_table
from fleet.cli.views import dollars
from fleet.control.history import History
from fleet.control.opened import opened
from fleet.core.history import KIND, VERSION, HistoryRecord, PoolHistory, by_pool, history
from fleet.model.base import Seconds
from fleet.model.errors import FleetError
from fleet.model.units import format_duration, parse_duration

if TYPE_CHECKING:
    from fleet.cli.objects import HistoryExportObject, HistoryRecordObject, PoolHistoryObject

HEAD = ("POOL", "MARKET", "LAUNCHES", "REFUSALS", "INTERRUPTIONS", "MACHINE TIME", "MEAN LIFE")
FIELDS = (
    "at", "what", "provider", "region", "zone", "instance_type", "market", "usd_per_hour", "ran_seconds", "run",
)  # fmt: skip


def show(bucket: str | None, since: str | None, *, as_json: bool) -> int:
    """A line for each pool."""
    records, now = _records(bucket, since)
    pools = by_pool(records, now)
    if as_json:
        emit([_pool(one) for one in pools])
        return 0
    if not pools:
        print("nothing was launched yet, as far as the journals here tell")
        return 0
    print_table([HEAD, *(_row(one) for one in pools)])
    return 0


def export(file: Path | None, bucket: str | None, since: str | None, *, with_runs: bool, as_csv: bool) -> int:
    """Every record, the earliest first."""
    records, now = _records(bucket, since)
    written = [_record(one, with_runs=with_runs) for one in records]
    told: HistoryExportObject = {"v": VERSION, "kind": KIND, "exported_at": round(now, 3), "records": written}
    text = _csv(written) if as_csv else json.dumps(told, indent=1, allow_nan=False) + "\n"
    if file is None:
        sys.stdout.write(text)
        return 0
    file.write_text(text, encoding="utf-8")
    say(f"{len(records)} records in {file}")
    return 0


def _records(bucket: str | None, since: str | None) -> tuple[list[HistoryRecord], Seconds]:
    """Of every fleet that is known here, and the time."""
    try:
        span = parse_duration(since) if since is not None else None
    except ValueError as error:
        raise FleetError(f"--since: {error}", "For example: --since 30d") from None
    found: list[HistoryRecord] = []
    now = 0.0
    for controller in opened(bucket):
        now = max(now, controller.objects.now())
        found += history(event for _, event in History(controller).read())
    now = now or time.time()
    kept = [record for record in found if span is None or record.at >= now - span]
    return sorted(kept, key=lambda record: record.at), now


def _record(one: HistoryRecord, *, with_runs: bool) -> HistoryRecordObject:
    return {
        "at": round(one.at, 3),
        "what": one.what,
        "provider": one.provider,
        "region": one.region,
        "zone": one.zone,
        "instance_type": one.instance_type,
        "market": one.market.value,
        "usd_per_hour": dollars(one.price) if one.price is not None else None,
        "ran_seconds": round(one.seconds, 3) if one.seconds is not None else None,
        "run": one.run if with_runs else None,
    }


def _csv(records: list[HistoryRecordObject]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue()


def _pool(one: PoolHistory) -> PoolHistoryObject:
    return {
        "pool": "/".join(one.pool),
        "market": one.market.value,
        "launches": one.launches,
        "refusals": one.refusals,
        "interruptions": one.interruptions,
        "ran_seconds": round(one.seconds, 3),
        "mean_life_seconds": round(one.mean_life, 3) if one.mean_life is not None else None,
        "last_at": round(one.last, 3),
    }


def _row(one: PoolHistory) -> tuple[str, ...]:
    life = format_duration(one.mean_life) if one.mean_life is not None else "never taken" if one.launches else "-"
    counts = (one.launches, one.refusals, one.interruptions)
    return ("/".join(one.pool), one.market.value, *map(str, counts), format_duration(one.seconds), life)
