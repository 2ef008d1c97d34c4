"""``python -m tests.simulation.chaos``: see explore.py."""

from __future__ import annotations

import argparse
import sys

from tests.simulation.chaos.explore import Explorer


def main() -> int:
    """Replay a seed, with everything that happens."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.chaos")
    parser.add_argument("seed", type=int)
    parser.add_argument("--hours", type=float, default=120)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--trace", action="store_true")
    given = parser.parse_args()
    result = Explorer(given.seed, hours=given.hours, runs=given.runs, trace=given.trace).explore()
    for line in result.trace:
        print(line)
    print(
        f"seed {result.seed}: {result.hours:.0f} h, {result.instance_hours:,.0f} instance-hours, {result.events:,} events, "
        f"{result.effects:,} effects in {result.seconds:.1f} s; {dict(result.outcomes)}"
    )
    for violation in result.violations:
        print(violation)
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
