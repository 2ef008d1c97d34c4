"""Letting go, in order: training ends, its last checkpoint is committed, outputs and logs are sent, the volume is free."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Literal

from fleet.agent import workplace
from fleet.model.base import Seconds
from fleet.model.documents import Outcome

if TYPE_CHECKING:
    from fleet.agent.logic import Agent

Leave = Literal["notice", "stopped", "unwanted", "lease", "succeeded", "failed"]

TRAINING_SHARE = 0.6
"""Of the time that a notice leaves, training may take so much to save; the rest is for committing."""
COMMIT_TRIES = 20
"""A last checkpoint that cannot be committed is tried again so often; on a notice until time is up."""
_OUTCOMES: dict[Leave, Literal["succeeded", "stopped", "interrupted", "lease"]] = {
    "notice": "interrupted",
    "unwanted": "interrupted",
    "stopped": "stopped",
    "lease": "lease",
    "succeeded": "succeeded",
}


class Leaving:
    """One attempt's way out."""

    def __init__(self, agent: Agent, reason: Leave, now: Seconds, until: Seconds | None) -> None:
        self._agent = agent
        self.reason = reason
        self.outcome: Outcome | None = None
        if reason in _OUTCOMES:
            code = 0 if reason == "succeeded" else None
            self.outcome = Outcome(kind=_OUTCOMES[reason], exit_code=code)
        grace = agent.boot.intervals.stop_grace
        left = max(0.0, until - now) if until is not None else None
        self._kill_at = now + (grace if left is None else min(grace, TRAINING_SHARE * left))
        self._until = until
        self._stage = 0
        self._tries = 0
        self._looked = False
        self._exporting = False
        if agent.child is not None and agent.child.poll() is None:
            agent.ask_to_save()
            agent.child.ask_to_stop()

    def done(self, now: Seconds) -> bool:
        """One round; True once everything is let go of."""
        stages = (self._training_ended, self._committed, self._exported, self._logged, self._released)
        while self._stage < len(stages) and stages[self._stage](now):
            self._stage += 1
        return self._stage == len(stages)

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
        return True

    def _committed(self, now: Seconds) -> bool:
        """A last look: what training saved on its way out counts."""
        saver = self._agent.saver
        if saver is None or saver.fenced:
            return True
        if not saver.idle:
            before = saver.problem
            saver.collect()
            if saver.idle and saver.problem and saver.problem != before:
                self._tries += 1
            return False
        if self._tries >= COMMIT_TRIES or self._late(now):
            return True
        if self._looked:
            if not saver.problem:
                return True
            if now < saver.due:
                return False
        self._looked = True
        saver.look(at_once=True)
        return False

    def _exported(self, now: Seconds) -> bool:
        """Outputs of a training that succeeded."""
        agent = self._agent
        if self.reason != "succeeded":
            return True
        work = agent.lanes.work
        if not self._exporting:
            self._exporting = True
            work.give(lambda: workplace.export(agent.objects, agent.boot, agent.workdir, agent.disk))
            return False
        done = work.take()
        if done is None:
            return False
        if done.error is not None:
            agent.message = f"the outputs could not be exported yet: {done.error}"
            self._exporting = False
            self._tries += 1
            return self._tries >= COMMIT_TRIES
        missing = done.result if isinstance(done.result, list) else []
        message = f"training ended; no output matches {', '.join(missing)}" if missing else "training ended"
        self.outcome = Outcome(kind="succeeded", exit_code=0, message=message)
        return True

    def _logged(self, now: Seconds) -> bool:
        """The log is sent, unless time is up: a checkpoint is worth more than its log."""
        return self._agent.logs_shipped or self.reason == "notice" or self._late(now)

    def _released(self, now: Seconds) -> bool:
        agent = self._agent
        if agent.disk.is_volume:
            shutil.rmtree(agent.disk.staging, ignore_errors=True)
            agent.machine.release_volume()
        return True
