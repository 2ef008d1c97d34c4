"""When to run spot, on-demand or nothing: fleet's policy, others' and the omniscient's on measured traces, split by time.

    python -m benchmarks.policy TRACES [--quick] [--plots FOLDER]

TRACES is a folder like that of skypilot-org/spot-traces. What fleet's policy knows of spot it learns from the first half of
every trace; runs are windows of the second half, evenly spread. The cost model is that of fleet/core/ticks/model.py, in
ticks of ten minutes; prices are the public benchmark's, constant, since the traces hold none.

Costs have 48 hours of on-demand as 1. *closed* is the share of the gap from greedy to the omniscient that a policy closes:
a ratio of mean costs, and over several variants the mean of theirs. Brackets: 90 % intervals, by a bootstrap over zones;
where several zones serve one run, over windows: they overlap, and the intervals are too narrow then. *filled* counts
ticks beyond the trace's end, which on-demand fills. `--quick` runs a few windows of everything, to see that it works.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.peer import load
from benchmarks.policy_cases import NEWEST, Case, Pool, Split, alone, endless, pools, regional
from benchmarks.policy_figures import Figure, Row, Section, sections
from benchmarks.policy_runs import run_all
from benchmarks.policy_speed import runs, tables

WINDOWS, FEW = 12, 2
SPEED, SLOW = 4000, 40
ZONES = (1, 3)


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", type=Path)
    parser.add_argument("--quick", action="store_true", help="a few windows of everything")
    parser.add_argument("--plots", type=Path, help="a folder for pictures; needs matplotlib")
    chosen = parser.parse_args()
    some = pools(chosen.traces)
    if not some:
        parser.error(f"{chosen.traces}: no traces there; name the folder that holds availability/1-node")
    begun = time.monotonic()
    forth = Split(FEW if chosen.quick else WINDOWS)
    taught = forth.learned(chosen.traces)
    cases = list(everything(some, forth))
    found = sections(cases, run_all(cases, taught))
    back = Split(forth.count, second=False)
    reverse = list(halves(some, back, ", the other way round"))
    found += sections(reverse, run_all(reverse, back.learned(chosen.traces)))
    for section in found:
        print("\n".join(told(section)), end="\n\n")
    print(f"speed ({load()})")
    for line in [*tables(ZONES[:1] if chosen.quick else ZONES), *runs(cases[0], SLOW if chosen.quick else SPEED)]:
        print("  " + line)
    if chosen.plots:
        from benchmarks.policy_plots import draw

        draw(chosen.plots, cases, found, taught, newest(some), forth)
    print(f"took {time.monotonic() - begun:.0f} s")


def newest(some: Sequence[Pool]) -> list[Pool]:
    """The zones of the last collection, under one clock."""
    return [pool for pool in some if pool.collection.startswith(NEWEST)]


def everything(some: Sequence[Pool], split: Split) -> Iterator[Case]:
    """All sections."""
    yield from halves(some, split, "")
    new = newest(some)
    for gap in sorted({pool.gap for pool in new}):
        here = [pool for pool in new if pool.gap == gap]
        yield from alone(f"one zone, 2023, in its own ticks of {gap:g} s", here, split, gap)
    yield from regional("one region's zones together", new, split)
    yield from endless("all zones together, no deadline, a dollar for each change of region", new, split)


def halves(some: Sequence[Pool], split: Split, how: str) -> Iterator[Case]:
    """Each zone for itself: the newest collection, and those before."""
    new = newest(some)
    old = [pool for pool in some if pool not in new]
    yield from alone(f"one zone, 2023{how}", new, split)
    if old:
        yield from alone(f"one zone, 2022{how}", old, split)


def told(section: Section) -> Iterator[str]:
    """A section as lines: all variants first, then each."""
    rows = section.rows()
    yield f"{section.name}: {rows[0].runs} runs of each policy, bootstrap over {len(section.groups)}"
    for variant, some in groupby(rows, key=lambda row: row.variant):
        yield from _block(variant, list(some))


def _block(variant: str, rows: Sequence[Row]) -> Iterator[str]:
    ends = rows[0].closed is not None
    zones = any(row.policy == "failover" for row in rows)
    heads = f"  {variant:<18}{'cost':<24}" + (f"{'closed':<20}" if ends else "")
    heads += f"{'of the gap from UP':<20}" if ends and zones else ""
    yield heads + "  late  launches" + ("" if ends else "   moves    hours  (most)  filled")
    for row in rows:
        line = f"  {row.policy:<18}{_told(row.cost, 4):<24}"
        line += f"{_told(row.closed, 2):<20}" if row.closed else ""
        line += f"{_told(row.beyond, 2):<20}" if row.beyond and zones else ""
        line += f"{row.late:>6}{row.launches:>10.1f}"
        yield line + ("" if ends else f"{row.moves:>8.2f}{row.hours:>9.1f}{f'({row.longest:.0f})':>8}{row.filled:>8}")


def _told(figure: Figure, digits: int) -> str:
    mean, low, high = (_short(value, digits) for value in (figure.mean, figure.low, figure.high))
    return f"{mean} [{low} {high}]"


def _short(value: float, digits: int) -> str:
    told = f"{value:.{digits}f}"
    return told.replace("0.", ".", 1) if told.lstrip("-").startswith("0.") else told


if __name__ == "__main__":
    main()
