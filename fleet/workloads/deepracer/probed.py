"""What the doctor goes by: what was probed, what is wished for, and the line that a check says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["ok", "not ok", "cannot tell"]
NETWORK = "sagemaker-local"


@dataclass(frozen=True, slots=True)
class Line:
    """What one check came to."""

    check: str
    state: State
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A command's exit code and words; no code: it is not there, or does not answer."""

    code: int | None = None
    out: str = ""
    why: str = "not asked"

    @property
    def good(self) -> bool:
        """It did what it was asked."""
        return self.code == 0

    @property
    def last(self) -> str:
        """The last line that says something, or why there is none."""
        lines = [line.strip() for line in self.out.splitlines() if line.strip() and "--help" not in line]
        return lines[-1] if lines and self.code is not None else self.why


@dataclass(frozen=True, slots=True)
class Wish:
    """What the machine is to do, as far as that is known."""

    gpu: bool | None = None
    """None: nobody said."""
    today: bool = True
    """Today's stack, not that of 2019."""
    workers: int = 1
    coach: bool = True
    trains: bool = True
    """Otherwise it evaluates: a finished model drives laps, and makes no sets."""
    storage: bool = True
    """The stack has an S3 look-alike beside it."""
    run: str | None = None
    """The run's id; None: any stack counts."""
    training: bool = False
    """The stack should be at work."""
    training_seconds: float = 0.0
    """For so long, as far as is known."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What the probe found (probe.py)."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    total: int = 0
    used: int = 0
    stack: tuple[tuple[str, int, float], ...] | None = None
    """Objects of the stack's bucket: name, bytes, age. None: not to be seen."""
    kept: tuple[tuple[str, int, float], ...] | None = None
    """Files of fleet's checkpoint folder."""
    model: Mapping[str, str] | None = None
    """The user's files → what is wrong with each."""
    actions: int | None = None
    source_actions: int | None = None

    def answer(self, name: str) -> Answer:
        """Of a command."""
        return self.answers.get(name, Answer())


def probed(told: Mapping[str, Any]) -> Probed:
    """What the probe printed. Raises ValueError, KeyError, TypeError for what it did not."""
    disk, model = told.get("disk") or {}, told.get("model") or {}
    return Probed(
        answers={name: Answer(one["code"], str(one["out"]), str(one["why"])) for name, one in told["answers"].items()},
        total=int(disk.get("total", 0)),
        used=int(disk.get("used", 0)),
        stack=_files(told.get("stack")),
        kept=_files(told.get("kept")),
        model=model.get("files"),
        actions=model.get("actions"),
        source_actions=told.get("source_actions"),
    )


def _files(told: Any) -> tuple[tuple[str, int, float], ...] | None:
    return None if told is None else tuple((str(name), int(size), float(age)) for name, size, age in told)


def json_of(text: str) -> dict[str, Any] | None:
    """A JSON object; None if it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
