"""``python -m fleet.workloads``: what the agent starts as the training of a job that says ``workload:``.

The job's options lie in the JSON file that FLEET_WORKLOAD names; the workdir is the current folder.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path


def main(env: Mapping[str, str] | None = None) -> int:
    """Start the workload by its kind. Its exit code; 2 if there is none to start."""
    env = os.environ if env is None else env
    name = env.get("FLEET_WORKLOAD", "")
    try:
        options = json.loads(Path(name).read_text(encoding="utf-8"))
        kind = options["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"fleet: FLEET_WORKLOAD ({name or 'not set'}) names no workload: {error!r}", flush=True)
        return 2
    if kind != "deepracer":
        print(f"fleet: this fleet knows no workload {kind!r}", flush=True)
        return 2
    from fleet.workloads.deepracer.drive import main as deepracer

    return deepracer(options, env)


if __name__ == "__main__":
    sys.exit(main())
