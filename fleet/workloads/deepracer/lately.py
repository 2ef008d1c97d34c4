"""What a stack's logs said last: what it is doing, and what ails it. Pure but for reading the ends of files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.workloads.deepracer.health import Health, begin
from fleet.workloads.deepracer.signals import Source, heard

if TYPE_CHECKING:
    from fleet.workloads.deepracer.spec import DeepRacer

TAIL = 256_000
"""Bytes of a log's end that are read."""
ORDER: tuple[Source, ...] = ("s3", "coach", "trainer", "simulator")
WORDS: Mapping[str, str] = {
    "coach-started": "starts: coach is waited for",
    "training-worker": "starts: the trainer is waited for",
    "ip-uploaded": "starts: the trainer is to say its address",
    "saving": "starts: the trainer builds its model",
    "uploaded": "starts: the trainer uploads its first set",
    "ready": "starts: the trainer is about to be ready",
    "sim-trace": "starts: the simulator is waited for",
    "training": "trains",
}
"""What is waited for, in words."""


@dataclass(frozen=True, slots=True)
class Lately:
    """What the logs of one leg tell."""

    phase: str
    """A signal's kind that is waited for, or ``training``."""
    faults: tuple[str, ...]
    """In words."""
    best: int | None = None
    """The best set by the trainer's own word."""
    entropy: float | None = None
    learning_rate: float | None = None

    @property
    def told(self) -> str:
        """For people."""
        return WORDS.get(self.phase, self.phase)


def lately(logs: Mapping[str, Iterable[str]], spec: DeepRacer) -> Lately | None:
    """What the ends of the services' logs tell; None if there are none."""
    health: Health = begin(spec, 0.0)
    best = entropy = rate = None
    some = False
    for service in sorted(logs, key=_order):
        for line in logs[service]:
            some = True
            signal = heard(source_of(service), line)
            if signal is None:
                continue
            health = health.hear(signal, 0.0)
            if signal.kind == "best-and-last":
                best = signal.n if signal.n is not None and signal.n >= 0 else None
            elif signal.kind == "iteration":
                entropy, rate = signal.entropy, signal.learning_rate
    if not some:
        return None
    return Lately(health.phase, tuple(fault.message for _, fault in health.found), best, entropy, rate)


def source_of(service: str) -> Source:
    """``simulator-2`` is a simulator."""
    return next((source for source in ORDER if service.split("-")[0] == source), "trainer")


def _order(service: str) -> tuple[int, str]:
    return ORDER.index(source_of(service)), service


def ends_of(folder: Path, most: int = TAIL) -> dict[str, Sequence[str]]:
    """The last lines of every ``<service>.log`` in a folder."""
    found: dict[str, Sequence[str]] = {}
    for path in sorted(folder.glob("*.log")):
        with contextlib.suppress(OSError):
            found[path.name.removesuffix(".log")] = _end_of(path, most)
    return found


def _end_of(path: Path, most: int) -> Sequence[str]:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - most))
        lines = file.read(most).decode("utf-8", "replace").splitlines()
    return lines[1:] if size > most else lines
