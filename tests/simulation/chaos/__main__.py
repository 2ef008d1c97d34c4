"""The long search, and the replay of what it finds.

    python -m tests.simulation.chaos replay SEED [--hours H] [--runs N] [--trace] [--cloud gcp]
    python -m tests.simulation.chaos soak MINUTES [--from SEED] [--hours H] [--runs N] [--jobs N] [--cloud gcp]
    python -m tests.simulation.chaos sweep SCENARIO [NUMBER HOW [BACK]]    (sweep.py)
    python -m tests.simulation.chaos mutants [NAME]

A violation prints its seed; ``replay`` of the seed with the same hours and runs lets all of it happen again, and with
``--trace`` tells everything that happens. ``--cloud gcp`` puts Compute Engine's stand-in in the place of the simulated
cloud, and asks it by the real provider.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import get_args

from tests.simulation.chaos import sweep
from tests.simulation.chaos.explore import Explorer, Result
from tests.simulation.chaos.faults import PROVIDER, Kind, possible
from tests.simulation.chaos.kinds import kind


def told(result: Result) -> str:
    """One seed in a line."""
    return (
        f"seed {result.seed}: {result.hours:.0f} h, {result.instance_hours:,.0f} instance-hours, {result.events:,} events, "
        f"{result.effects:,} effects in {result.seconds:.1f} s; {dict(result.outcomes)}"
    )


def replay(seed: int, hours: float, runs: int, *, trace: bool, cloud: str) -> int:
    """One seed again; 1 if it breaks a law."""
    result = Explorer(seed, hours=hours, runs=runs, trace=trace, kind=kind(cloud)).explore()
    for line in [*result.trace, told(result), *result.violations]:
        print(line)
    return 1 if result.violations else 0


SMALL, LARGE = (96.0, 15), (480.0, 60)
"""Hours and runs of a world in which much happens, and of one in which much is going on for long."""


def one(seed: int, hours: float, runs: int, cloud: str) -> Result:
    """One seed, in a process of its own. Collecting garbage in a world that keeps everything takes a tenth of the time."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        result = Explorer(seed, hours=hours, runs=runs, kind=kind(cloud)).explore()
    except Exception as error:  # a world that cannot go on is a finding, and none that ends the search
        where = traceback.extract_tb(error.__traceback__)[-1]
        told = f"the world broke off: {error!r} in {where.name}, {where.filename}:{where.lineno}"
        result = Result(seed, 0.0, 0.0, 0, 0, 0, 0.0, [told])
    gc.collect()
    return result


def soak(minutes: float, first: int, hours: float | None, runs: int | None, jobs: int, cloud: str) -> int:
    """Seed after seed until time is up, on every core; the last line is the result.

    Without ``hours`` and ``runs`` three small worlds come on one large one.
    """
    until, begun = time.monotonic() + minutes * 60, time.monotonic()
    seed, lived, events, effects, violations = first, 0.0, 0, 0, 0
    reached: Counter[tuple[str, str, str]] = Counter()
    with ProcessPoolExecutor(jobs) as pool:
        shapes: dict[Future[Result], tuple[float, int]] = {}
        while shapes or time.monotonic() < until:
            while len(shapes) < jobs and time.monotonic() < until:
                usual = LARGE if seed % 4 == 0 else SMALL
                shape = (hours or usual[0], runs or usual[1])
                shapes[pool.submit(one, seed, *shape, cloud)] = shape
                seed += 1
            for done in wait(shapes, return_when=FIRST_COMPLETED).done:
                result, shape = done.result(), shapes.pop(done)
                print(told(result), flush=True)
                for violation in result.violations:
                    command = f"replay {result.seed} --hours {shape[0]:g} --runs {shape[1]} --trace --cloud {cloud}"
                    print(f"  {violation}\n  python -m tests.simulation.chaos {command}", flush=True)
                lived, events, effects = lived + result.instance_hours, events + result.events, effects + result.effects
                violations += len(result.violations)
                reached.update(result.reached)
    matrix(reached)
    took = time.monotonic() - begun
    print(
        f"{lived:,.0f} instance-hours, {events:,} events ({events / took:.0f} a second), {effects:,} effects, "
        f"{sum(reached.values()):,} faults, {seed - first} seeds: {violations} violations"
    )
    return 1 if violations else 0


def matrix(reached: Counter[tuple[str, str, str]]) -> None:
    """Which fault met which effect, over all phases; a dash where one never did that could, and in which phases."""
    effects = sorted({effect for effect, _, _ in reached} | set(PROVIDER))
    faults: list[Kind] = sorted(get_args(Kind))
    phases = sorted({phase for _, _, phase in reached})
    print("\n" + "effect".ljust(18) + "".join(fault.rjust(13) for fault in faults))
    for effect in effects:
        counts = [sum(reached[effect, fault, phase] for phase in phases) for fault in faults]
        cells = [str(n) if n else "-" if possible(effect, fault) else "" for n, fault in zip(counts, faults, strict=True)]
        print(effect.ljust(18) + "".join(cell.rjust(13) for cell in cells))
    can = [(e, f) for e in effects for f in faults if possible(e, f)]
    print("\nnever met, by the phase that an agent tells, or (of a controller's effects) that the newest attempt is in:")
    for phase in phases:
        never = [f"{effect}/{fault}" for effect, fault in can if not reached[effect, fault, phase]]
        print(f"  {phase}: {len(never)} of {len(can)}")
    never_at_all = [f"{e}/{f}" for e, f in can if not any(reached[e, f, phase] for phase in phases)]
    print(f"never met at all: {', '.join(never_at_all) or 'none'}\n")


def main() -> int:
    """Choose one."""
    if sys.argv[1:2] == ["sweep"]:
        return sweep.main(sys.argv[2:])
    if sys.argv[1:2] == ["mutants"]:
        from tests.simulation.chaos.mutants import mutants  # it brings pytest along

        return mutants(*sys.argv[2:3])
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.chaos", description=__doc__)
    parser.add_argument("what", choices=["replay", "soak"])
    parser.add_argument("number", type=float, help="the seed, or the minutes")
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first seed of a soak")
    parser.add_argument("--hours", type=float, help="of each world (replay: 96)")
    parser.add_argument("--runs", type=int, help="at once, at most (replay: 15)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes of a soak")
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--cloud", choices=["sim", "gcp"], default="sim", help="what stands for it")
    given = parser.parse_args()
    if given.what == "replay":
        return replay(
            int(given.number), given.hours or SMALL[0], given.runs or SMALL[1], trace=given.trace, cloud=given.cloud
        )
    return soak(given.number, given.first, given.hours, given.runs, given.jobs, given.cloud)


if __name__ == "__main__":
    sys.exit(main())
