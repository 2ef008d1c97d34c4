"""What ``stats``, ``plot`` and ``watch`` read: a run by its name or id, or whatever records of a training are named."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.workloads.deepracer.analysis.opening import open_paths
from fleet.workloads.deepracer.analysis.recording import Recording


def open_recording(texts: Sequence[str], bucket: str | None = None) -> Recording:
    """All that is there now. Raises FleetError if nothing is."""
    return open_paths(texts).read()
