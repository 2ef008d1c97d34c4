"""What lies about in an account with a fleet's mark, and nobody owns: the words that every cloud's sweep shares. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fleet.model.base import Micros, Seconds

Kind = Literal["machine", "volume", "snapshot", "spot-request", "ingress-rule", "template-version", "upload"]

YOUNG: Seconds = 3600
"""Nothing younger is anybody's to collect: its owner may not have been able to say so yet."""
YOUNG_UPLOAD: Seconds = 86_400
"""A large file over a thin line takes its time."""


@dataclass(frozen=True, slots=True)
class Owned:
    """What the journal knows."""

    runs: frozenset[str] = frozenset()
    """Every run's id."""
    instances: frozenset[str] = frozenset()
    """Every attempt's machine."""
    tokens: frozenset[str] = frozenset()
    """Of attempts whose machine is not known: what comes with one of them is theirs."""

    def owns(self, tags: Mapping[str, str], instance_id: str | None) -> bool:
        """Whether a machine with these tags is some attempt's."""
        if tags.get("run", "") not in self.runs:
            return False
        return instance_id in self.instances or tags.get("token") in self.tokens


@dataclass(frozen=True, slots=True)
class Stray:
    """Something that nobody owns."""

    kind: Kind
    region: str
    id: str
    why: str
    monthly: Micros
    of: str = ""
    """What it is part of: a rule's group, a version's template, an upload's key."""


def whose_run(run: str) -> str:
    """Why a disk is nobody's, by the run that is named on it."""
    return f"run {run} is not this fleet's" if run else "no run is named on it"


def upload_stray(region: str, upload_id: str, key: str, size: int, age: Seconds, gb_month: Micros) -> Stray | None:
    """An unfinished upload of some bytes; None: it is young, and may yet be finished."""
    if age < YOUNG_UPLOAD:
        return None
    why = f"begun {age / 86_400:.0f} days ago and never finished ({size / 10**9:.1f} GB)"
    return Stray("upload", region, upload_id, f"{key}: {why}", size * gb_month // 10**9, key)
