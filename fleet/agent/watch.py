"""What the agent hears: the cloud's signals, the controller's wishes, its predecessor's end. And the dead-man switch."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import ValidationError

from fleet.agent.lanes import Lane
from fleet.agent.machine import Machine
from fleet.model import layout
from fleet.model.base import Seconds
from fleet.model.documents import BootDocument, Desired, Heartbeat, Notice
from fleet.model.errors import NotFoundError
from fleet.store.objects import Objects


@dataclass
class Signals:
    """The cloud's warnings, as the metadata service gives them."""

    machine: Machine
    every: Seconds
    notice: Notice | None = None
    rebalance: Notice | None = None
    silent: bool = False
    """The service did not answer when it was asked last: each question of it may take seconds."""
    _due: Seconds = float("-inf")

    def look_again(self) -> None:
        """Whatever time it is."""
        self._due = float("-inf")

    def due_in(self, now: Seconds) -> Seconds:
        """How long nobody needs to look."""
        return float("inf") if self.notice is not None else max(0.0, self._due - now)

    def look(self, now: Seconds) -> None:
        """Ask, if it is time. A service that does not answer is asked again: silence is no notice."""
        if now < self._due or self.notice is not None:
            return
        self._due, self.silent = now + self.every, False
        try:
            until = self.machine.notice()
            if until is not None:
                self.notice = Notice(kind="notice", seen_at=now, until=until)
            elif self.rebalance is None and self.machine.rebalance():
                self.rebalance = Notice(kind="rebalance", seen_at=now)
        except (OSError, ValueError):
            self.silent = True


@dataclass
class DeadMan:
    """The OS timer: renewed while the agent lives, never past the lease."""

    machine: Machine
    seconds: Seconds
    armed_until: Seconds = 0.0

    def renew(self, now: Seconds, lease_until: Seconds | None) -> None:
        """Push the power-off ahead once a quarter of its time has passed, or pull it back to a shorter lease."""
        until = now + self.seconds if lease_until is None else min(now + self.seconds, lease_until)
        step = until - self.armed_until
        to_the_lease = until == lease_until and step != 0  # the last step is a small one, and the drain needs it
        if step < 0 or step >= self.seconds / 4 or to_the_lease or not self.armed_until:
            self.machine.arm(until, now)
            self.armed_until = until


@dataclass
class Wishes:
    """desired.json and, while it is waited for, the predecessor's heartbeat: read in a lane, since a bucket may hang."""

    objects: Objects
    boot: BootDocument
    lane: Lane
    desired: Desired | None = None
    before: dict[int, Heartbeat] = field(default_factory=dict)
    """The last words of those that are waited for."""
    asked: bool = False
    """At least one answer came."""
    _asked_since: Seconds | None = None
    """When the first answer came: a predecessor that lives would have spoken since."""
    _due: Seconds = float("-inf")

    def look_again(self) -> None:
        """Whatever time it is."""
        self._due = float("-inf")

    def look(self, now: Seconds, *, with_predecessor: bool) -> None:
        """Begin to read, if it is time, and take in what was read."""
        done = self.lane.take()
        if done is not None and done.error is None and isinstance(done.result, tuple):
            self.asked = True
            self._asked_since = now if self._asked_since is None else self._asked_since
            desired, beats = done.result
            if desired is not None and (self.desired is None or desired.journal >= self.desired.journal):
                self.desired = desired
            self.before |= {number: beat for number, beat in beats.items() if beat is not None}
        if not self.lane.busy and now >= self._due:
            self._due = now + self.boot.intervals.desired
            waited = self._waited_for if with_predecessor else ()
            self.lane.give(lambda: (self._desired(), {number: self._beat(number) for number in waited}))

    def predecessor_over(self, now: Seconds) -> str | None:
        """None once no attempt before this one holds anything any more; else what is waited for, in words."""
        return next((told for number in self._waited_for if (told := self._still_there(number, now)) is not None), None)

    @property
    def _waited_for(self) -> tuple[int, ...]:
        """The attempt before this one, and those before that which may have gone on beside it."""
        number = self.boot.predecessor
        return (() if number is None else (number,)) + self.boot.besides

    def _still_there(self, number: int, now: Seconds) -> str | None:
        if self.desired is not None and number in self.desired.gone:
            return None
        beat = self.before.get(number)
        if beat is not None:
            if beat.phase in ("released", "fenced"):
                return None
            if beat.notice is not None and now >= (beat.notice.until or beat.notice.seen_at) + self._released_wait:
                return None
        last = beat.at if beat is not None else self._asked_since
        if last is not None and now - last >= self.boot.intervals.cut_off + self._released_wait:
            return None  # what nobody hears ends itself
        return f"attempt {number} to let go"

    @property
    def _released_wait(self) -> Seconds:
        return self.boot.intervals.released_wait

    def _desired(self) -> Desired | None:
        try:
            return Desired.model_validate_json(self.objects.get(layout.desired(self.boot.run_id)))
        except (NotFoundError, ValidationError):
            return None

    def _beat(self, number: int) -> Heartbeat | None:
        try:
            return Heartbeat.model_validate_json(self.objects.get(layout.heartbeat(self.boot.run_id, number)))
        except (NotFoundError, ValidationError):
            return None
