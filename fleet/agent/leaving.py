"""Letting go, in order: training ends, its last checkpoint is committed, outputs and logs are sent, the volume is free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fleet.agent import workplace
from fleet.agent.saver import RETRY_FIRST, RETRY_MOST, Saver
from fleet.core.outputs import verdict
from fleet.core.short_notice import TRAINING_SHARE, Program, Situation, program
from fleet.model.base import Seconds
from fleet.model.documents import Outcome

if TYPE_CHECKING:
    from fleet.agent.logic import Agent

Leave = Literal["notice", "stopped", "unwanted", "shutdown", "lease", "alone", "succeeded", "failed"]

COMMIT_TRIES = 20
"""What cannot be sent is tried again so often, some eight minutes; on a notice or a lease's end until time is up."""
BROKEN_TRIES = 2
"""A last checkpoint that does not verify is looked at once more."""
CLEAR_MOST: Seconds = 30.0
"""What is left of training, containers above all, is waited for so long before the volume is taken from under it."""
CUT_MOST: Seconds = 2.0
"""What is being sent ends so soon after it was given up, or is left to end by itself."""
TIME_WAS_UP = "the time was over before the last checkpoint was known to be in the bucket"
_OUTCOMES: dict[Leave, Literal["succeeded", "stopped", "interrupted", "lease"]] = {
    "notice": "interrupted",
    "unwanted": "interrupted",
    "alone": "interrupted",
    "shutdown": "interrupted",
    "stopped": "stopped",
    "lease": "lease",
    "succeeded": "succeeded",
}

_SUDDEN = frozenset({"notice", "shutdown"})
"""Nobody chose when."""
_SAVING = _SUDDEN | {"stopped", "unwanted", "lease", "alone"}
"""Training was asked to save."""


def situation(agent: Agent, left: Seconds, now: Seconds, *, training: bool) -> Situation:
    """What the agent knows that matters to its last seconds. Without training there is nothing new to save."""
    saver = agent.saver
    uploads = saver.uploads if saver is not None else []
    size, since = saver.sending if saver is not None and saver.sending is not None else (None, now)
    return Situation(
        left=left,
        on_volume=agent.disk.is_volume,
        fresh=max((one.size for one in uploads), default=None) if training else 0,
        uploads=tuple(uploads),
        save=saver.save_took if saver is not None and training else None,
        sending=size,
        sent_for=now - since,
    )


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
        self._plan: Program | None = None
        """What a notice leaves time for."""
        self._way_out_at = until if until is not None else float("inf")
        """From then on nothing more is sent: what is left of the time is the volume's."""
        self._stage = 0
        self._tries = 0
        self._looking = False
        self._exports = 0
        self._unsaved = ""
        self._cut_at = float("inf")
        self._retry_at = now
        self._ended_at = now
        training = agent.phase == "training" and agent.child is not None and agent.child.poll() is None
        if until is not None and reason in _SUDDEN:
            self._weigh(now, training=training)
        if agent.child is not None and agent.child.poll() is None:
            if self._plan is not None and self._plan.train <= 0:
                agent.child.kill()
            else:
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
            child = self._agent.child
            self._weigh(now, training=self._stage == 0 and self.reason in _SAVING and child is not None)

    def noticed(self, until: Seconds, now: Seconds) -> None:
        """The cloud says so itself: then a shutdown under way is its doing."""
        if self.reason == "shutdown":
            self.reason = "notice"
            if self.outcome is not None:
                self.outcome = self.outcome.model_copy(update={"message": ""})
        self.hurry(until, now)

    def _weigh(self, now: Seconds, *, training: bool) -> None:
        """Decide what is done in the time that is left, and say what is not. ``training``: there is something to save."""
        assert self._until is not None
        agent, grace = self._agent, self._agent.boot.intervals.stop_grace
        what = situation(agent, self._until - now, now, training=training)
        self._plan = plan = program(what, grace)
        self._kill_at = min(self._kill_at, now + plan.train) if training else self._kill_at
        self._way_out_at = now + plan.until
        if plan.stop_sending and agent.saver is not None and not agent.saver.idle:
            agent.throttle.cut()
        if plan.left_out:
            agent.message = plan.left_out
            agent.log.write(f"fleet: {plan.left_out}\n".encode())

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
        if now >= self._way_out_at or (self._plan is not None and not self._plan.send):
            return self._given_up(now, saver)
        if not saver.idle:
            saver.collect()
            if saver.idle:
                self._agent.throttle.mend()  # what was given up for it is out of its way
            if saver.idle and self._looking:
                self._looking = False
                if not saver.problem:
                    self._all_sent()
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

    def _all_sent(self) -> None:
        """What was feared did not come to pass."""
        if self._plan is not None and self._agent.message == self._plan.left_out:
            self._agent.message = ""

    def _given_up(self, now: Seconds, saver: Saver) -> bool:
        """Nothing more is sent, but for what the plan lets go on until the way out begins."""
        if not saver.idle:
            saver.collect()
        goes_on = self._plan is not None and not self._plan.stop_sending and now < self._way_out_at
        if goes_on and saver.holds:
            saver.look(last=True)
        if not saver.idle and not goes_on:
            self._agent.throttle.cut()
            self._cut_at = min(self._cut_at, now)
        if not saver.idle and (goes_on or now < self._cut_at + CUT_MOST):
            return False
        told = self._plan.left_out if self._plan is not None else ""
        self._unsaved = told or saver.problem or TIME_WAS_UP
        return True

    def _exported(self, now: Seconds) -> bool:
        """Outputs of a training that succeeded. What cannot be exported is kept on the volume, and the run has failed."""
        if self.reason != "succeeded":
            return True
        agent, work = self._agent, self._agent.lanes.work
        if self._plan is not None and now >= self._way_out_at:
            return self._not_exported(now)
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

    def _not_exported(self, now: Seconds) -> bool:
        """A notice came while outputs were sent: the next machine goes on from the last checkpoint, and sends them."""
        work = self._agent.lanes.work
        if work.busy and work.take() is None and now < self._cut_at + CUT_MOST:
            self._agent.throttle.cut()
            self._cut_at = min(self._cut_at, now)
            return False
        told = "training had ended well, but the machine was taken while its outputs were sent: the next one sends them"
        self.outcome = Outcome(kind="interrupted", exit_code=0, message=told)
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
        return child is None or child.gone or now >= min(self._ended_at + CLEAR_MOST, self._way_out_at)

    def _released(self, now: Seconds) -> bool:
        if not self._agent.release.done(now, self._until):
            return False
        if self._unsaved and self.outcome is not None:
            message = f"{self.outcome.message}\n{self._unsaved}".strip()
            self.outcome = self.outcome.model_copy(update={"message": message})
        return True
