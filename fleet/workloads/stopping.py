"""How long a driver has that was asked to stop: SIGTERM does not say it, a file beside the save request does."""

from __future__ import annotations

from pathlib import Path

from fleet.model.base import Seconds

STOP_BY = "stop-by"
"""On the machine's own disk: when fleet kills (seconds since 1970, by the machine's clock)."""
USUAL: Seconds = 60.0
"""Where nobody says it."""


def note_stop(scratch: Path, at: Seconds) -> None:
    """Say when whoever is asked to stop is killed; before it is asked. Raises OSError."""
    temporary = scratch / f"{STOP_BY}.tmp"
    temporary.write_text(f"{at:.3f}", encoding="utf-8")
    temporary.replace(scratch / STOP_BY)


def stop_by(scratch: Path, asked: Seconds) -> Seconds:
    """When whoever was asked to stop at ``asked`` is killed."""
    try:
        said = float((scratch / STOP_BY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return asked + USUAL
    return said if said > asked else asked + USUAL  # an older wish's
