"""What the benchmark of policies runs: windows of measured traces, split by time, under the variants' terms."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet.core.deadlines.chances import Learned
from fleet.core.deadlines.learning import learned
from fleet.core.ticks.model import PRICE, Places, Terms
from scripts.calibrate_deadlines import read

HOUR = 3600.0
WORK = 48 * HOUR
TICK = 600.0
VARIANTS = ((52.0, 0.05), (52.0, 0.20), (70.0, 0.05), (70.0, 0.20))
"""Hours of deadline, and of overhead."""
NEWEST = "aws-2023"
"""Nine zones under one clock; the sets before are of two zones and four kinds of machines."""
TRANSFER = 1 / 3.06
"""A dollar, in hours of on-demand: what a change of region costs where there is no deadline."""
LONGEST = 72 * HOUR
"""Without a deadline every window has so much at least before the trace's end."""
BLIND = 0.01
"""A zone with less spot than this teaches and tests nothing."""

ALONE = ("on-demand", "greedy", "uniform-progress", "fleet", "fleet-overlap", "omniscient")
TOGETHER = (*ALONE[:3], "stay-and-wait", "failover", "eager-next-region", *ALONE[3:])
ENDLESS = ("stay-and-wait", "failover", "eager-next-region", "fleet", "omniscient")


@dataclass(frozen=True, slots=True)
class Pool:
    """A trace: where spot was, tick by tick."""

    collection: str
    zone: str
    kind: str
    gap: float
    up: bytes

    @property
    def region(self) -> str:
        """Of the zone."""
        return self.zone[:-1]

    def each(self, tick: float) -> bytes:
        """In other ticks: what the last probe before found."""
        if tick == self.gap:
            return self.up
        return bytes(self.up[int(n * tick / self.gap)] for n in range(int(len(self.up) * self.gap // tick)))


@dataclass(frozen=True, slots=True)
class Window:
    """One run: a stretch of every zone that may serve, and what the bootstrap draws it by."""

    group: str
    zones: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One variant of a section; a section may be part of another one."""

    section: str
    whole: str
    variant: str
    terms: Terms
    places: Places
    windows: tuple[Window, ...]
    policies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """Which half of every trace tests; the other one teaches."""

    count: int
    """Windows of every zone."""
    second: bool = True

    def learned(self, folder: Path) -> Learned:
        """From the half that does not test."""
        if self.second:
            return learned(read(folder, 0.5))
        return learned([[(gap, ups[len(ups) // 2 :]) for gap, ups in group] for group in read(folder)])

    def starts(self, ticks: int, length: int) -> list[int]:
        """First ticks of windows, evenly spread over the half that tests."""
        first, last = (ticks // 2, ticks - length) if self.second else (0, ticks // 2 - length)
        if last < first:
            return []
        return [first + (last - first) * n // max(1, self.count - 1) for n in range(self.count)]


def pools(folder: Path) -> list[Pool]:
    """Every trace of one machine in a folder like that of skypilot-org/spot-traces."""
    found = []
    for path in sorted(folder.glob("availability/1-node/*/*.json")):
        trace = json.loads(path.read_text())
        zone, _, kind = path.stem.partition("_")
        up = bytes(value > 0 for value in trace["data"])
        if sum(up) >= BLIND * len(up):
            found.append(Pool(path.parent.name, zone, kind, trace["metadata"]["gap_seconds"], up))
    return found


def alone(
    section: str,
    some: Sequence[Pool],
    split: Split,
    tick: float = TICK,
    variants: Sequence[tuple[float, float]] = VARIANTS,
) -> Iterator[Case]:
    """Each zone for itself, with a deadline."""
    for deadline, overhead in variants:
        terms = Terms(WORK, deadline * HOUR, overhead * HOUR, tick)
        windows = []
        for pool in some:
            up = pool.each(tick)
            length = int(deadline * HOUR // tick) + 1
            group = f"{pool.zone}_{pool.kind}"
            windows += [Window(group, (up[at : at + length],)) for at in split.starts(len(up), length)]
        yield Case(section, "", named(deadline, overhead), terms, Places((PRICE,), ("",)), tuple(windows), ALONE)


def regional(section: str, some: Sequence[Pool], split: Split) -> Iterator[Case]:
    """Every region for itself, its zones together, with a deadline."""
    regions: dict[str, list[bytes]] = defaultdict(list)
    for pool in some:
        regions[pool.region].append(pool.each(TICK))
    for deadline, overhead in VARIANTS:
        length = int(deadline * HOUR // TICK) + 1
        terms = Terms(WORK, deadline * HOUR, overhead * HOUR, TICK)
        for region, ups in regions.items():
            starts = split.starts(min(map(len, ups)), length)
            windows = tuple(Window(f"{region} {n}", _cut(ups, at, length)) for n, at in enumerate(starts))
            places = Places((PRICE,) * len(ups), (region,) * len(ups))
            part = f"{section}: {region} ({len(ups)})"
            yield Case(part, section, named(deadline, overhead), terms, places, windows, TOGETHER)


def endless(section: str, some: Sequence[Pool], split: Split) -> Iterator[Case]:
    """All zones together, without a deadline, data follows into another region for a dollar."""
    ups = [pool.each(TICK) for pool in some]
    ticks = min(map(len, ups))
    places = Places((PRICE,) * len(ups), tuple(pool.region for pool in some), TRANSFER)
    end = ticks if split.second else ticks // 2
    for overhead in sorted({overhead for _, overhead in VARIANTS}):
        starts = split.starts(ticks, int(LONGEST // TICK))
        windows = tuple(Window(str(at), _cut(ups, at, end - at)) for at in starts)
        yield Case(section, "", f"{overhead * 60:g} min", Terms(WORK, None, overhead * HOUR, TICK), places, windows, ENDLESS)


def named(deadline: float, overhead: float) -> str:
    """``52 h, 3 min``."""
    return f"{deadline:g} h, {overhead * 60:g} min"


def _cut(ups: Sequence[bytes], at: int, length: int) -> tuple[bytes, ...]:
    return tuple(up[at : at + length] for up in ups)
