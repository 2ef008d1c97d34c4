"""How long `fleet deepracer check` takes for the example's reward function: less than 5 s for 5,000 calls is promised.

python -m benchmarks.deepracer_check
"""

from __future__ import annotations

import time
from pathlib import Path

from fleet.workloads.deepracer.checking.model import CALLS, check_folder
from fleet.workloads.deepracer.checking.tracks import Tracks
from fleet.workloads.deepracer.spec import DeepRacer

EXAMPLE = Path(__file__).parents[1] / "examples" / "deepracer"
ROUNDS = 5


def main() -> None:
    """Print the best and the worst of some rounds: on the circuit that stands in, so that no network counts."""
    for workers, race in ((1, "TIME_TRIAL"), (4, "OBJECT_AVOIDANCE")):
        spec = DeepRacer.model_validate({"race": race, "workers": workers})
        seconds = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            result = check_folder(EXAMPLE, spec, routes=Tracks(download=None), calls=CALLS)
            seconds.append(time.perf_counter() - begun)
        figures = result.reward
        took = f"{min(seconds):.2f} to {max(seconds):.2f} s, {(figures.seconds or 0.0) * 1e6:.1f} microseconds each"
        print(f"{race:<17} {figures.calls} calls: {took}")


if __name__ == "__main__":
    main()
