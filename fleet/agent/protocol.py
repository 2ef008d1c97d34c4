"""The lines by which a training tells how far it is (fleet/_training.py). Whatever else it prints is its own affair."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from fleet.model.base import FURTHEST

MOST_METRICS = 32
MOST_LINE = 4096
"""Longer lines are no protocol lines."""
_PAIR = re.compile(r"([A-Za-z_][\w.-]{0,63})=(\S{1,64})")
_STEP = re.compile(r"\d{1,15}")


@dataclass(frozen=True, slots=True)
class Progress:
    """``fleet.progress step=…``, and the step at which training will have ended, if it says so."""

    step: int
    metrics: dict[str, float] = field(default_factory=dict)
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """``fleet.saved step=…``, with the time at which training says so, if it tells it."""

    step: int
    at: float | None = None


def parse_line(line: str) -> Progress | Saved | None:
    """What a line says, or None if it is not of the protocol. Never raises."""
    if len(line) > MOST_LINE or not line.startswith(("fleet.progress ", "fleet.saved ")):
        return None
    word, _, rest = line.partition(" ")
    pairs = dict(_PAIR.findall(rest))
    step = pairs.pop("step", "")
    if not _STEP.fullmatch(step) or not step.isascii():
        return None
    if word == "fleet.saved":
        at = _numbers({"at": pairs.get("at", "")}).get("at")
        return Saved(int(step), at if at is not None and abs(at) <= FURTHEST else None)
    total = pairs.get("total", "")
    ends = int(total) if _STEP.fullmatch(total) and total.isascii() else 0
    if ends > 0:
        del pairs["total"]
    return Progress(int(step), _numbers(pairs), ends or None)


def _numbers(pairs: dict[str, str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, text in list(pairs.items())[:MOST_METRICS]:
        try:
            value = float(text)
        except ValueError:
            continue
        if math.isfinite(value):
            found[name] = value
    return found
