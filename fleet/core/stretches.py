"""What each machine of a run did when: its life cut into stretches that follow one another without a gap.

Moments are integer milliseconds, as costs.py counts them, so that stretches add up exactly. They come from several clocks
(the cloud's, the agent's, the bucket's, and whoever looked late), so that each one holds only as far as the one before it
allows: a stretch is never negative, and none lies outside of its machine's life.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from fleet.core.observed import AttemptKey
from fleet.core.pace import pace_of
from fleet.core.state import AttemptState, RunState
from fleet.model.base import Seconds, Steps
from fleet.model.documents import Heartbeat

Part = Literal["training", "boot", "restore", "lost", "idle", "leaving"]
Beats = Mapping[AttemptKey, Heartbeat]
"""The last words of machines that live: how far they are stands in no journal yet."""
ELSEWHERE = 10.0
"""More steps than by so many times the speed that was seen: those of a training from nothing did not begin at 0."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one millisecond until just before another."""

    part: Part
    start: int
    end: int

    @property
    def length(self) -> int:
        """Milliseconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Life:
    """One machine's life."""

    attempt: AttemptState
    start: int
    end: int
    stretches: tuple[Stretch, ...]
    """In the order of time, each of some length."""
    steps: Steps | None
    """That were kept; None: it told none."""

    @property
    def kept(self) -> tuple[int, int]:
        """When it trained what was kept."""
        found = next((one for one in self.stretches if one.part == "training"), None)
        return (found.start, found.end) if found is not None else (self.end, self.end)


def milliseconds(at: Seconds) -> int:
    """A moment, to the millisecond."""
    return round(at * 1000)


def lives(run: RunState, now: Seconds, beats: Beats | None = None) -> list[Life]:
    """The lives of a run's machines until ``now``, by their numbers.

    From the newest to the oldest: what a machine trained was kept as far as no later one had to begin before it.
    """
    kept = _Kept.of(run)
    found: list[Life] = []
    for attempt in reversed(list(run.attempts.values())):
        beat = _word(run, attempt, beats)
        plain = _plainly(run, attempt, now, beat)
        if plain is None:
            continue
        trained = next((one for one in plain.stretches if one.part == "training"), None)
        lost = kept.lost(attempt, trained.length if trained is not None else 0)
        kept_ms = trained.length - lost if trained is not None else 0
        found.append(replace(_without(plain, lost), steps=kept.steps(attempt, kept_ms, beat)))
        kept.goes_on(attempt)
    return found[::-1]


def lived(attempt: AttemptState, now: Seconds) -> tuple[int, int] | None:
    """From when until when a machine was there; None: none came of the attempt."""
    if attempt.launched_at is None:
        return None
    start = milliseconds(attempt.launched_at)
    return start, max(start, milliseconds(attempt.ended_at if attempt.ended_at is not None else now))


def _word(run: RunState, attempt: AttemptState, beats: Beats | None) -> Heartbeat | None:
    """The last word of a machine that lives: what those that are gone said stands in the journal."""
    beat = beats.get((run.run_id, attempt.number)) if beats and attempt.ended_at is None else None
    return beat if beat is not None and beat.instance_id == attempt.instance_id else None


def _plainly(run: RunState, attempt: AttemptState, now: Seconds, beat: Heartbeat | None) -> Life | None:
    """A life as if nothing of it was lost; None: no machine came of the attempt."""
    known = lived(attempt, now)
    if known is None:
        return None
    start, end = known
    cut = _Cutting(start, end)
    leaves = min((one for one in _leaving(attempt) if one >= start), default=end)
    resumed = milliseconds(attempt.resumed.at) if attempt.resumed is not None else None
    begins = min(leaves, resumed if resumed is not None else leaves)
    cut.until("boot", min(begins, milliseconds(attempt.began_at) if attempt.began_at is not None else begins))
    cut.until("idle", min(begins, _free(run, attempt)))
    trains = min(leaves, end) - max(cut.at, begins)
    if resumed is not None and trains > 0:
        cut.until("restore", min(leaves, end) - min(trains, _trained(attempt, trains, beat)))
        cut.until("training", leaves)
    cut.until("restore", leaves)
    _let_go(cut, attempt)
    return Life(attempt, start, end, tuple(cut.found), None)


class _Cutting:
    """Cuts a life from its start on."""

    def __init__(self, start: int, end: int) -> None:
        self.at, self.end = start, end
        self.found: list[Stretch] = []

    def until(self, part: Part, moment: int) -> None:
        """The next stretch; none if it is over already."""
        moment = min(moment, self.end)
        if moment > self.at:
            self.found.append(Stretch(part, self.at, moment))
            self.at = moment


def _leaving(attempt: AttemptState) -> list[int]:
    """Each reason to stop training, at its time."""
    noticed = attempt.notice.seen_at if attempt.notice is not None else None
    known = (noticed, attempt.relieved_at, attempt.finished_at, attempt.terminate_at, attempt.released_at)
    return [milliseconds(one) for one in known if one is not None]


def _free(run: RunState, attempt: AttemptState) -> int:
    """Until when it had to wait for the machines before it, as far as is known."""
    free = 0
    for number in {attempt.predecessor, *attempt.besides} - {None}:
        before = run.attempts.get(number) if number is not None else None
        if before is None or before.launched_at is None:
            continue
        let_go = [one for one in (before.released_at, before.ended_at) if one is not None]
        free = max(free, milliseconds(min(let_go)) if let_go else _FOR_EVER)
    return free


_FOR_EVER = 10**18


def _trained(attempt: AttemptState, trains: int, beat: Heartbeat | None) -> int:
    """How much of the time that it had for training it trained, milliseconds; the rest was the job's set-up before that."""
    base = attempt.resumed.trained if attempt.resumed is not None else None
    told = beat.trained if beat is not None else attempt.trained
    if attempt.resumed is None or base is None or told is None:
        return trains
    here = max(0, milliseconds(told) - milliseconds(base))
    if beat is None or beat.phase != "training":
        return here
    before = milliseconds(beat.at) - milliseconds(attempt.resumed.at) - here  # and since its last word it trains
    return max(here, trains - max(0, before))


def _let_go(cut: _Cutting, attempt: AttemptState) -> None:
    """The end: it lets go, for a moment it may still be there, and what is longer is idle until somebody ends it."""
    if attempt.released_at is None:
        cut.until("leaving", cut.end)
        return
    offer = attempt.offer
    grace = pace_of(offer.provider if offer is not None else "").leave_grace
    cut.until("leaving", milliseconds(attempt.released_at + grace))
    cut.until("idle", milliseconds(attempt.terminate_at) if attempt.terminate_at is not None else cut.end)
    cut.until("leaving", cut.end)


def _without(life: Life, lost: int) -> Life:
    """The same with so much of the end of its training lost."""
    found: list[Stretch] = []
    for one in life.stretches:
        if one.part == "training" and lost > 0:
            parts = (Stretch("training", one.start, one.end - lost), Stretch("lost", one.end - lost, one.end))
            found.extend(part for part in parts if part.length > 0)
        else:
            found.append(one)
    return replace(life, stretches=tuple(found))


@dataclass(slots=True)
class _Kept:
    """How much of the training of machines is kept, given those that came after them."""

    trained: float = math.inf
    """Milliseconds of training that everything later builds on."""
    step: float = math.inf
    owed: int = 0
    """Milliseconds that were lost, where nobody counted training: of the newest machines before."""
    told: Mapping[int, Steps] = field(default_factory=dict)
    """The furthest step that others resumed from, of those that machines left behind."""

    @classmethod
    def of(cls, run: RunState) -> _Kept:
        """After the newest machine: all is kept, but for what a run that was cut short never saved."""
        resumed = [attempt for attempt in run.attempts.values() if attempt.resumed is not None]
        told: dict[int, Steps] = {}
        for attempt in resumed:
            base = attempt.resumed
            if base is not None and base.ref is not None and base.step is not None:
                told[base.ref.attempt] = max(base.step, told.get(base.ref.attempt, base.step))
        found = cls(told=told)
        if run.over and run.outcome != "succeeded" and resumed and resumed[-1].saved is not None:
            found.trained = milliseconds(resumed[-1].saved)
            found.step = resumed[-1].saved_step if resumed[-1].saved_step is not None else math.inf
        return found

    def lost(self, attempt: AttemptState, trained: int) -> int:
        """How much of what a machine trained was lost."""
        base = attempt.resumed.trained if attempt.resumed is not None else None
        if base is not None and self.trained < math.inf:
            began = milliseconds(base)
            lost = min(trained, max(0, began + trained - max(int(self.trained), began)))
        else:
            lost = 0
        more = min(trained - lost, self.owed)
        self.owed -= more
        return lost + more

    def steps(self, attempt: AttemptState, kept: int, beat: Heartbeat | None) -> Steps | None:
        """How many of a machine's steps were kept; ``kept``: of its training, milliseconds."""
        base = attempt.resumed
        if base is None:
            return None
        start = base.step if base.step is not None else 0 if base.ref is None else base.reached
        known = (attempt.step, beat.step if beat is not None else None, self.told.get(attempt.number))
        reached = max((one for one in known if one is not None), default=None)
        if reached is None or start is None:
            return None
        steps = max(0, int(min(reached, self.step)) - start)
        rate = (beat.rate if beat is not None else attempt.rate) or 0.0
        if base.ref is None and rate > 0 and steps > ELSEWHERE * rate * kept / 1000:
            return round(rate * kept / 1000)  # it began elsewhere than at step 0
        return steps

    def goes_on(self, attempt: AttemptState) -> None:
        """To the machines before this one."""
        base = attempt.resumed
        if base is None:
            return
        if base.trained is not None:
            self.trained = min(self.trained, milliseconds(base.trained))
        else:
            self.owed += max(0, milliseconds(base.lost_seconds))
        step = base.step if base.step is not None else 0 if base.ref is None else None
        if step is not None:
            self.step = min(self.step, step)
