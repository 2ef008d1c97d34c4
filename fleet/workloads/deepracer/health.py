"""Whether a stack comes up and trains: its signals in their order, each with a deadline. Pure: time is passed in.

Whoever follows the logs calls ``hear`` with each signal, and ``fault`` now and then. A later signal stands for all before
it: logs may begin in the middle, and 2019's say less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fleet.workloads.deepracer import faults
from fleet.workloads.deepracer.faults import CAUSE, Fault
from fleet.workloads.deepracer.signals import Kind, Signal

if TYPE_CHECKING:
    from fleet.workloads.deepracer.spec import DeepRacer

STEPS: tuple[Kind, ...] = ("coach-started", "training-worker", "ip-uploaded", "saving", "uploaded", "ready", "sim-trace")
"""The start, in order."""
DEADLINES: Mapping[str, float] = {
    "coach-started": 180,
    "training-worker": 300,
    "ip-uploaded": 1200,
    "saving": 600,
    "uploaded": 300,
    "ready": 120,
    "sim-trace": 900,
    "stale-lock": 120,
    "no-checkpoint": 600,
    "trainer-dead": 3600,
    "quiet": 900,
    "no-iteration": 7200,
    "settle": 5,
}
"""Seconds. Of the steps of the start: since the step before. The simulator itself gives up after 1200 without an address.
``settle``: so long a consequence is held back, since its cause may stand in a log that is read a moment later."""
OF_EVALUATION: Mapping[str, float] = {"no-iteration": math.inf}
"""An evaluation has no checkpoints to wait for: its laps have a deadline of their own (evaluating/steer.py)."""
LONG_EPISODE = 72.0
"""Seconds, with its share of evaluation and training: two hours for the hundred that AWS allows at most."""
MOST_EPISODES = 10_000
GAP = 60.0
"""Lines that are repeated at least so often tell of one wait."""
_ERRORS = frozenset(
    {"nan", "reward-error", "out-of-memory", "disk-full", "unknown-runtime", "gpu-mismatch", "credentials", "no-bucket",
     "no-network", "no-image"}
)  # fmt: skip
_TRAINS = frozenset({"iteration", "episode", "saving", "uploaded", "best-and-last"})
"""From the trainer, these say that it lives."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Something that is said again and again while nothing moves."""

    since: float
    last: float


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a stack; a value."""

    steps: tuple[Kind, ...]
    began: float
    deadlines: Mapping[str, float] = field(default_factory=lambda: DEADLINES)
    done: int = 0
    """So many steps of the start are behind it."""
    moved: float = 0.0
    """When the last of them was."""
    last: float = 0.0
    """When anything was heard."""
    n: int | None = None
    """The newest set that is in the bucket."""
    committed: float = 0.0
    """When it came."""
    waits: Mapping[str, Wait] = field(default_factory=dict)
    found: tuple[tuple[float, Fault], ...] = ()
    exception: str = ""
    """What the simapp said before its fault code."""

    @property
    def phase(self) -> str:
        """The signal that is waited for, or ``training``."""
        return self.steps[self.done] if self.done < len(self.steps) else "training"

    def hear(self, signal: Signal, now: float) -> Health:
        """The state after a signal."""
        state = replace(_stepped(self, signal, now), last=now)
        if signal.kind == "sim-exception":
            return replace(state, exception=signal.text)
        if signal.kind == "uploaded":
            state = replace(state, n=signal.n, committed=now)
        found = _fault_of(signal, state.exception)
        if signal.kind == "credentials" and self.phase == "training":
            found = None  # of something beside the training, which had them all along; else a container ends over it
        if found is not None and found.code not in {fault.code for _, fault in state.found}:
            state = replace(state, found=(*state.found, (now, found)))
        return replace(state, waits=_waits(state.waits, signal, now))

    def fault(self, now: float) -> Fault | None:
        """Why it must be taken down: the first cause, or else a consequence that has stood for a while. None: go on."""
        causes = [fault for _, fault in self.found if fault.rank == CAUSE]
        if causes:
            return causes[0]
        stood = [fault for at, fault in self.found if now - at >= self.deadlines["settle"]]
        return stood[0] if stood else self._late(now)

    def _late(self, now: float) -> Fault | None:
        for code, wait in self.waits.items():
            if now - wait.since > self.deadlines[code] and (code == "trainer-dead" or now - wait.last <= GAP):
                return faults.meanwhile(code, now - wait.since)
        if self.done < len(self.steps):
            waited = now - (self.moved or self.began)
            return faults.late(self.phase, waited) if waited > self.deadlines[self.phase] else None
        if now - self.last > self.deadlines["quiet"]:
            return faults.meanwhile("quiet", now - self.last)
        if now - self.committed > self.deadlines["no-iteration"]:
            return faults.meanwhile("no-iteration", now - self.committed)
        return None


_WAIT_OF: Mapping[str, str] = {
    "lock-wait": "stale-lock",
    "waiting-checkpoint": "no-checkpoint",
    "additional-evaluation": "trainer-dead",
}


def begin(spec: DeepRacer, now: float, deadlines: Mapping[str, float] | None = None) -> Health:
    """A stack whose containers were started now. ``deadlines``: those that differ from ``DEADLINES``."""
    if spec.evaluate is not None:
        return Health(("sim-trace",), now, {**DEADLINES, **OF_EVALUATION, **(deadlines or {})}, last=now)
    without = {"coach-started"} if spec.launcher == "direct" else set()
    if spec.stack == "2019":
        without |= {"training-worker", "ip-uploaded", "ready"}  # its logs do not say them
    steps = tuple(step for step in STEPS if step not in without)
    allowed = dict(DEADLINES)
    if spec.stack == "2019":
        allowed["saving"] += DEADLINES["training-worker"] + DEADLINES["ip-uploaded"]
    return Health(steps, now, {**allowed, **(deadlines or {})}, last=now)


def patience(hyperparameters: Mapping[str, object]) -> dict[str, float]:
    """Deadlines that a job's own numbers ask for: an iteration of very many episodes is none that hangs."""
    episodes = hyperparameters.get("num_episodes_between_training")
    if not isinstance(episodes, int | float) or not 0 < episodes < MOST_EPISODES:
        return {}
    return {"no-iteration": max(DEADLINES["no-iteration"], LONG_EPISODE * episodes)}


def _stepped(state: Health, signal: Signal, now: float) -> Health:
    kind = "sim-trace" if signal.kind in ("episode", "iteration") else signal.kind
    if kind not in state.steps[state.done :]:
        return state
    return replace(state, done=state.steps.index(kind) + 1, moved=now, committed=now)


def _waits(waits: Mapping[str, Wait], signal: Signal, now: float) -> dict[str, Wait]:
    """Waits begin with their first line, and end with what they wait for, or once nobody complains any more.

    A simulator that drives in circles is silent between its complaints: only a new set ends that, or the trainer's voice.
    """
    kept = {key: wait for key, wait in waits.items() if key == "trainer-dead" or now - wait.last <= GAP}
    if signal.kind == "restored" or (signal.source == "trainer" and signal.kind in _TRAINS):
        kept = {}
    elif signal.kind == "sim-trace":
        kept = {key: wait for key, wait in kept.items() if key == "trainer-dead"}
    code = _WAIT_OF.get(signal.kind)
    if code is not None:
        kept[code] = Wait(kept[code].since if code in kept else now, now)
    return kept


def _fault_of(signal: Signal, exception: str) -> Fault | None:
    if signal.kind in _ERRORS:
        return faults.of_kind(signal.kind, signal.text)
    if signal.kind == "sim-fault" and signal.code is not None:
        return faults.of_fault_code(signal.code, exception)
    if signal.kind == "terminated":
        return faults.ended("trainer", None)
    if signal.kind == "exited":
        return faults.ended(signal.source, signal.code or 0, signal.text)
    return None
