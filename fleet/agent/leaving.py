"""Letting go, in order: training ends, its last checkpoint is committed, outputs and logs are sent, the volume is free."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fleet.agent import workplace
from fleet.agent.saver import RETRY_FIRST, RETRY_MOST
from fleet.core.outputs import verdict
from fleet.model.base import Seconds
from fleet.model.documents import Outcome

if TYPE_CHECKING:
    from fleet.agent.logic import Agent

Leave = Literal["notice", "stopped", "unwanted", "shutdown", "lease", "alone", "succeeded", "failed"]

TRAINING_SHARE = 0.6
"""Of the time that a notice leaves, training may take so much to save; the rest is for committing."""
COMMIT_TRIES = 20
"""What cannot be sent is tried again so often, some eight minutes; on a notice or a lease's end until time is up."""
BROKEN_TRIES = 2
"""A last checkpoint that does not verify is looked at once more."""
CLEAR_MOST: Seconds = 30.0
"""What is left of training, containers above all, is waited for so long before the volume is taken from under it."""
RELEASE_MOST: Seconds = 120.0
"""A volume that cannot be let go within this stays with the machine until its end, which frees it as well."""
_OUTCOMES: dict[Leave, Literal["succeeded", "stopped", "interrupted", "lease"]] = {
    "notice": "interrupted",
    "unwanted": "interrupted",
    "alone": "interrupted",
    "shutdown": "interrupted",
    "stopped": "stopped",
    "lease": "lease",
    "succeeded": "succeeded",
}


@dataclass
class Release:
    """The volume's way out of the machine. ``released`` is said only once it is gone: then others take it."""

    agent: Agent
    begun_at: Seconds | None = None
    stuck: bool = False
    """It could not be let go: the machine ends without having said so."""

    def done(self, now: Seconds, until: Seconds | None = None) -> bool:
        """One round; True once nothing more can be done."""
        agent = self.agent
        if self.begun_at is None:
            self.begun_at = now
            if agent.disk.is_volume:
                shutil.rmtree(agent.disk.staging, ignore_errors=True)
        try:
            if agent.machine.release_volume():
                return True
        except OSError as error:
            agent.message = f"the volume is not free yet: {error}"
        most = self.begun_at + RELEASE_MOST
        self.stuck = now >= (most if until is None else min(most, until))
        return self.stuck

    def clock_set(self, by: Seconds) -> None:
        """The clock went back."""
        if self.begun_at is not None:
            self.begun_at += by


class Leaving:
    """One attempt's way out."""

    def __init__(self, agent: Agent, reason: Leave, now: Seconds, until: Seconds | None) -> None:
        self._agent = agent
        self.reason = reason
        self.outcome: Outcome | None = None
        if reason in _OUTCOMES:
            code = 0 if reason == "succeeded" else None
            minutes = agent.boot.intervals.cut_off / 60
            why = {
                "alone": f"its bucket could not be reached for {minutes:.0f} minutes",
                "shutdown": "the machine was shut down, by nobody of fleet's",
            }
            self.outcome = Outcome(kind=_OUTCOMES[reason], exit_code=code, message=why.get(reason, ""))
        grace = agent.boot.intervals.stop_grace
        left = max(0.0, until - now) if until is not None else None
        self._kill_at = now + (grace if left is None else min(grace, TRAINING_SHARE * left))
        self._until = until
        self._stage = 0
        self._tries = 0
        self._looking = False
        self._exports = 0
        self._unsaved = ""
        self._retry_at = now
        self._ended_at = now
        if agent.child is not None and agent.child.poll() is None:
            agent.ask_to_save()
            agent.child.ask_to_stop(self._kill_at - now)

    def done(self, now: Seconds) -> bool:
        """One round; True once everything is let go of."""
        stages = (self._training_ended, self._committed, self._exported, self._logged, self._cleared, self._released)
        while self._stage < len(stages) and stages[self._stage](now):
            self._stage += 1
        return self._stage == len(stages)

    def hurry(self, until: Seconds, now: Seconds) -> None:
        """The machine ends sooner than it was to: a notice, or a shutdown, while this is under way."""
        if self._until is None or until < self._until:
            self._until = until
            self._kill_at = min(self._kill_at, now + TRAINING_SHARE * max(0.0, until - now))

    def clock_set(self, by: Seconds) -> None:
        """The clock went back: training does not get that much longer to end. When the cloud comes is the cloud's time."""
        self._kill_at += by
        self._ended_at += by
        self._retry_at += by

    def _late(self, now: Seconds) -> bool:
        return self._until is not None and now >= self._until

    def _training_ended(self, now: Seconds) -> bool:
        child = self._agent.child
        if child is None:
            return True
        if child.poll() is None:
            if now >= self._kill_at:
                child.kill()
            return False
        child.kill()  # whatever it forked and left
        self._ended_at = now
        self._agent.hear_child(now)  # its last lines name its last checkpoint
        return True

    def _committed(self, now: Seconds) -> bool:
        """A last look, once training is gone: what it saved on its way out counts."""
        saver = self._agent.saver
        if saver is None or saver.fenced:
            return True
        if not saver.idle:
            saver.collect()
            if saver.idle and self._looking:
                self._looking = False
                if not saver.problem:
                    return True
                self._wait_and_try_again(now)
            return False
        if self._tries >= (BROKEN_TRIES if saver.broken else COMMIT_TRIES) or self._late(now):
            self._unsaved = saver.problem
            return True
        if now >= self._retry_at:
            self._looking = True
            saver.look(last=True)
        return False

    def _exported(self, now: Seconds) -> bool:
        """Outputs of a training that succeeded. What cannot be exported is kept on the volume, and the run has failed."""
        if self.reason != "succeeded":
            return True
        agent, work = self._agent, self._agent.lanes.work
        if not work.busy and now >= self._retry_at:
            last = self._exports >= COMMIT_TRIES or self._late(now)
            job = workplace.keep_outputs if last else workplace.export
            self._exports += 1
            work.give(lambda: job(agent.objects, agent.boot, agent.workdir, agent.disk))
            return False
        done = work.take()
        if done is None:
            return False
        if self._exports > COMMIT_TRIES or (done.error is not None and self._late(now)):
            self.outcome = Outcome(kind="failed", exit_code=0, message=f"training ended well, but {agent.message}")
            return True
        if done.error is not None:
            agent.message = f"its outputs could not be exported: {done.error}"
            self._retry_at = now + min(RETRY_FIRST * 2**self._exports, RETRY_MOST)
            return False
        self.outcome = verdict(agent.boot.job.outputs, done.result if isinstance(done.result, list) else [])
        return True

    def _wait_and_try_again(self, now: Seconds) -> None:
        self._tries += 1
        self._retry_at = now + min(RETRY_FIRST * 2**self._tries, RETRY_MOST)

    def _logged(self, now: Seconds) -> bool:
        """The log is sent, unless time is up: a checkpoint is worth more than its log."""
        return self._agent.logs_shipped or self.reason == "notice" or self._late(now)

    def _cleared(self, now: Seconds) -> bool:
        """Containers that are still being removed hold the volume, and their engine would be asked for after its end."""
        child = self._agent.child
        return child is None or child.gone or now >= self._ended_at + CLEAR_MOST or self._late(now)

    def _released(self, now: Seconds) -> bool:
        if not self._agent.release.done(now, self._until):
            return False
        if self._unsaved and self.outcome is not None:
            message = f"{self.outcome.message}\n{self._unsaved}".strip()
            self.outcome = self.outcome.model_copy(update={"message": message})
        return True
