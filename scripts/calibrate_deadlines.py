"""Learn fleet/core/deadlines/weather.py anew from traces: python scripts/calibrate_deadlines.py TRACES [--write].

TRACES is a folder like that of skypilot-org/spot-traces: availability/1-node/<set>/<zone>_<gpu>_<count>.json. Zones of one
set, region and machine share a clock.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

from fleet.core.deadlines.learning import EDGES, TICK, Trace, learned

TARGET = Path(__file__).parents[1] / "fleet" / "core" / "deadlines" / "weather.py"
NEVER_UP = 0.01
"""A zone with less spot than this has nothing to teach."""
HEAD = '''"""How long spot's runs last, learned from measured traces. Written by scripts/calibrate_deadlines.py: do not edit.

From the traces of the public repository skypilot-org/spot-traces (probes of one K80, V100, or eight, in us-west-2, us-east-1
and us-east-2, November 2022 to March 2023), resampled to ten minutes: the chance that a run of some age ends within the
next ten minutes, pooled over all zones and smoothed over neighbouring ages.
"""

from fleet.core.deadlines.chances import Company, Learned
'''


def read(folder: Path, until: float = 1.0) -> list[list[Trace]]:
    """The traces by set, region and machine; of each the first part."""
    groups: dict[tuple[str, str, str], list[Trace]] = defaultdict(list)
    for path in sorted(folder.glob("availability/1-node/*/*.json")):
        trace = json.loads(path.read_text())
        ups = [int(found > 0) for found in trace["data"]]
        if sum(ups) >= NEVER_UP * len(ups):
            zone, _, machine = path.stem.partition("_")
            some = ups[: int(len(ups) * until)]
            groups[path.parent.name, zone[:-1], machine].append((trace["metadata"]["gap_seconds"], some))
    return list(groups.values())


def main() -> None:
    """Print what is learned, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", type=Path)
    parser.add_argument("--write", action="store_true", help="replace weather.py's numbers")
    chosen = parser.parse_args()
    groups = read(chosen.traces)
    if not groups:
        sys.exit(f"{chosen.traces}: no traces there; name the folder that holds availability/1-node")
    found = learned(groups)
    text = f'{HEAD}\nTICK = {TICK}\n"""Seconds."""\nEDGES = {EDGES}\n'
    text += f'"""Ages, seconds, at which the bins meet."""\nLEARNED = {found!r}\n'
    print(f"{sum(map(len, groups))} traces", found, sep="\n")
    if chosen.write:
        TARGET.write_text(text)


if __name__ == "__main__":
    main()
