"""The long search, and the replay of what it finds.

    python -m tests.simulation.chaos replay SEED [--hours H] [--runs N] [--trace]
    python -m tests.simulation.chaos soak MINUTES [--from SEED] [--hours H] [--runs N]
    python -m tests.simulation.chaos sweep SCENARIO [NUMBER HOW [BACK]]    (sweep.py)
    python -m tests.simulation.chaos mutants [NAME]

A violation prints its seed; ``replay`` of the seed with the same hours and runs lets all of it happen again, and with
``--trace`` tells everything that happens.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.simulation.chaos import sweep
from tests.simulation.chaos.explore import Explorer, Result


def told(result: Result) -> str:
    """One seed in a line."""
    return (
        f"seed {result.seed}: {result.hours:.0f} h, {result.instance_hours:,.0f} instance-hours, {result.events:,} events, "
        f"{result.effects:,} effects in {result.seconds:.1f} s; {dict(result.outcomes)}"
    )


def replay(seed: int, hours: float, runs: int, *, trace: bool) -> int:
    """One seed again; 1 if it breaks a law."""
    result = Explorer(seed, hours=hours, runs=runs, trace=trace).explore()
    for line in [*result.trace, told(result), *result.violations]:
        print(line)
    return 1 if result.violations else 0


def soak(minutes: float, first: int, hours: float, runs: int) -> int:
    """Seed after seed until time is up, or a law is broken; the last line is the result."""
    until, begun = time.monotonic() + minutes * 60, time.monotonic()
    seed, lived, events, effects, violations = first, 0.0, 0, 0, 0
    reached: Counter[tuple[str, str, str]] = Counter()
    while time.monotonic() < until:
        result = Explorer(seed, hours=hours, runs=runs).explore()
        print(told(result), flush=True)
        for violation in result.violations:
            print(f"  {violation}\n  python -m tests.simulation.chaos replay {seed} --hours {hours:g} --runs {runs} --trace")
        lived, events, effects = lived + result.instance_hours, events + result.events, effects + result.effects
        violations += len(result.violations)
        reached.update(result.reached)
        seed += 1
    matrix(reached)
    took = time.monotonic() - begun
    print(
        f"{lived:,.0f} instance-hours, {events:,} events ({events / took:.0f} a second), {effects:,} effects, "
        f"{seed - first} seeds: {violations} violations"
    )
    return 1 if violations else 0


def matrix(reached: Counter[tuple[str, str, str]]) -> None:
    """Which fault met which effect, over all phases; a dash where none did."""
    effects = sorted({effect for effect, _, _ in reached})
    faults = sorted({fault for _, fault, _ in reached})
    phases = sorted({phase for _, _, phase in reached})
    print("\n" + "effect".ljust(18) + "".join(fault.rjust(13) for fault in faults))
    for effect in effects:
        counts = [sum(reached[effect, fault, phase] for phase in phases) for fault in faults]
        print(effect.ljust(18) + "".join((str(count) if count else "-").rjust(13) for count in counts))
    never = sum(1 for e in effects for f in faults for p in phases if not reached[e, f, p])
    print(f"of {len(effects) * len(faults) * len(phases)} combinations of effect, fault and phase, {never} were never met\n")


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
    parser.add_argument("--hours", type=float, default=96)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--trace", action="store_true")
    given = parser.parse_args()
    if given.what == "replay":
        return replay(int(given.number), given.hours, given.runs, trace=given.trace)
    return soak(given.number, given.first, given.hours, given.runs)


if __name__ == "__main__":
    sys.exit(main())
