"""How long commands that only look take from the shell: design.md, section 11, wants about a quarter of a second.

python benchmarks/startup.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 15


def main() -> None:
    """Print the median and the worst of some rounds."""
    fleet = [sys.executable, "-m", "fleet.cli"]
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "FLEET_HOME": home}
        for words in (["--help"], ["ps"], ["ps", "-o", "json"]):
            taken = []
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                subprocess.run([*fleet, *words], env=env, capture_output=True, check=True)
                taken.append(time.perf_counter() - begun)
            print(f"fleet {' '.join(words):<12} median {statistics.median(taken):.3f} s, worst {max(taken):.3f} s")


if __name__ == "__main__":
    main()
