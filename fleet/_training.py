"""What a training may say to fleet and hear from it. Standard library only: it is imported by the user's own code.

The protocol needs no Python. A line on standard output that begins with ``fleet.progress`` reports progress::

    fleet.progress step=1200 reward=0.83

``step`` is a whole number that grows with the work done (steps, iterations, epochs); every other pair is a metric,
but for ``total=5000``: the step at which training will have ended, by which fleet knows how much work is left.
``fleet.saved step=1200``, printed after a checkpoint was renamed into place, says which step it holds: fleet then looks at
once, and measures exactly what an interruption loses. ``at=1700000000.125`` on the same line (seconds since 1970) says when
that was: then a line that is read late still names the right checkpoint.

A wish of fleet's to save now is the file named by the environment variable ``FLEET_SAVE_REQUEST``: when its text changes,
save a checkpoint and go on. When the machine is about to go, SIGTERM follows: save, then exit.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

_seen_request: list[str] = [""]


def progress(step: int, *, total: int | None = None, **metrics: float) -> None:
    """Report that ``step`` (of ``total``, if that is known) is done, with any metrics (numbers), as one line on stdout."""
    ends = f" total={int(total)}" if total is not None else ""
    pairs = "".join(f" {name}={float(value):.6g}" for name, value in metrics.items())
    sys.stdout.write(f"fleet.progress step={int(step)}{ends}{pairs}\n")
    sys.stdout.flush()


def saved(step: int) -> None:
    """Report that the checkpoint now in place holds the state after ``step``."""
    sys.stdout.write(f"fleet.saved step={int(step)} at={time.time():.6f}\n")
    sys.stdout.flush()


def save_requested() -> bool:
    """Tell, once for each request, that fleet asks for a checkpoint now. False outside fleet."""
    path = os.environ.get("FLEET_SAVE_REQUEST")
    if not path:
        return False
    try:
        request = Path(path).read_text(encoding="utf-8")
    except OSError:
        return False
    if request in ("", _seen_request[0]):
        return False
    _seen_request[0] = request
    return True
