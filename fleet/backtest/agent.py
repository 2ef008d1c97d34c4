"""What runs on a simulated machine: it keeps the real agent's rules and writes its documents, and trains by the clock.

A step is a second of work. Nothing happens between two moments that matter: how far training is, and which checkpoints it
has made, follows from the time at which somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from fleet.model import layout
from fleet.model.base import Seconds, document_bytes
from fleet.model.cloud import InstanceState, VolumeState
from fleet.model.documents import (
    AgentPhase,
    Base,
    Began,
    BootDocument,
    CheckpointRef,
    Desired,
    Heartbeat,
    Manifest,
    Notice,
    Outcome,
    Resumed,
)
from fleet.providers.sim.things import SimInstance

if TYPE_CHECKING:
    from fleet.backtest.whole import World

POLL: Seconds = 5.0
"""What is waited for is looked at so often."""
LEAVES: Seconds = 2.0
"""From the word that everything is released to the power's end."""

Why = Literal["succeeded", "stopped", "interrupted", "lease"]


class SimAgent:
    """One attempt on its machine."""

    def __init__(self, world: World, made: SimInstance) -> None:
        self._world, self._made = world, made
        self.boot = BootDocument.model_validate_json(made.request.user_data)
        self.key = layout.heartbeat(self.boot.run_id, self.boot.attempt)
        self.phase: AgentPhase = "booting"
        self.over = False
        self.lost: Seconds = 0.0
        """Work that the attempts before had done and that this one does again."""
        self._began_at = self._until = self._said_at = 0.0
        self._on_volume = False
        self._lease: Seconds | None = self.boot.lease_until
        self._coming: Resumed | None = None
        self.resumed: Resumed | None = None
        self.notice: Notice | None = None
        self._rebalance: Notice | None = None
        self._outcome: Outcome | None = None
        self._why: Why | None = None
        self._from = self._saved = 0.0
        """Work done when training began here, and in the newest checkpoint."""
        self._saved_at = 0.0
        self._since: Seconds | None = None
        self._frozen_at: Seconds | None = None
        self._marks = self._seq = self._beat = 0
        self._ref: CheckpointRef | None = None
        self._final = False

    # --- how far it is

    def done(self, at: Seconds) -> float:
        """Work done by a moment, of the whole run."""
        if self._since is None:
            return self._from
        until = min(at, self._frozen_at) if self._frozen_at is not None else at
        return min(self._world.work, self._from + max(0.0, until - self._since) * self._world.ways.speed)

    def trained(self, at: Seconds) -> Seconds:
        """Work that this machine has done by a moment."""
        return self.done(at) - self._from

    def committed(self, now: Seconds) -> tuple[CheckpointRef | None, float, Seconds]:
        """Its newest durable checkpoint by a moment: name, work done, when. What is new by then is written down."""
        end = self._made.ended_at(now)
        by = now if end is None else min(end, now)
        if self._since is not None:
            trained = (by if self._frozen_at is None else min(by, self._frozen_at)) - self._since
            count = int(max(0.0, min(trained, by - self._since - self._world.ways.commit)) // self._world.every)
            if count > self._marks:
                at = self._since + count * self._world.every
                self._seq += count - self._marks - 1
                self._marks = count
                self._commit(at)
        return self._ref, self._saved, self._saved_at

    def _commit(self, at: Seconds) -> None:
        """A checkpoint of the work done at a moment."""
        if self.done(at) <= self._saved:
            return
        self._seq += 1
        parent, boot = self._ref, self.boot
        self._ref, self._saved, self._saved_at = CheckpointRef(attempt=boot.attempt, seq=self._seq), self.done(at), at
        step = int(self._saved)
        made = Manifest(
            run_id=boot.run_id,
            ref=self._ref,
            parent=parent,
            at=at,
            step=step,
            trained=self._saved,
            format="rename",
            files=(),
        )
        self._world.bucket.create(layout.manifest(boot.run_id, boot.attempt, self._seq), document_bytes(made))

    # --- its word

    def word(self) -> tuple[str, bytes]:
        """Its heartbeat as it would be in the bucket now: at most one interval old."""
        now = self.last(self._world.clock())
        interval = self.boot.intervals.heartbeat
        tick = int((now - self._began_at) // interval) if self.phase == "training" else 0
        at = max(self._said_at, self._began_at + tick * interval)
        ref, saved, saved_at = self.committed(at)
        step = int(self.done(at)) if self._since is not None else None
        beat = Heartbeat(
            run_id=self.boot.run_id,
            attempt=self.boot.attempt,
            instance_id=self._made.instance_id,
            boot_id=f"boot-{self._made.instance_id}",
            beat=self._beat + tick,
            at=at,
            phase=self.phase,
            step=step,
            step_at=at if step is not None else None,
            trained=round(self.done(at), 3) if self.resumed is not None else None,
            saved=round(saved, 3) if self.resumed is not None else None,
            rate=self._world.ways.speed if self.phase == "training" else None,
            checkpoint=ref,
            checkpoint_step=int(saved) if ref else None,
            checkpoint_at=saved_at if ref else None,
            checkpoints=self._seq,
            resumed=self.resumed,
            notice=self.notice,
            rebalance=self._rebalance,
            outcome=self._outcome,
            lease_until=self._lease,
            volume_id=self.boot.volume_id if self._on_volume else None,
        )
        return f"{self._beat}.{tick}", beat.model_dump_json().encode()

    def _say(self, phase: AgentPhase | None = None) -> None:
        """Something changed that the world is told at once."""
        self.phase = phase or self.phase
        self._beat += 1
        self._said_at = self._world.clock()
        self._world.bucket.spoken[self.key] = self.word
        self._world.news()

    # --- its life

    def wake(self) -> Seconds | None:
        """What is due; when it next wants to be woken. None: it is over."""
        now = self._world.clock()
        if self._made.state.at(now) is not InstanceState.RUNNING:
            self.gone()
            return None
        if self.over:
            return None
        if self.phase == "booting":
            self._begin(now)
        self._listen(now)
        while True:
            before = self.phase
            due = self._step(now)
            if self.phase == before:
                return due

    def gone(self) -> None:
        """The power is off: its last word stays as it was."""
        if self.phase == "booting" or self._final:
            return
        now = self._world.clock()
        ended = self._made.ended_at(now)
        if self._frozen_at is None and ended is not None:
            self._frozen_at = ended
        self.committed(now)
        self.over = self._final = True
        word = self._world.bucket.spoken.pop(self.key, None)
        if word is not None:
            self._world.bucket.put(self.key, word()[1])

    def _step(self, now: Seconds) -> Seconds | None:
        if self.phase == "waiting-volume":
            return self._wait_for_volume(now)
        if self.phase == "waiting-predecessor":
            return self._wait_for_predecessor(now)
        if self.phase == "restoring":
            return self._wait_until(now, self._restored)
        if self.phase == "setup":
            return self._wait_until(now, self._train)
        if self.phase == "training":
            return self._training(now)
        if self.phase == "draining":
            return self._wait_until(now, self._drained)
        return self._leave(now)

    def _begin(self, now: Seconds) -> None:
        boot, world = self.boot, self._world
        self._began_at = self._said_at = now
        began = Began(instance_id=self._made.instance_id, boot_id=f"boot-{self._made.instance_id}", at=now)
        world.bucket.create(layout.began(boot.run_id, boot.attempt), document_bytes(began))
        self._arm()
        self._say("waiting-volume")

    def _arm(self) -> None:
        """The dead-man switch: simulated agents do not hang, so that only the lease ends them."""
        until = self._lease if self._lease is not None else self._world.clock() + self._world.longest
        self._world.cloud.arm(self._made.instance_id, until)

    def _wait_for_volume(self, now: Seconds) -> Seconds | None:
        for volume in self._world.cloud.volumes_at(self._made.instance_id):
            held = volume.held.at(now)
            if held == (VolumeState.IN_USE, self._made.instance_id) and self.boot.volume_id in (None, volume.volume_id):
                self._on_volume = True
        if not self._on_volume and now - self._began_at < self.boot.intervals.volume_wait:
            return now + POLL
        self._say("waiting-predecessor")
        return None

    def _wait_for_predecessor(self, now: Seconds) -> Seconds | None:
        handed_over = self._on_volume and not self.boot.volume_new
        if not handed_over and not self._predecessor_over(now):
            return now + self.boot.intervals.desired
        self._resume(now)
        self._say("restoring")
        return self._until

    def _predecessor_over(self, now: Seconds) -> bool:
        """As the real agent's ``Wishes`` has it: nobody before it may write any more."""
        first = self.boot.predecessor
        waited = (() if first is None else (first,)) + self.boot.besides
        return all(self._let_go(number, now) for number in waited)

    def _let_go(self, number: int, now: Seconds) -> bool:
        desired, before = self._desired, self._world.agents.get((self.boot.run_id, number))
        if desired is not None and number in desired.gone:
            return True
        if before is None or before.phase in ("released", "fenced"):
            return True
        notice, wait = before.notice, self.boot.intervals.released_wait
        return notice is not None and now >= (notice.until or notice.seen_at) + wait

    @property
    def _desired(self) -> Desired | None:
        return self._world.desired.get(self.boot.run_id)

    def _resume(self, now: Seconds) -> None:
        """Fix the base, and what is brought back from it."""
        boot, world = self.boot, self._world
        before = [
            a
            for (run, n), a in sorted(world.agents.items(), key=lambda one: one[0])
            if run == boot.run_id and n < boot.attempt
        ]
        ref, work, at = max((a.committed(now) for a in before), key=lambda one: one[1], default=(None, 0.0, 0.0))
        based = [a for a in before if a.resumed is not None]
        base = Base(predecessor=based[-1].boot.attempt if based else None, ref=ref, at=now)
        world.bucket.create(layout.base(boot.run_id, boot.attempt), document_bytes(base))
        reached, reached_at = (based[-1].done(now), based[-1].last(now)) if based else (0.0, now)
        self._from = self._saved = work if ref is not None else 0.0
        self._saved_at = at
        self.lost = max(0.0, reached - self._from)
        local = self._on_volume and not boot.volume_new
        bounds = world.ways.restore_volume if local else world.ways.restore_bucket
        self._until = now if ref is None else now + self._draw("restore", bounds)
        self._coming = Resumed(
            ref=ref,
            source="nothing" if ref is None else "volume" if local else "bucket",
            step=int(self._from) if ref is not None else None,
            reached=int(reached) if reached > 0 else None,
            trained=self._from,
            lost_steps=int(self.lost),
            lost_seconds=round(max(0.0, reached_at - at), 3) if int(self.lost) and ref is not None else round(self.lost, 3),
            at=self._until,
        )

    def last(self, now: Seconds) -> Seconds:
        """Up to when it can have said something."""
        ended = self._made.ended_at(now)
        return now if ended is None else min(ended, now)

    def _draw(self, what: str, bounds: tuple[float, float]) -> float:
        return self._world.cloud.draw(f"{self._made.instance_id}/{what}", bounds)

    def _wait_until(self, now: Seconds, then: Callable[[Seconds], None]) -> Seconds | None:
        if now < self._until:
            return self._until
        then(now)
        return self._until

    def _restored(self, now: Seconds) -> None:
        self.resumed = self._coming
        self._ref = self.resumed.ref if self.resumed is not None else None
        self._until = now + (self._draw("setup", self._world.ways.setup) if self.boot.job.setup else 0.0)
        self._say("setup")

    def _train(self, now: Seconds) -> None:
        self._since = now
        self._say("training")

    def _training(self, now: Seconds) -> Seconds | None:
        left = (self._world.work - self.done(now)) / self._world.ways.speed
        if left > 1e-6:
            ends = self._lease - self._margin if self._lease is not None else now + left
            return min(now + left, ends)
        self._stop(now, "succeeded")
        return self._until

    # --- what others want

    @property
    def _margin(self) -> Seconds:
        """Before its lease ends, it saves."""
        return 2 * self.boot.intervals.stop_grace

    def _listen(self, now: Seconds) -> None:
        if self._rebalance is None and self._world.cloud.rebalance(self._made.instance_id):
            self._rebalance = Notice(kind="rebalance", seen_at=now)
            if self.phase == "training":
                self._commit(now)
            self._say()
        until = self._world.cloud.notice(self._made.instance_id)
        if until is not None and self.notice is None:
            self.notice = Notice(kind="notice", seen_at=now, until=until)
            self._say()
        desired, number = self._desired, self.boot.attempt
        if desired is not None and desired.leases.get(number, self._lease) != self._lease:
            self._lease = desired.leases[number]
            self._arm()
        if self.phase in ("draining", "released", "fenced"):
            return
        if self.notice is not None:
            self._stop(now, "interrupted")
        elif desired is not None and desired.want == "stop":
            self._stop(now, "stopped")
        elif desired is not None and number <= desired.newest and number not in desired.live:
            self._stop(now, "interrupted")
        elif self._lease is not None and now >= self._lease - self._margin:
            self._stop(now, "lease")

    def _stop(self, now: Seconds, why: Why) -> None:
        """Training ends here; what it came to is saved."""
        self._frozen_at, self._why = now, why
        self._until = now + (self._draw("save", self._world.ways.save) if self._since is not None else 0.0)
        self._say("draining")

    def _drained(self, now: Seconds) -> None:
        assert self._why is not None
        if self._since is not None:
            self._commit(now)
        self._outcome = Outcome(kind=self._why, exit_code=0 if self._why == "succeeded" else None)
        self._until = now + LEAVES
        self._say("released")

    def _leave(self, now: Seconds) -> Seconds | None:
        """After a notice it stays until it is taken, as long as it is wanted: what the cloud takes early costs nothing."""
        desired = self._desired
        wanted = desired is None or self.boot.attempt in desired.live
        if now < self._until:
            return self._until
        if self.notice is not None and self._why == "interrupted" and wanted and now < (self.notice.until or now) + 60:
            return now + POLL
        self.over = True
        self._world.power_off(self._made.instance_id)
        self.gone()
        return None
