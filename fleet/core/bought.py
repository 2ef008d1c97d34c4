"""What was got for the money: of each run and stretch of time the parts of machine time, the steps that were kept, what was
paid for nothing, and what 1,000 steps cost by type and market.

The parts of machine time add up to it, and what is paid for them adds up to what the ledger says of the machines: exactly,
for whatever stretches of time a whole is cut into.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from fleet.core.costs import cost_until, intervals
from fleet.core.state import RunState
from fleet.core.stretches import Beats, Life, Part, Stretch, lived, lives, milliseconds
from fleet.model.base import Micros, Seconds, Steps
from fleet.model.calendar import Span, date_text, day_of, next_day
from fleet.model.cloud import Billing, Market

__all__ = [
    "PARTS", "WORDS", "Beats", "Part", "Shares", "Yield", "by_week", "paid", "shares", "steps", "wasted", "weeks", "yields",
]  # fmt: skip

PARTS: tuple[Part, ...] = ("training", "boot", "restore", "lost", "idle", "leaving")
WORDS: Mapping[Part, str] = {
    "training": "training",
    "boot": "boot",
    "restore": "restore",
    "lost": "lost work",
    "idle": "idle",
    "leaving": "leaving",
}
"""The parts as people read them."""
Money = Mapping[str, Billing]
"""How each provider charges."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Machine time by what it went into, seconds, to the millisecond; and how long the run had no machine."""

    training: Seconds = 0.0
    """That was kept."""
    boot: Seconds = 0.0
    """From the launch to the agent's first word; all of it for a machine that never spoke."""
    restore: Seconds = 0.0
    """From there to training: what was brought back, and the job's set-up."""
    lost: Seconds = 0.0
    """Training that had to be done again."""
    idle: Seconds = 0.0
    """Waiting beside another machine for its turn, or still there after everything was let go."""
    leaving: Seconds = 0.0
    """Saving, letting go and ending."""
    waiting: Seconds = 0.0
    """Of the run, no machine's time: it wanted one and had none."""

    @property
    def machine(self) -> Seconds:
        """All machine time: what the parts but ``waiting`` add up to."""
        return sum(milliseconds(getattr(self, part)) for part in PARTS) / 1000

    @property
    def parts(self) -> dict[Part, Seconds]:
        """Machine time by part, in the order of PARTS, those of no length included."""
        return {part: getattr(self, part) for part in PARTS}


@dataclass(frozen=True, slots=True)
class Yield:
    """What machines of one type and market came to."""

    provider: str
    instance_type: str
    market: Market
    steps: Steps | None
    """That were kept; None: none of their trainings tells its steps."""
    seconds: Seconds
    """Machine time."""
    training: Seconds
    """The part of it that was kept."""
    paid: Micros
    """For the machines alone: boot, lost work and all, without volumes."""

    @property
    def per_thousand(self) -> Micros | None:
        """Micro-dollars for 1,000 steps that were kept; None: there are none."""
        return (self.paid * 1000 + self.steps // 2) // self.steps if self.steps else None


def shares(run: RunState, span: Span, now: Seconds, beats: Beats | None = None) -> Shares:
    """What a run's machine time went into, as far as it lies in ``span``; of machines that live, until ``now``."""
    found = _shared(_lives(run, span, now, beats), _Window.of(span))
    return Shares(**found, waiting=_waited(run, span, now) / 1000)


def steps(run: RunState, span: Span, now: Seconds, beats: Beats | None = None) -> Steps | None:
    """The steps of a run that were kept, each machine's spread evenly over its training; None: none told any."""
    return _stepped(_lives(run, span, now, beats), _Window.of(span))


def paid(run: RunState, span: Span, now: Seconds, billing: Money, beats: Beats | None = None) -> dict[Part, Micros]:
    """What was paid for each part of a run's machine time, together what its machines cost in ``span``."""
    found = dict.fromkeys(PARTS, 0)
    for life in _lives(run, span, now, beats):
        for part, amount in _paid(life, _Window.of(span), now, billing):
            found[part] += amount
    return found


def wasted(
    runs: Iterable[RunState], span: Span, now: Seconds, billing: Money, beats: Beats | None = None
) -> dict[Part, Micros]:
    """What was paid for everything but training, by reason; without what came to nothing."""
    found = dict.fromkeys(PARTS, 0)
    for run in runs:
        for part, amount in paid(run, span, now, billing, beats).items():
            found[part] += amount
    return {part: amount for part, amount in found.items() if amount and part != "training"}


def yields(runs: Iterable[RunState], span: Span, now: Seconds, billing: Money, beats: Beats | None = None) -> list[Yield]:
    """What each type and market came to, the cheapest for 1,000 steps first, those without steps last."""
    return _yields([life for run in runs for life in _lives(run, span, now, beats)], _Window.of(span), now, billing)


def by_week(
    runs: Iterable[RunState], span: Span, zone: str, now: Seconds, billing: Money, beats: Beats | None = None
) -> list[tuple[Span, list[Yield]]]:
    """The same by weeks of the user's calendar (from Monday), oldest first; without weeks in which no machine ran."""
    all_lives = [life for run in runs for life in _lives(run, span, now, beats)]
    if not all_lives:
        return []
    first = max(span.start, min(life.start for life in all_lives) / 1000)
    last = min(span.end, (max(life.end for life in all_lives) + _LEAST_CHARGED) / 1000)
    found = []
    for week in weeks(Span(first, last), zone):
        window = _Window.of(week)
        some = _yields([life for life in all_lives if window.touches(life.start, life.end)], window, now, billing)
        if some:
            found.append((week, some))
    return found


def weeks(span: Span, zone: str) -> list[Span]:
    """The weeks of the user's calendar, from Monday, that ``span`` reaches into; the first and last as far as it does."""
    found: list[Span] = []
    begins, day = span.start, day_of(span.start, zone)
    while begins < span.end:
        day = next_day(day, zone)
        if date.fromisoformat(date_text(day.start, zone)).weekday() == 0 or day.start >= span.end:
            found.append(Span(begins, min(day.start, span.end)))
            begins = day.start
    return found


@dataclass(frozen=True, slots=True)
class _Window:
    """A span in milliseconds."""

    start: int
    end: int

    @classmethod
    def of(cls, span: Span) -> _Window:
        return cls(milliseconds(span.start), milliseconds(span.end))

    def shared(self, start: int, end: int) -> int:
        """How much of some time lies in it."""
        return max(0, min(end, self.end) - max(start, self.start))

    def touches(self, start: int, end: int) -> bool:
        """Whether a life reaches into it, its charge for a minute at least included."""
        return start <= self.end and end + _LEAST_CHARGED >= self.start


_LEAST_CHARGED = 3_600_000
"""No provider charges for a machine so much longer than it lived, milliseconds."""


def _lives(run: RunState, span: Span, now: Seconds, beats: Beats | None) -> list[Life]:
    """A run's lives; none if none reaches into a span: most runs of a fleet ended long ago."""
    window = _Window.of(span)
    known = (lived(attempt, now) for attempt in run.attempts.values())
    return lives(run, now, beats) if any(one is not None and window.touches(*one) for one in known) else []


def _shared(some: Iterable[Life], window: _Window) -> dict[Part, Seconds]:
    found = dict.fromkeys(PARTS, 0)
    for life in some:
        for one in life.stretches:
            found[one.part] += window.shared(one.start, one.end)
    return {part: length / 1000 for part, length in found.items()}


def _waited(run: RunState, span: Span, now: Seconds) -> int:
    """Milliseconds in which a run was to train and had no machine: all of its time but machines' and its user's breaks."""
    window = _Window.of(span)
    over = milliseconds(run.ended_at if run.ended_at is not None else now)
    taken = [one for attempt in run.attempts.values() if (one := lived(attempt, now)) is not None]
    taken += [(milliseconds(start), milliseconds(end)) for start, end in run.breaks]
    at, waited = milliseconds(run.created_at), 0
    for start, end in sorted(taken):
        waited += window.shared(at, min(start, over))
        at = max(at, end)
    return waited + window.shared(at, over)


def _stepped(some: Iterable[Life], window: _Window) -> Steps | None:
    told = [_kept_until(life, window.end) - _kept_until(life, window.start) for life in some if life.steps is not None]
    return sum(told) if told else None


def _kept_until(life: Life, moment: int) -> Steps:
    """How many steps a machine had come to that were kept, at a moment: they are spread evenly over its training."""
    start, end = life.kept
    if moment >= end:
        return life.steps or 0
    return (life.steps or 0) * max(0, moment - start) // (end - start) if end > start else 0


def _paid(life: Life, window: _Window, now: Seconds, billing: Money) -> list[tuple[Part, Micros]]:
    """What each stretch of a life cost within a window: each is the difference of two sums from the launch on, so that
    parts add up. What is charged beyond its end, or for a life of no length, belongs to its last stretch."""
    offer = life.attempt.offer
    rules = billing.get(offer.provider, Billing()) if offer is not None else Billing()
    charged = intervals(life.attempt, now, rules)
    if not charged:
        return []
    cut = list(life.stretches) or [Stretch("boot", life.start, life.end)]
    edges = [
        min(life.start, milliseconds(charged[0].start)),
        *(one.end for one in cut[:-1]),
        max(life.end, milliseconds(charged[-1].end)),
    ]
    sums = [cost_until(charged, min(max(edge, window.start), window.end)) for edge in edges]
    return [(one.part, after - before) for one, before, after in zip(cut, sums, sums[1:], strict=False)]


def _yields(some: Sequence[Life], window: _Window, now: Seconds, billing: Money) -> list[Yield]:
    groups: dict[tuple[str, str, Market], list[Life]] = {}
    for life in some:
        offer = life.attempt.offer
        if offer is not None:
            groups.setdefault((offer.provider, offer.instance_type, offer.market), []).append(life)
    found = [_yield(*kind, of, window, now, billing) for kind, of in groups.items()]
    return sorted((one for one in found if one.seconds or one.paid), key=_rank)


def _yield(
    provider: str, kind: str, market: Market, some: Sequence[Life], window: _Window, now: Seconds, billing: Money
) -> Yield:
    time = Shares(**_shared(some, window))
    money = sum(amount for life in some for _, amount in _paid(life, window, now, billing))
    return Yield(provider, kind, market, _stepped(some, window), time.machine, time.training, money)


def _rank(one: Yield) -> tuple[bool, Micros, str, str, str]:
    price = one.per_thousand
    return price is None, price or 0, one.provider, one.instance_type, one.market.value
