"""What the driver does next. Pure: facts in, one decision out; the order of the rules is the order of what matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fleet.model.base import Seconds
from fleet.workloads.deepracer.faults import Fault
from fleet.workloads.deepracer.spec import Until

End = Literal["stopped", "succeeded", "nan", "fault"]
FINISH_WITHIN: Seconds = 1800.0
"""When the job's training time is up, the iteration under way may take so long to end."""
SETTLE: Seconds = 1.5
"""Between the first container's end and the verdict: the others' ends and last words tell the cause."""
KEEPING: Seconds = 6.0
"""Before fleet kills the driver, so long is left for keeping the trainer's last set and ending its containers; or half of
the time, if that is less."""
TRAINERS = ("trainer", "coach")


@dataclass(frozen=True, slots=True)
class Exited:
    """A container that is no more."""

    service: str
    code: int
    at: Seconds
    no_memory: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at a moment."""

    now: Seconds
    iterations: int
    """Trained and kept within this run."""
    trained: Seconds
    """Within this run, by now."""
    exited: Sequence[Exited] = ()
    trainer_gone: bool = False
    fault: Fault | None = None
    """What the logs tell, or a signal that is overdue."""
    nan: bool = False
    stop_asked: Seconds | None = None
    """When fleet asked to stop."""
    stop_by: Seconds = float("inf")
    """When it kills."""
    finishing: Seconds | None = None
    """Since when the trainer is asked to end, because its time is up."""
    asked_trainer: bool = False


@dataclass(frozen=True, slots=True)
class GoOn:
    """Nothing."""


@dataclass(frozen=True, slots=True)
class AskTrainer:
    """Ask the trainer to save and end."""

    why: Literal["stop", "duration"]


@dataclass(frozen=True, slots=True)
class EndLeg:
    """The stack is taken down."""

    how: End
    fault: Fault | None = None


Decision = GoOn | AskTrainer | EndLeg


def decide(facts: Facts, until: Until) -> Decision:
    """The next thing to do."""
    if facts.stop_asked is not None:
        return _stopping(facts)
    if facts.nan:
        return EndLeg("nan")
    if until.iterations is not None and facts.iterations >= until.iterations:
        return EndLeg("succeeded")
    if until.duration is not None and facts.trained >= until.duration:
        return _finishing(facts)
    first = min((one.at for one in facts.exited), default=None)
    if first is not None and facts.now < first + SETTLE:
        return GoOn()
    if facts.exited:
        return EndLeg("fault", facts.fault or of_exit(facts.exited))
    return EndLeg("fault", facts.fault) if facts.fault is not None else GoOn()


def _stopping(facts: Facts) -> Decision:
    assert facts.stop_asked is not None
    enough = facts.stop_by - min(KEEPING, (facts.stop_by - facts.stop_asked) / 2)
    if facts.trainer_gone or facts.nan or facts.now >= enough:
        return EndLeg("stopped")
    return GoOn() if facts.asked_trainer else AskTrainer("stop")


def _finishing(facts: Facts) -> Decision:
    late = facts.finishing is not None and facts.now >= facts.finishing + FINISH_WITHIN
    if facts.trainer_gone or facts.exited or facts.fault is not None or late:
        return EndLeg("succeeded")  # nothing is to be waited for
    return GoOn() if facts.asked_trainer else AskTrainer("duration")


def culpable(exited: Sequence[Exited]) -> list[Exited]:
    """The ends that mean something: coach may end well, once the trainer that it started runs."""
    trainer_gone = any(one.service == "trainer" for one in exited)
    return [one for one in exited if one.service != "coach" or one.code != 0 or trainer_gone]


def of_exit(exited: Sequence[Exited]) -> Fault:
    """Of several the first is the cause; of a moment's, the trainer: the simulators end when it does."""
    first = min(one.at for one in exited)
    near = [one for one in exited if one.at < first + SETTLE]
    cause = next((one for name in TRAINERS for one in near if one.service == name), min(near, key=lambda one: one.at))
    if cause.no_memory:
        return Fault(
            "out-of-memory",
            f"the {cause.service} was ended for lack of memory",
            "Take a machine with more memory, fewer workers, or a smaller batch.",
        )
    return Fault(
        f"{cause.service.partition('-')[0]}-ended",
        f"the {cause.service} ended by itself, with exit code {cause.code}",
        f"Its last lines stand above; all of them: history/<prefix>/logs/{cause.service}.log on the volume.",
    )
