"""The parameters of the named markets, from measured traces and prices.

    python -m fleet.backtest.calibrate TRACES PRICES > fleet/backtest/climates.json

``TRACES`` is a folder of spot-traces' files (searched with everything below it), ``PRICES`` a table of daily prices as
``fleet simulate --market`` takes it. The same files give the same parameters.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import statistics
import sys
from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

QUANTILES = 41
SHARE = 0.318
"""Spot's price of a p3.2xlarge in the traces' time and place, $0.9731 an hour, over on-demand's, $3.06."""
DAY = 86_400
LEAST_DAYS = 30
MOST_JUMP = 1.0
"""Of a price's logarithm in a day: more is another type under the same name, or a gap."""


def lengths(data: list[bool], gap: float) -> tuple[list[float], list[float]]:
    """How long a pool was up and down, in seconds: without the first stretch and the last, which were cut off."""
    runs = [(up, sum(1 for _ in group) * gap) for up, group in groupby(data)][1:-1]
    return [seconds for up, seconds in runs if up], [seconds for up, seconds in runs if not up]


def kind(data: list[bool], gap: float) -> str:
    """Which of the named markets a trace belongs to: by how often it changes, and how much of the time it has capacity."""
    changes = sum(a != b for a, b in pairwise(data)) / (len(data) * gap / DAY)
    share = sum(data) / len(data)
    if share >= 0.8 and changes <= 10:
        return "calm"
    return "stormy" if changes > 15 else "average"


def quantiles(values: list[float]) -> list[float]:
    """Evenly spaced, the least and the greatest among them."""
    ordered = sorted(values)
    places = [share * (len(ordered) - 1) / (QUANTILES - 1) for share in range(QUANTILES)]
    return [
        round(ordered[int(p)] + (p - int(p)) * (ordered[min(int(p) + 1, len(ordered) - 1)] - ordered[int(p)]))
        for p in places
    ]


def prices_of(path: Path) -> Iterator[list[float]]:
    """The logarithms of each type's daily prices in each region."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        series: dict[tuple[str, str], list[float]] = {}
        for row in csv.DictReader(file):
            key = (row["region"], row["instance_type"])
            series.setdefault(key, []).append(math.log(float(row["spot_price_usd_per_hour"])))
    yield from (values for values in series.values() if len(values) >= LEAST_DAYS)


def climates(traces: Path, prices: Path) -> dict[str, Any]:
    """Everything."""
    up: dict[str, list[float]] = {}
    down: dict[str, list[float]] = {}
    used: dict[str, list[str]] = {}
    for path in sorted(traces.glob("**/availability/1-node/**/*.json")):
        found = json.loads(path.read_text())
        data, gap = [value >= 1 for value in found["data"]], float(found["metadata"]["gap_seconds"])
        ups, downs = lengths(data, gap)
        if len(ups) < 5 or len(downs) < 5:
            continue
        name = kind(data, gap)
        up.setdefault(name, []).extend(ups)
        down.setdefault(name, []).extend(downs)
        used.setdefault(name, []).append("/".join(path.parts[-2:]))
    series = list(prices_of(prices))
    level = statistics.median(statistics.pstdev(values) for values in series)
    moves = [abs(b - a) for values in series for a, b in pairwise(values) if abs(b - a) < MOST_JUMP]
    move = math.sqrt(statistics.fmean(m * m for m in moves))
    return {
        "provenance": {
            "capacity": 'skypilot-org/spot-traces and Michaelvll/skypilot-spot-strategy ("Can\'t Be Late", NSDI 2024): AWS, '
            "V100 and K80, measured from November 2022 to March 2023, one node",
            "prices": "aws-deepracer-community/deepracer-on-the-spot, daily prices, August 2024 to August 2026",
            "command": "python -m fleet.backtest.calibrate TRACES PRICES > fleet/backtest/climates.json",
        },
        "share": SHARE,
        "level": round(level, 4),
        "move": round(move, 4),
        "markets": {
            name: {"traces": used[name], "up": quantiles(up[name]), "down": quantiles(down[name])} for name in sorted(up)
        },
    }


if __name__ == "__main__":
    print(json.dumps(climates(Path(sys.argv[1]), Path(sys.argv[2])), indent=1))
