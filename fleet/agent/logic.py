"""The agent's life, one non-blocking round at a time: everything that takes long is done in lanes or children.

Phases are those of the heartbeat (model/documents.py). Time, machine, bucket, lanes and children are given from outside,
so that the same logic runs on a virtual clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet.agent import workplace
from fleet.agent.arriving import Arriving
from fleet.agent.beats import Beats, Rate
from fleet.agent.disk import Disk
from fleet.agent.lanes import Lane
from fleet.agent.leaving import Leave, Leaving
from fleet.agent.left import left_before, note_left
from fleet.agent.logfile import LogFile
from fleet.agent.machine import Machine
from fleet.agent.process import Process
from fleet.agent.protocol import Progress, parse_line
from fleet.agent.release import Release
from fleet.agent.resume import resume
from fleet.agent.saver import Saver
from fleet.agent.unsaved import Unsaved
from fleet.agent.watch import DeadMan, Signals, Wishes
from fleet.agent.worked import Worked
from fleet.model.base import Seconds
from fleet.model.documents import AgentPhase, Began, BootDocument, Heartbeat, Manifest, Outcome, Resumed
from fleet.model.errors import StoreError
from fleet.store.checkpoints import Checkpoints, FencedError, claim
from fleet.store.objects import Objects
from fleet.store.throttle import Throttle

Start = Callable[[str, Path, dict[str, str]], Process]
"""Starts commands, or a stack by its file, in a folder and with an environment."""
LEAST_WAIT: Seconds = 0.02
RETRY: Seconds = 1.0
RESTART_PAUSE: Seconds = 1.0
REFUSALS = 5
"""So often a step before training is tried that fails for another reason than the bucket being out of reach."""
NOTE_EVERY: Seconds = 0.2
SLEPT: Seconds = 120.0
"""Two rounds further apart mean that the machine was suspended, or its clock was set: it could not be heard meanwhile."""
CLOCK_BACK: Seconds = 1.0
"""A clock that goes back by more was set; less is how clocks are kept right."""
TAKEN_WITHIN: Seconds = 60.0
"""What a notice says is about when the cloud comes: whoever goes a moment earlier pays for what would have been free."""
SHUTDOWN: Seconds = 75.0
"""A shutdown leaves so long, by the service's TimeoutStopSec: then the system kills what is left."""
TAIL_LINES = 20


@dataclass
class Lanes:
    """One worker for each kind of long work."""

    beats: Lane
    wishes: Lane
    work: Lane
    logs: Lane


class Agent:
    """An attempt on its instance."""

    def __init__(
        self,
        machine: Machine,
        objects: Objects,
        boot: BootDocument,
        lanes: Lanes,
        start: Start,
        log: LogFile,
        *,
        start_containers: Start | None = None,
        find_secrets: Callable[[], Mapping[str, str]] | None = None,
        beside: Sequence[Callable[[Seconds], None]] = (),
        throttle: Throttle | None = None,
        version: str = "",
        wall: Callable[[], Seconds] = time.time,
    ) -> None:
        """``wall`` is this machine's own clock, which stamps files and lines; every other time is the bucket's.

        ``find_secrets`` gives the values of the job's secrets, where they are not in our environment: called in a lane until
        it succeeds. ``beside``: what else is looked after in every round, once the attempt is ours.
        """
        self.machine, self.objects, self.boot, self.lanes, self.log = machine, objects, boot, lanes, log
        self.throttle = throttle or Throttle()
        self.now = objects.now
        self.wall = wall
        self.phase: AgentPhase = "booting"
        self.over = False
        """The machine was told to power off: nothing is left to do."""
        self.disk = Disk(machine.scratch / "volume", boot.job.checkpoint.path, is_volume=False)
        self.checkpoints = Checkpoints(objects, boot.run_id)
        self.signals = Signals(machine, boot.intervals.notice)
        self.dead_man = DeadMan(machine, boot.intervals.dead_man)
        self.wishes = Wishes(objects, boot, lanes.wishes)
        self.beats = Beats(objects, lanes.beats, boot.intervals.heartbeat)
        self.saver: Saver | None = None
        self.worked = Worked(None)
        self.unsaved = Unsaved(boot)
        self.leaving: Leaving | None = None
        self.release = Release(self)
        self._left: Heartbeat | None = None
        """The last word of an agent before this one, which had let go: it is said again, and nothing else is done."""
        self.child: Process | None = None
        self.resumed: Resumed | None = None
        self.outcome: Outcome | None = None
        self.message = ""
        self.step: int | None = None
        self.step_at: Seconds | None = None
        self.total: int | None = None
        self.metrics: dict[str, float] = {}
        self.restarts = 0
        self.workdir = machine.scratch
        self.lease_until = boot.lease_until
        self._version = version
        self._start = start
        self._start_containers = start_containers or start
        self._find_secrets = find_secrets
        self._secrets: Mapping[str, str] | None = None if find_secrets is not None else {}
        self._beside = beside
        self._rate = Rate()
        self._claimed = False
        self.began_at = self._awake_since = self.now()
        self.arriving = Arriving(self)
        self._noted_at = 0.0
        self._save_wishes = 0
        self._retry_at = 0.0
        self._logs_due = 0.0
        self._doing = ""
        self._restarted = ""
        self._refusals = 0
        self._unarmed = ""
        self._fenced = ""
        """Why: the volume is let go, then it is said."""
        self._ticked_at = float("-inf")
        self._shut_at: Seconds | None = None
        """Since when the system is being shut down around us."""

    def tick(self) -> Seconds:
        """One round; how many seconds may pass until the next one."""
        now = self.now()
        if now < self._ticked_at - CLOCK_BACK:
            self._clock_went_back(now)
        if now - self._ticked_at > SLEPT:
            self._awake_since = now
        self._ticked_at = now
        self._renew_dead_man(now)
        if self._claimed:
            self._listen(now)
        self.hear_child(now)
        steps: dict[AgentPhase, Callable[[Seconds], None]] = {
            "booting": self._boot,
            "waiting-volume": self.arriving.wait_for_volume,
            "waiting-predecessor": self.arriving.wait_for_predecessor,
            "restoring": self._restore,
            "setup": self._set_up,
            "training": self._train,
            "draining": self._drain,
            "released": self._go,
            "fenced": self._go,
        }
        (self._step_aside if self._fenced else steps[self.phase])(now)
        if self._claimed:
            for look in self._beside:
                look(now)
            self._ship_logs(now)
            self.beats.offer(self.heartbeat(), now)
        soon = min(self.boot.intervals.notice, self.boot.intervals.scan, 0.1 if self.phase != "training" else 1.0)
        return min(soon, max(LEAST_WAIT, self.signals.due_in(now))) if self._claimed else soon

    def _renew_dead_man(self, now: Seconds) -> None:
        """One that cannot be set is told in every phase: the machine ends at the time that was set before."""
        try:
            self.dead_man.renew(now, self.ends_at)
            self._unarmed = ""
        except OSError as error:
            self._unarmed = str(error)

    @property
    def ends_at(self) -> Seconds:
        """How long the machine may live: its lease, and not much longer than it is heard.

        Those who cannot hear it count on that: the next attempt goes on without it, its budget was spent elsewhere.
        """
        heard = self.beats.written.at if self.beats.written is not None else self.began_at
        alone = max(heard, self._awake_since) + self.boot.intervals.cut_off
        return alone if self.lease_until is None else min(self.lease_until, alone)

    def _clock_went_back(self, now: Seconds) -> None:
        """Somebody set it. What was due at a time must not wait until that comes once more: notices are looked for."""
        back = now - self._ticked_at
        self.signals.look_again()
        self.wishes.look_again()
        self.beats.again()
        self.unsaved.clock_set(back)
        self.worked.clock_set(back)
        if self.saver is not None:
            self.saver.look_again()
        if self.leaving is not None:
            self.leaving.clock_set(back)
        self.release.clock_set(back)
        self.began_at += back
        self._rate = Rate()
        self._retry_at = self._logs_due = self._noted_at = 0.0

    # --- before training

    def _boot(self, now: Seconds) -> None:
        """The attempt's first durable act. An attempt that is another instance's is left alone."""
        began = Began(instance_id=self.machine.instance_id, boot_id=self.machine.boot_id, at=now)
        mine = self.in_lane("claim", lambda: claim(self.objects, self.boot.run_id, self.boot.attempt, began), now)
        if mine is True:
            self._claimed, self.phase = True, "waiting-volume"
            self._left = left_before(self.machine.scratch, self.boot)
            if self._left is not None:
                self.phase, self.outcome = self._left.phase, self._left.outcome
        elif mine is False:
            self.phase = "fenced"

    def _restore(self, now: Seconds) -> None:
        if self.leaving is not None and not self.lanes.work.busy:
            self.phase = "draining"
            return
        if self._find_secrets is not None and self._secrets is None:
            self._keep_secrets(self.in_lane("secrets", self._find_secrets, now))
            return
        found = self.in_lane("restore", self._bring_back, now)
        if isinstance(found, tuple):
            self.message = ""
            self.resumed, newest, self.restarts, self.workdir = found
            self.worked = Worked(self.resumed.trained)
            self.saver = Saver(
                self.boot, self.checkpoints, self.disk, self.lanes.work, self.now, newest,
                pause=self.throttle.pause, trained=self.worked.at, wall=self.wall,
            )  # fmt: skip
            self.phase = "setup"
            if self.boot.job.setup and self.leaving is None:
                self._run("setup", self.boot.job.setup, now, self._start)

    def _keep_secrets(self, found: object) -> None:
        """In memory alone, and out of the log."""
        if isinstance(found, Mapping):
            self._secrets, self.message, self._refusals = found, "", 0
            self.log.hide(found.values())

    def _bring_back(self) -> tuple[Resumed, Manifest | None, int, Path]:
        """In the lane: the workdir, and the checkpoint that training goes on from."""
        self.disk.prepare()
        workplace.mount(self.disk, self.machine.root, self.boot.job.volume.mount)
        resumed, newest, restarts = resume(self.objects, self.checkpoints, self.boot, self.disk, self.now)
        workdir = workplace.unpack(self.objects, self.boot, self.machine.scratch, self.machine.root)
        return resumed, newest, restarts, workdir

    def in_lane(self, name: str, work: Callable[[], object], now: Seconds) -> object:
        """Do work in the lane, again and again until it succeeds; its result once it does, else None."""
        done = self.lanes.work.take() if self._doing == name else None
        if done is not None:
            self._doing = ""
            if done.error is None:
                return done.result
            self.message = f"{name}: {done.error}"
            self._retry_at = now + RETRY
            if isinstance(done.error, FencedError):
                self._fenced = self.message
            elif not isinstance(done.error, StoreError):
                self._refusals += 1
                if self._refusals >= REFUSALS:
                    self._give_up(f"{name} failed {REFUSALS} times: {done.error}", now)
        elif not self.lanes.work.busy and now >= self._retry_at:
            self._doing = name
            self.lanes.work.give(work)
        return None

    def _give_up(self, message: str, now: Seconds) -> None:
        """What no further try would mend ends the run, with its reason."""
        if not self._claimed:
            self.phase = "fenced"
        if self.leaving is not None:
            return
        self._leave("failed", now)
        assert self.leaving is not None
        self.leaving.outcome = Outcome(kind="failed", message=message)

    # --- training

    def _set_up(self, now: Seconds) -> None:
        code = self.child.poll() if self.child is not None else 0
        if self.leaving is not None:
            self.phase = "draining"
        elif code == 0:
            self.phase = "training"
            self.throttle.impose()
            if self.boot.job.stack is None:  # a stack says so itself, once its images are there and it runs
                self._guarded(self.machine.training_begins)
            self.unsaved.begins(now)
            self.worked.goes_on(self.wall())
            self._begin(now)
        elif code is not None:
            self._failed("setup", code, now)

    def _train(self, now: Seconds) -> None:
        assert self.saver is not None
        if self.saver.collect():
            self.unsaved.committed(now)
        code = self.child.poll() if self.child is not None else None
        if self.saver.fenced:
            self._fenced = self.saver.problem
        elif self.leaving is not None:
            self.phase = "draining"
        elif code is None:
            if self.child is None and now >= self._retry_at:
                self._begin(now)
            self.saver.look()
            self.unsaved.look(now, self.disk.checkpoints)
            self.message = self.saver.problem or self.unsaved.message or self._restarted
        elif code == 0:
            self._leave("succeeded", now)
        elif self.restarts < self.boot.job.retries.training:
            self._kill_child()
            self.worked.restarts(self.saver.newest.trained if self.saver.newest is not None else 0.0, self.wall())
            self.restarts, self._retry_at = self.restarts + 1, now + RESTART_PAUSE
            self._restarted = f"training ended with exit code {code}; restart {self.restarts}"
        else:
            self._failed("training", code, now)

    def _failed(self, what: str, code: int, now: Seconds) -> None:
        self._leave("failed", now)
        assert self.leaving is not None
        message = f"{what} ended with exit code {code}\n{self.log.tail(TAIL_LINES)}"
        self.leaving.outcome = Outcome(kind="failed", exit_code=code, message=message)

    def _begin(self, now: Seconds) -> None:
        """Start the training: the job's commands, its stack, or its workload's driver."""
        job = self.boot.job
        if job.in_containers:
            self._run("training", job.stack or "the workload", now, self._start_containers)
        else:
            self._run("training", job.run or "true", now, self._start)

    def _run(self, what: str, commands: str, now: Seconds, start: Start) -> None:
        env = workplace.environment(self.boot, self.disk, self.machine.scratch, self.machine.root)
        env |= self._secrets or {}
        try:
            self.child = start(commands, self.workdir, env)
        except (OSError, ValueError) as error:
            self._give_up(f"{what} cannot be started: {error}", now)

    def _kill_child(self) -> None:
        if self.child is not None:
            self.child.kill()
            self.child = None

    def hear_child(self, now: Seconds) -> None:
        """Take in what training printed."""
        ahead = self.now() - self.wall()
        for at, line in self.child.lines() if self.child is not None else ():
            said = parse_line(line)
            if isinstance(said, Progress):
                self.step, self.step_at, self.metrics = said.step, at + ahead, said.metrics
                self.total = said.total or self.total
                self._rate.add(at, said.step)
                if self.saver is not None:
                    self.saver.reported(at, said.step)
            elif said is not None and self.saver is not None:
                self.saver.named(said.at if said.at is not None else at, said.step)
                self._note_saved(said.step, said.at if said.at is not None else at)
                if self.leaving is None:
                    self.saver.look()
        if self.step is not None and self.step_at is not None and self.step_at > self._noted_at + NOTE_EVERY:
            self._noted_at = self.step_at
            reached = (self.boot.run_id, self.step, self.step_at, self.step_at - ahead)
            if (self.phase == "training" or self.child is not None) and self.release.begun_at is None:
                self._guarded(lambda: self.disk.note_progress(*reached))

    def _note_saved(self, step: int, at: Seconds) -> None:
        self._guarded(lambda: self.disk.note_saved(self.boot.run_id, step, at))

    # --- what others want

    def _listen(self, now: Seconds) -> None:
        """The cloud's signals first, then the controller's wishes, then the lease."""
        had_rebalance = self.signals.rebalance
        self.signals.look(now)
        self.wishes.look(now, with_predecessor=self.phase.startswith("waiting"))
        if self.signals.rebalance is not None and had_rebalance is None:
            self.ask_to_save()
        desired, number = self.wishes.desired, self.boot.attempt
        if desired is not None and number in desired.leases:
            self.lease_until = desired.leases[number]
        notice = self.signals.notice
        if self.leaving is not None and notice is not None and notice.until is not None:
            self.leaving.noticed(notice.until, now)
        if self.leaving is not None or self.phase in ("released", "fenced"):
            return
        if self.signals.notice is not None:
            self._leave("notice", now)
        elif desired is not None and desired.want == "stop":
            self._leave("stopped", now)
        elif desired is not None and number <= desired.newest and number not in desired.live:
            self._leave("unwanted", now)
        elif now >= self.ends_at - 2 * self.boot.intervals.stop_grace:
            self._leave("lease" if self.ends_at == self.lease_until else "alone", now)

    def ask_to_save(self) -> None:
        """Wish for a checkpoint: training that cares sees the file's text change."""
        self._save_wishes += 1
        wish, text = workplace.save_request(self.machine.scratch), str(self._save_wishes)
        self._guarded(lambda: wish.write_text(text, encoding="utf-8"))
        if self.saver is not None:
            self.saver.wished_at = self.wall()

    def _guarded(self, work: Callable[[], object]) -> None:
        """A full or failing disk must not end the agent: training may still be saved."""
        try:
            work()
        except OSError as error:
            self.message = f"{error.filename or 'the disk'}: {error.strerror or error}"

    # --- leaving

    def end_soon(self, now: Seconds) -> bool:
        """The machine is being shut down by somebody else, and soon: what can be saved is. False: nothing is left to do."""
        if self._shut_at is None:
            self._shut_at = now
        if not self._claimed:
            return False
        if not self.signals.silent:  # the cloud's word, if it is its doing, comes in the same moment
            self.signals.look_again()
        self.signals.look(now)
        if self.phase in ("released", "fenced"):
            return not self.beats.told(self.heartbeat())  # also after a notice: nobody can stay any more
        if self.leaving is None:
            self._leave("notice" if self.signals.notice is not None else "shutdown", now)
        else:
            self.leaving.hurry(self._shut_at + SHUTDOWN, now)
        return True

    def _leave(self, reason: Leave, now: Seconds) -> None:
        until = self.signals.notice.until if self.signals.notice is not None else None
        if reason in ("lease", "alone"):
            until = self.ends_at  # then the dead-man switch ends the machine
        if reason == "shutdown":
            until = min(now + SHUTDOWN, until if until is not None else float("inf"))
        self.throttle.lift()
        self.worked.ends(self.wall())
        self.leaving = Leaving(self, reason, now, until)

    def _drain(self, now: Seconds) -> None:
        assert self.leaving is not None
        if self.leaving.done(now):
            self.outcome = self.leaving.outcome
            if self.release.stuck:
                self._go(now)  # without a word of release: nobody takes the volume from a machine that holds it
                return
            self._let_go("fenced" if self.saver is not None and self.saver.fenced else "released")

    def _step_aside(self, now: Seconds) -> None:
        """A later attempt goes on: end, without writing, and let go of the volume before that is said."""
        self._kill_child()
        if self.phase == "fenced":
            self._go(now)
        elif self.release.done(now):
            self.message = self._fenced
            if self.release.stuck:
                self._go(now)
            else:
                self._let_go("fenced")

    def _let_go(self, phase: AgentPhase) -> None:
        """The volume is gone: whatever becomes of this agent, none on this machine takes it again."""
        self.phase = phase
        self._guarded(lambda: note_left(self.machine.scratch, self.heartbeat()))

    def _go(self, now: Seconds) -> None:
        """Leave once the bucket knows it. After a notice stay until taken: EC2 does not charge for what it takes early."""
        self._kill_child()
        told = not self._claimed or self.beats.told(self.heartbeat())
        desired, notice = self.wishes.desired, self.signals.notice
        wanted = desired is None or self.boot.attempt in desired.live
        if self._left is not None:
            noticed = self._left.notice is not None
        else:
            noticed = self.leaving is not None and self.leaving.reason == "notice"
        stay = noticed and wanted
        if told and not (stay and notice is not None and now < (notice.until or now) + TAKEN_WITHIN):
            self.over = True
            self.machine.power_off()

    def _ship_logs(self, now: Seconds) -> None:
        done = self.lanes.logs.take()
        if done is not None and done.error is not None:
            self._logs_due = now + self.boot.intervals.log
        final = self.phase in ("draining", "released")
        if self.log.unshipped and not self.lanes.logs.busy and (now >= self._logs_due or final):
            self._logs_due = now + self.boot.intervals.log
            self.lanes.logs.give(lambda: self.log.ship(self.objects, self.boot.run_id, self.boot.attempt))

    @property
    def logs_shipped(self) -> bool:
        """Everything that was printed is in the bucket."""
        return not self.log.unshipped and not self.lanes.logs.busy

    def heartbeat(self) -> Heartbeat:
        """The agent's word, as of now."""
        if self._left is not None:
            return self._left.model_copy(update={"boot_id": self.machine.boot_id, "message": self.message})
        newest = self.saver.newest if self.saver is not None else None
        desired = self.wishes.desired
        return Heartbeat(
            run_id=self.boot.run_id,
            attempt=self.boot.attempt,
            instance_id=self.machine.instance_id,
            boot_id=self.machine.boot_id,
            beat=0,
            at=0.0,
            phase=self.phase,
            step=self.step,
            step_at=self.step_at,
            total=self.total,
            rate=self._rate.value(self.wall()),
            metrics=self.metrics,
            checkpoint=newest.ref if newest else None,
            checkpoint_step=newest.step if newest else None,
            checkpoint_at=newest.at if newest else None,
            trained=self.worked.at(self.wall()),
            saved=newest.trained if newest else self.worked.from_nothing,
            checkpoints=self.saver.count if self.saver is not None else 0,
            resumed=self.resumed,
            notice=self.signals.notice,
            rebalance=self.signals.rebalance,
            outcome=self.outcome,
            restarts=self.restarts,
            lease_until=self.lease_until,
            desired_seen=desired.journal if desired is not None else 0,
            volume_id=self.boot.volume_id if self.disk.is_volume else None,
            message="; ".join(word for word in (self.message, self._unarmed) if word),
            version=self._version,
        )
