"""What is done within a notice, and what is left out: decided by how fast this machine was seen to send.

EC2 gives two minutes, Compute Engine half of one. What always has its time is the way out: the volume synced and unmounted,
and the last word said. What a save and its upload take is weighed against the rest. On a volume, which follows the run, a
save that cannot be sent is left there: the next machine commits it first. Without one it would be lost with the machine, so
a finished checkpoint that is being sent goes before a newer one that could not be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.model.base import Seconds
from fleet.model.units import format_bytes, format_duration

RELEASE: Seconds = 6.0
"""Kept for the way out of a volume: its writes synced, docker stopped, unmounted, the word sent. Of seconds that are fewer
than 15 training still has its share: a save that is written is worth more than a clean way out."""
LAST_WORD: Seconds = 2.0
"""The same without a volume."""
TRAINING_SHARE = 0.6
"""Of the time that is left, training may take so much to save, where nobody knows what sending takes."""
WRITTEN_PER_SECOND = 100_000_000
"""Bytes: what a balanced disk of 500 GB writes at the least, gp3 and pd-balanced alike."""
SAVE_LEAST: Seconds = 2.0
"""Between a wish and the save, training ends its step."""
SHORT: Seconds = 60.0
"""Where this is left there is time for anything usual: that its rate was never measured is nothing to tell."""
COUNTED = 3
"""So many of the last uploads say how fast it goes; the slowest of them counts."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One checkpoint that was sent: how much of it was new, and how long that took, sealing included."""

    size: int
    took: Seconds

    def would_take(self, size: int) -> Seconds:
        """For so many bytes: never less than it took, since what it costs beside the bytes is in it."""
        return self.took * max(1.0, size / self.size) if self.size else self.took


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known at the notice."""

    left: Seconds
    """Until the machine is taken."""
    on_volume: bool
    """Checkpoints lie on a disk that outlives the machine."""
    fresh: int | None
    """Bytes that a save now would have to send: what changed from one checkpoint to the next. None: never seen; 0: nothing
    is to be saved."""
    uploads: Sequence[Upload] = ()
    """Of this machine, the newest last."""
    save: Seconds | None = None
    """What a save on request took, where one was asked for before."""
    sending: int | None = None
    """Bytes of a finished checkpoint that is being sent; None: nothing is."""
    sent_for: Seconds = 0.0
    """How long already."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is done. Times are from the notice on."""

    train: Seconds
    """Training may take so long to save and end; 0: it is ended at once, for a save would help nobody."""
    send: bool
    """What it saved is sent to the bucket."""
    stop_sending: bool
    """An upload that is under way is given up at once."""
    until: Seconds
    """Then whatever is still being sent is given up, and the way out begins."""
    left_out: str = ""
    """What is not done, and why, for people; empty: everything is."""


def program(what: Situation, grace: Seconds) -> Program:
    """``grace``: training gets no longer than this to end, however much time there is."""
    way_out = min(RELEASE if what.on_volume else LAST_WORD, (1 - TRAINING_SHARE) * what.left)
    room = max(0.0, what.left - way_out)
    share = min(grace, TRAINING_SHARE * what.left, room)
    if what.fresh == 0:  # what is finished is sent as long as there is time
        return Program(share, send=True, stop_sending=False, until=room)
    new = _takes(what.uploads, what.fresh)
    if new is None or what.fresh is None:
        if what.left >= SHORT:
            return Program(share, send=True, stop_sending=False, until=room)
        told = "how fast this machine sends was never measured: a last checkpoint may not reach the bucket"
        return Program(share, send=True, stop_sending=False, until=room, left_out=told)
    save = max(SAVE_LEAST, what.fresh / WRITTEN_PER_SECOND) if what.save is None else what.save
    rest = _rest(what)
    if max(save, rest) + new <= room:
        return Program(max(save, min(share, room - new)), send=True, stop_sending=False, until=room)
    if save + new <= room:  # but for what is being sent, which is older
        return Program(max(save, min(share, room - new)), send=True, stop_sending=True, until=room)
    why = f"sending {format_bytes(what.fresh)} takes {format_duration(new)} at the rate measured here"
    why += f", and {format_duration(what.left)} are left"
    if what.on_volume:
        told = f"the last checkpoint stays on the volume and is sent by the next machine: {why}"
        return Program(min(grace, room), send=False, stop_sending=True, until=room, left_out=told)
    if what.sending is not None and rest <= room:
        told = f"training is not asked to save, the checkpoint that is being sent goes first: {why}"
        return Program(0.0, send=False, stop_sending=False, until=room, left_out=told)
    told = f"a last checkpoint will hardly reach the bucket in time: {why}"
    return Program(min(max(save, room - new), share), send=True, stop_sending=True, until=room, left_out=told)


def _takes(uploads: Sequence[Upload], size: int | None) -> Seconds | None:
    if not uploads or size is None:
        return None
    return max(one.would_take(size) for one in uploads[-COUNTED:])


def _rest(what: Situation) -> Seconds:
    """How much longer the upload under way takes."""
    whole = _takes(what.uploads, what.sending)
    return 0.0 if whole is None else max(0.0, whole - what.sent_for)
