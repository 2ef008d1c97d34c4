"""Traces of spot's availability: JSON files of the public benchmark's form.

``{"metadata": {"gap_seconds": 600}, "data": [0, 1, 1, ...]}``: a number for each tick, 0 where spot was not available, else
of how many machines it was.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.model.errors import FleetError

FORM = 'A trace is {"metadata": {"gap_seconds": 600}, "data": [0, 1, 1]}: 0 where spot was not available in a tick.'
_ZONE = re.compile(r"(?P<region>[a-z]+(?:-[a-z]+)+-?\d+)-?[a-z](?![a-z0-9])")
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Trace:
    """One pool's availability, tick by tick."""

    name: str
    """The file's."""
    gap: float
    """Seconds of a tick."""
    up: bytes
    """1 where spot was available for all nodes, else 0."""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.gap * len(self.up)

    @property
    def region(self) -> str:
        """By the name of the file: of ``us-east-1f_v100_1.json`` us-east-1; one of its own where no zone is named."""
        found = _ZONE.match(self.name)
        return found["region"] if found else self.name


def read_folder(folder: Path, nodes: int = 1) -> list[Trace]:
    """Every trace of a folder, by name. Raises FleetError at the first that is none."""
    if not folder.is_dir():
        raise FleetError(f"{folder}: there is no such folder of traces", FORM)
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".json" and not path.name.startswith("."))
    if not paths:
        raise FleetError(f"{folder}: no trace lies in it: no file *.json", FORM)
    return [read_trace(path, nodes) for path in paths]


def read_zones(folder: Path, nodes: int = 1) -> list[Trace]:
    """The traces of a folder, as zones under one clock: as long, and in the same ticks."""
    traces = read_folder(folder, nodes)
    first = traces[0]
    for trace in traces[1:]:
        if trace.gap != first.gap:
            told = f"{first.name} has ticks of {first.gap:g} s, {trace.name} of {trace.gap:g} s"
            raise FleetError(f"{folder}: zones need one clock: {told}", "Without --zones each file is a window of its own.")
        if len(trace.up) != len(first.up):
            told = f"{first.name} has {len(first.up)} ticks, {trace.name} {len(trace.up)}"
            raise FleetError(f"{folder}: zones need one clock: {told}", "Without --zones each file is a window of its own.")
    return traces


def read_trace(path: Path, nodes: int = 1) -> Trace:
    """One file. Raises FleetError that says what is wrong with it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        gap, data = _parts(found)
        counts = [_number(value, tick) for tick, value in enumerate(data)]
        return Trace(path.name, gap, bytes(count >= nodes if nodes > 1 else count > 0 for count in counts))
    except RecursionError:
        raise FleetError(f"{path}: not a trace: it is nested too deeply", FORM) from None
    except ValueError as error:  # not JSON, not UTF-8, and what is said below
        raise FleetError(f"{path}: not a trace: {error}", FORM) from None


def _parts(found: Any) -> tuple[float, list[Any]]:
    metadata = found.get("metadata") if isinstance(found, dict) else None
    if not isinstance(metadata, dict) or "gap_seconds" not in metadata:
        raise ValueError("metadata.gap_seconds is missing")
    gap = metadata["gap_seconds"]
    if not _is_number(gap) or gap <= 0:
        raise ValueError(f"metadata.gap_seconds is {_told(gap)}, not a number of seconds above 0")
    data = found.get("data")
    if not isinstance(data, list) or not data:
        raise ValueError(
            f"data is {_told(data)}, not a list of at least one tick" if data is not None else "data is missing"
        )
    return float(gap), data


def _number(value: Any, tick: int) -> float:
    if not _is_number(value) or value < 0:
        raise ValueError(f"data[{tick}] is {_told(value)}, not a number of machines, 0 or more")
    return float(value)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _told(value: Any) -> str:
    told = json.dumps(value)
    return told if len(told) <= _SHOWN else told[:_SHOWN] + "…"
