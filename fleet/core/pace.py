"""How long the plan waits for what, per provider. Seconds.

A cloud's machine takes a minute to boot and minutes to lose; on this computer the same takes a second.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fleet.model.base import Seconds
from fleet.model.documents import Intervals
from fleet.model.errors import ErrorClass


@dataclass(frozen=True, slots=True)
class Pace:
    """One provider's waiting times."""

    boot_deadline: Seconds = 900
    """From launch to the agent's first word; then the machine is ended as a failed boot."""
    silence: Seconds = 1900
    """Without a heartbeat for so long although its dead-man switch should have ended it: ended from here."""
    stop_deadline: Seconds = 300
    """From the user's stop to termination, should the agent not let go by itself."""
    drain_slack: Seconds = 150
    """A notice's end and so much: the machine is ended, whatever it says (design.md, section 7)."""
    leave_grace: Seconds = 30
    """A machine that released everything leaves by itself within this, else it is ended from here."""
    age_guard: Seconds = 300
    """No instance younger than this is ever collected."""
    absence: Seconds = 60
    """Absent from listings for so long, and unknown by id: gone."""
    again: Seconds = 15
    """A call whose effect is not seen yet is repeated no sooner."""
    cool_capacity: Seconds = 300
    cool_interrupted: Seconds = 900
    """An offer that was just taken back is not the first to try."""
    cool_unavailable: Seconds = 86_400
    cool_price: Seconds = 300
    cool_quota: Seconds = 3600
    pause_transient: Seconds = 20
    """After a launch that was not answered, or throttled; doubles a few times with each in a row."""
    settle: Seconds = 86_400
    """For so long after an end its last prices are asked for."""
    boot_pause: Seconds = 30
    """After a failed boot; doubles with each in a row."""
    lease_cap: Seconds = 7 * 86_400
    """No machine is armed for longer at once."""
    longest_life: Seconds | None = None
    """The cloud itself ends a machine so long after its launch was intended, which can never be put off: no lease is renewed
    beyond. None: it does not."""
    lease_least: Seconds = 300
    """Money for less than this is not worth a launch: the machine leaves twice the stop's grace before its lease ends."""
    intervals: Intervals = field(default_factory=Intervals)

    def cooling(self, error_class: ErrorClass) -> Seconds:
        """How long an offer that was refused so is left alone."""
        return {
            ErrorClass.CAPACITY: self.cool_capacity,
            ErrorClass.UNAVAILABLE: self.cool_unavailable,
            ErrorClass.PRICE: self.cool_price,
            ErrorClass.QUOTA: self.cool_quota,
        }.get(error_class, 0.0)


CLOUD = Pace()
LOCAL = Pace(
    boot_deadline=60,
    silence=120,
    stop_deadline=20,
    drain_slack=5,
    leave_grace=5,
    age_guard=30,
    absence=5,
    again=2,
    cool_capacity=3,
    cool_interrupted=20,
    cool_unavailable=600,
    cool_price=5,
    cool_quota=60,
    pause_transient=2,
    settle=0,
    boot_pause=2,
    lease_least=20,
    intervals=Intervals(
        heartbeat=2.0,
        notice=0.2,
        desired=0.5,
        scan=0.25,
        log=1.0,
        dead_man=60.0,
        cut_off=600.0,
        stop_grace=8.0,
        volume_wait=20.0,
        released_wait=5.0,
    ),
)

GOOGLE = Pace(longest_life=7 * 86_400)
"""A guest that powers itself off is only stopped there, one that hangs does nothing: a time limit is set at launch."""

_PACES = {"local": LOCAL, "gcp": GOOGLE}


def pace_of(provider: str) -> Pace:
    """The waiting times for a provider; those of a cloud unless it has its own."""
    return _PACES.get(provider, CLOUD)


UNKNOWN_RETRY: tuple[Seconds, ...] = (300, 900, 3600)
"""After an error of no known class: 5, 15, 60 minutes, then a word of the user's is waited for (design.md, 5)."""
