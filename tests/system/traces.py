"""Where measured spot traces lie, if they are at hand: they are not part of this project."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def folder() -> Path | None:
    """The traces' folder: ``$FLEET_SHARED_DATA``, or shared/data beside the checkout, or beside what it was cloned from."""
    given = os.environ.get("FLEET_SHARED_DATA")
    starts = [ROOT, *_origin()]
    places = [Path(given)] if given else [p / "shared" / "data" for start in starts for p in [start, *start.parents]]
    return next((p / "spot-traces" for p in places if (p / "spot-traces").is_dir()), None)


def _origin() -> list[Path]:
    try:
        words = ["git", "config", "--get", "remote.origin.url"]
        url = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return []
    return [Path(url).resolve()] if url.startswith("/") and Path(url).exists() else []
