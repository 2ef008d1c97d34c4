"""Recompute fleet/core/survival_learned.py from a folder of availability traces.

    python scripts/calibrate_survival.py DIR [--check] [--out FILE]

DIR holds JSON files anywhere below it: ``{"metadata": {"gap_seconds": 600}, "data": [1, 1, 0, …]}``, one pool each, 1 where
a machine could be had. What is fitted: the hazard per hour by the age of the present run, for up and for down, all pools of
a class together, each with a factor of its own that is drawn from a gamma distribution with mean 1 (a frailty model, by EM).
``--check`` fits on the first half of every trace and tells how well the second half is foretold.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import math
import pprint
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

EDGES = (600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 86400.0, math.inf)
"""Ends of the classes of age, seconds: fleet/core/pools.py has the same."""
OUT = Path(__file__).parent.parent / "fleet" / "core" / "survival_learned.py"
HEAD = '''"""How long machines live and pools stay refused. Written by scripts/calibrate_survival.py: do not edit."""

from __future__ import annotations

from typing import Any

'''
ROUNDS = 200
LEAST_SHAPE, MOST_SHAPE = 0.2, 50.0


@dataclass
class Pool:
    """One trace: for 0 and 1 the hours under observation and the ends, by age."""

    name: str
    several: bool
    """A machine with more than one accelerator."""
    share_up: float
    hours: dict[int, list[float]] = field(default_factory=lambda: {v: [0.0] * len(EDGES) for v in (0, 1)})
    ends: dict[int, list[int]] = field(default_factory=lambda: {v: [0] * len(EDGES) for v in (0, 1)})


def read_pool(path: Path, root: Path, part: slice = slice(None)) -> Pool | None:
    """One trace; None if it counts several machines at once, or is too short to say anything."""
    found = json.loads(path.read_text(encoding="utf-8"))
    gap, data = float(found["metadata"]["gap_seconds"]), found["data"]
    if max(data, default=0) > 1 or len(data) < 4:
        return None
    half = len(data) // 2
    data = data[slice(half * (part.start or 0), half * (part.stop or 2) + 1)]
    count = path.stem.rpartition("_")[2]
    name = str(path.relative_to(root).with_suffix(""))
    pool = Pool(name, count.isdigit() and int(count) > 1, sum(data) / len(data))
    start = 0
    for index in range(1, len(data) + 1):
        if index < len(data) and data[index] == data[start]:
            continue
        if start > 0:  # nobody knows since when the first run lasted
            _count(pool, data[start], (index - start) * gap - (gap / 2 if index < len(data) else 0), index < len(data))
        start = index
    return pool


def _count(pool: Pool, value: int, length: float, ended: bool) -> None:
    low = 0.0
    for k, high in enumerate(EDGES):
        pool.hours[value][k] += max(0.0, min(length, high) - low) / 3600
        pool.ends[value][k] += ended and low <= length < high
        low = high


def fit(pools: list[Pool], value: int) -> dict[str, object]:
    """The hazards per hour by age, and the shape of the pools' factors around 1."""
    ages = range(len(EDGES))
    ends = [sum(p.ends[value][k] for p in pools) for k in ages]
    hazards = [_ratio(ends[k], sum(p.hours[value][k] for p in pools)) for k in ages]
    shape = 1.0
    for _ in range(ROUNDS):
        expected = [sum(h * t for h, t in zip(hazards, p.hours[value], strict=True)) for p in pools]
        factors = [(shape + sum(p.ends[value])) / (shape + x) for p, x in zip(pools, expected, strict=True)]
        weighed = [sum(f * p.hours[value][k] for f, p in zip(factors, pools, strict=True)) for k in ages]
        hazards = [_ratio(n, hours) for n, hours in zip(ends, weighed, strict=True)]
        shape = _best_shape([(sum(p.ends[value]), x) for p, x in zip(pools, expected, strict=True)])
    return {"hazard_per_hour": [round(h, 4) for h in _falling(hazards)], "shape": round(shape, 3)}


def _ratio(ends: float, hours: float) -> float:
    """With a tenth of an event added: a class of age that few runs reached is not taken for safe."""
    return (ends + 0.1) / (hours + 0.5)


def _falling(hazards: list[float]) -> list[float]:
    """No age is more dangerous than the one before: so it is but for chance, where few runs reach an age."""
    return list(itertools.accumulate(hazards, min))


def _best_shape(seen: list[tuple[int, float]]) -> float:
    """By maximum likelihood: the number of ends is negative binomial."""

    def likelihood(a: float) -> float:
        return sum(
            math.lgamma(a + n) - math.lgamma(a) + a * math.log(a / (a + x)) + (n * math.log(x / (a + x)) if n else 0.0)
            for n, x in seen
            if x > 0
        )

    grid = [LEAST_SHAPE * (MOST_SHAPE / LEAST_SHAPE) ** (i / 120) for i in range(121)]
    return max(grid, key=likelihood)


def fit_share(pools: list[Pool]) -> dict[str, float]:
    """A beta distribution of the pools' shares of time in which a machine could be had, by its moments."""
    shares = [p.share_up for p in pools]
    mean = sum(shares) / len(shares)
    spread = sum((s - mean) ** 2 for s in shares) / max(1, len(shares) - 1)
    strength = max(0.5, mean * (1 - mean) / spread - 1)
    return {"had": round(mean * strength, 3), "refused": round((1 - mean) * strength, 3)}


def check(root: Path, paths: list[Path]) -> None:
    """Log-likelihood per end of the second halves: by one rate, by age, and by age and what the pool's first half showed."""
    for value in (1, 0):
        pairs = [(read_pool(p, root, slice(0, 1)), read_pool(p, root, slice(1, 2))) for p in paths]
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        found = fit([a for a, _ in known], value)
        hazards, shape = found["hazard_per_hour"], found["shape"]
        assert isinstance(hazards, list)
        assert isinstance(shape, float)
        rate = sum(sum(a.ends[value]) for a, _ in known) / sum(sum(a.hours[value]) for a, _ in known)
        scores, ends = [0.0, 0.0, 0.0], 0
        for a, b in known:
            own = (shape + sum(a.ends[value])) / (shape + sum(h * t for h, t in zip(hazards, a.hours[value], strict=True)))
            for i, hs in enumerate(([rate] * len(EDGES), hazards, [own * h for h in hazards])):
                both = zip(hs, b.ends[value], b.hours[value], strict=True)
                scores[i] += sum(n * math.log(h) - h * t for h, n, t in both)
            ends += sum(b.ends[value])
        names = ("one rate", "age", "age and pool")
        told = ", ".join(f"{name} {s / ends:.3f}" for name, s in zip(names, scores, strict=True))
        print(f"{'up' if value else 'down'}: {ends} ends; log-likelihood per end: {told}")


def rendered(told: Mapping[str, object]) -> str:
    """The module, which the formatter then lays out."""
    return f"{HEAD}LEARNED: dict[str, Any] = {pprint.pformat(told, sort_dicts=False, width=120)}\n"


def main() -> None:
    """Read, fit, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dir", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    paths = sorted(given.dir.rglob("*.json"))
    if given.check:
        check(given.dir, paths)
        return
    pools = [pool for path in paths if (pool := read_pool(path, given.dir)) is not None]
    if not pools:
        parser.error(f"{given.dir} holds no trace of one machine")
    classes = {}
    for name, members in (("one", [p for p in pools if not p.several]), ("several", [p for p in pools if p.several])):
        if not members:
            continue
        classes[name] = {
            "up": fit(members, 1),
            "down": fit(members, 0),
            "share": fit_share(members),
            "pools": len(members),
            "ends": sum(sum(p.ends[1]) for p in members),
            "machine_hours": round(sum(sum(p.hours[1]) for p in members)),
        }
    told = {
        "provenance": {
            "by": "scripts/calibrate_survival.py",
            "on": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}",
            "from": "availability and preemption traces of AWS spot machines (K80, V100; November 2022 to April 2023)",
            "traces": [pool.name for pool in pools],
        },
        "age_until_seconds": [edge for edge in EDGES if edge < math.inf],
        "classes": classes,
    }
    given.out.write_text(rendered(told), encoding="utf-8")
    print(f"{given.out}: {len(pools)} pools")


if __name__ == "__main__":
    main()
