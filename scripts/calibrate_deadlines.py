"""Learn fleet/core/deadlines/weather.py anew from a folder of traces: python scripts/calibrate_deadlines.py TRACES [--write].

TRACES is a folder like that of skypilot-org/spot-traces: availability/1-node/<set>/<zone>_<gpu>_<count>.json.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fleet.core.deadlines.learning import learned

TARGET = Path(__file__).parents[1] / "fleet" / "core" / "deadlines" / "weather.py"
NEVER_UP = 0.01
"""A zone with less spot than this has nothing to teach."""


def main() -> None:
    """Print what is learned, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", type=Path)
    parser.add_argument("--write", action="store_true", help="replace weather.py's numbers")
    chosen = parser.parse_args()
    from scripts.traces import read_traces

    traces = [trace for trace in read_traces(chosen.traces) if sum(trace.up) >= NEVER_UP * len(trace.up)]
    if not traces:
        sys.exit(f"{chosen.traces}: no traces there; name the folder that holds availability/1-node")
    down, up = learned((trace.gap, trace.up) for trace in traces)
    lines = {
        name: f"{name} = ({', '.join(f'{value:.5f}' for value in values)})" for name, values in (("DOWN", down), ("UP", up))
    }
    print(f"{len(traces)} traces", *lines.values(), sep="\n")
    if chosen.write:
        text = TARGET.read_text().splitlines()
        TARGET.write_text("\n".join(lines.get(line.partition(" = ")[0], line) for line in text) + "\n")


if __name__ == "__main__":
    main()
