"""What goes wrong with one effect, and how it is drawn: by a seed, by a script, or at a numbered effect."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal, Protocol

Kind = Literal[
    "fail",  # refused before it had an effect
    "lost",  # done, and its answer is lost
    "again",  # done, and a retry of the library's own meets its own work
    "kill-before",
    "kill-after",
    "slow",  # done late
    "pause",  # the computer sleeps before it is done, and others go on
    "error",  # a provider's refusal of another class
    "miss",  # a listing that misses something
    "repeat",  # a listing that repeats something, or an effect that reaches the cloud twice
    "half",  # a launch whose machine is made, and whose disk is not
]
ERRORS = ("capacity", "price", "quota", "throttled", "transient", "credentials", "unknown", "denied")

PROVIDER = (
    "launch",
    "list",
    "get",
    "terminate",
    "attach",
    "detach",
    "grow_volume",
    "delete_volume",
    "offers",
    "price_history",
)
"""Calls of the cloud; everything else is the bucket's, by its verb and what the key holds (bucket.py)."""

WIRE = (
    "POST instances", "POST wait", "POST attachDisk", "POST detachDisk", "POST resize", "DELETE instances", "DELETE disks",
)  # fmt: skip
"""Single requests to a cloud that is asked by HTTP (google_wire.py), of which a call of the provider's may be several."""
SELDOM = frozenset({
    "launch", "terminate", "attach", "detach", "grow_volume", "delete_volume", "create base", "create began",
    "create launch", "create manifest", "delete manifest", "delete checkpoint", "create journal", "put model",
    "price_history", *WIRE,
})  # fmt: skip
OFTEN = 8
"""What happens seldom goes wrong more often: most effects are heartbeats, and most of what can break is elsewhere."""


def possible(what: str, kind: Kind) -> bool:
    """Whether an effect can go wrong so."""
    verb = what.split()[0]
    changes = verb in ("launch", "terminate", "attach", "detach", "grow_volume", "delete_volume", "create", "put", "delete")
    changes = changes or (verb in ("POST", "DELETE") and what != "POST wait")
    if kind in ("error", "half"):
        return what == "launch" if kind == "half" else what in PROVIDER or verb.isupper()
    if kind == "miss":
        return what == "list"
    if kind == "repeat":
        return what == "list" or ((what in PROVIDER or verb.isupper()) and changes)
    if kind in ("lost", "kill-before", "kill-after"):
        return changes
    return kind != "again" or verb == "create"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    kind: Kind
    seconds: float = 0.0
    error: str = ""


class Chaos(Protocol):
    """Decides about each effect."""

    def pick(self, who: str, what: str, *, changes: bool, provider: bool) -> Fault | None:
        """What goes wrong with it, if anything. ``who`` is controller or agent, ``what`` the verb and its object."""
        ...


class Calm:
    """Nothing goes wrong."""

    def pick(self, who: str, what: str, *, changes: bool, provider: bool) -> Fault | None:
        return None


@dataclass
class Storm:
    """Faults by chance: each seed has its own mix, so that rare pairs meet somewhere (swarm testing)."""

    seed: int
    rate: float = 0.01
    """Of all effects, in a storm; between storms nothing goes wrong."""
    on: bool = True
    _chance: random.Random = field(init=False)
    _mix: list[Kind] = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(f"storm {self.seed}")
        kinds: list[Kind] = [
            "fail",
            "lost",
            "again",
            "kill-before",
            "kill-after",
            "slow",
            "pause",
            "error",
            "miss",
            "repeat",
        ]
        kinds.append("half")
        self._mix = [kind for kind in kinds if self._chance.random() < 0.7] or ["lost"]
        self._errors = [error for error in ERRORS if self._chance.random() < 0.7] or ["transient"]
        self.rate *= self._chance.choice([0.3, 1.0, 3.0])

    def pick(self, who: str, what: str, *, changes: bool, provider: bool) -> Fault | None:
        if not self.on or self._chance.random() >= self.rate * (OFTEN if what in SELDOM else 1):
            return None
        kind = self._chance.choice(self._mix)
        if kind == "error" and provider:
            return Fault(kind, error=self._chance.choice(self._errors))
        if kind in ("miss", "repeat") and what == "list":
            return Fault(kind)
        if kind == "repeat" and provider and changes:
            return Fault(kind)
        if kind == "half" and what == "launch":
            return Fault(kind)
        if kind == "slow":
            return Fault(kind, seconds=self._chance.uniform(1, 40 if who == "controller" else 8))
        if kind == "pause" and who == "controller":
            return Fault(kind, seconds=self._chance.choice([20, 120, 3600]) * self._chance.uniform(0.5, 1.5))
        if kind == "again" and what.startswith("create"):
            return Fault(kind)
        if kind in ("lost", "kill-before", "kill-after") and changes:
            return Fault(kind)
        return Fault("fail") if kind == "fail" else None


@dataclass
class At:
    """One fault, at the n-th effect that changes something (from 1), whoever makes it."""

    number: int
    kind: Kind
    count: int = 0

    def pick(self, who: str, what: str, *, changes: bool, provider: bool) -> Fault | None:
        if not changes:
            return None
        self.count += 1
        return Fault(self.kind) if self.count == self.number else None
