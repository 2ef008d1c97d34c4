"""All parts of a run as one: iterations go on where the set resumed from stood, episodes are counted through.

A part is what one start of the stack made: one prefix. Its simulator counts iterations and episodes from the beginning, and
knows nothing of the parts before. The N of the sets goes on, though: a part that began from set 7 saves the same weights as
set 8 first, and its first iteration makes set 9. What an earlier part trained beyond the set that a later one began from is
no part of the model that there is: it is shown as lost, and counts neither as iteration nor as episode.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from fleet.workloads.deepracer.metrics import COMPLETE, Episode, Evaluated, evaluations


@dataclass(frozen=True, slots=True)
class Part:
    """What one start of the stack made."""

    prefix: str
    attempt: int | None = None
    source: int | None = None
    """The N of the set that it began from; None: from nothing."""
    told: bool = True
    """Whether ``source`` is known; else it is taken to have gone on from the last set before it."""
    first: int | None = None
    """The N of the set that it saved before it trained; None: the next after ``source``, as the trainer does."""
    episodes: tuple[Episode, ...] = ()
    began_at: float | None = None
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Iteration:
    """The episodes of one iteration, and what training on them makes."""

    n: int
    """Of the set that is made of them."""
    prefix: str
    episodes: tuple[Episode, ...]
    done: bool
    """The next one began, so that its set was made."""

    @property
    def reward(self) -> float:
        """The mean over episodes."""
        return _mean([one.reward for one in self.episodes])

    @property
    def progress(self) -> float:
        """The mean over episodes, in percent of the lap."""
        return _mean([one.progress for one in self.episodes])

    @property
    def laps(self) -> int:
        """Episodes that went all the way round."""
        return sum(one.status == COMPLETE for one in self.episodes)


@dataclass(frozen=True, slots=True)
class Lost:
    """Work that the model does not hold, since a later part began before it."""

    prefix: str
    """The part that ended."""
    attempt: int | None
    resumed_from: int | None
    """The N of the set that training went on from; None: from nothing."""
    iterations: float
    """One that was not finished counts as the share of its episodes."""
    episodes: int
    seconds: float
    """By the simulator's clock."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the evaluation of a set came to."""

    n: int
    result: Evaluated


@dataclass(frozen=True, slots=True)
class WholeRun:
    """The run up to now."""

    parts: tuple[Part, ...] = ()
    iterations: tuple[Iteration, ...] = ()
    """Those that the model holds, and the one under way, in order."""
    lost: tuple[Lost, ...] = ()
    judged: tuple[Judged, ...] = ()
    """Sets that were evaluated, in order; none of those that were lost."""
    best_by: str = "progress"
    guessed: bool = False
    """Where some part began from is not known."""

    @property
    def episodes(self) -> int:
        """Training episodes that count."""
        return sum(len(one.episodes) for one in self.iterations)

    @property
    def done(self) -> int:
        """The N of the newest set that is known to be made."""
        first = first_set(self.parts[-1]) if self.parts else 0
        return max([first, *(one.n for one in self.iterations if one.done)])

    @property
    def best(self) -> Judged | None:
        """The set whose evaluation was best: of equals the newest, as the trainer has it."""
        key = (lambda one: (one.result.reward, one.n)) if self.best_by == "reward" else _by_progress
        return max(self.judged, key=key, default=None)


def _by_progress(one: Judged) -> tuple[float, int]:
    return one.result.progress, one.n


def first_set(part: Part) -> int:
    """The N of the set that a part saves before it trains."""
    if part.first is not None:
        return part.first
    return 0 if part.source is None else part.source + 1


@dataclass
class _Course:
    """What is kept while the parts are gone through."""

    kept: list[tuple[int, Iteration]] = field(default_factory=list)
    """With the part's index."""
    judged: list[tuple[int, Judged]] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)


def whole_run(parts: Iterable[Part], best_by: str = "progress") -> WholeRun:
    """The parts, in the order in which they were begun, as one run."""
    course, guessed = _Course(), False
    taken: list[Part] = []
    for told in parts:
        part = told
        if not told.told:
            part = replace(told, source=max((one.n for _, one in course.kept if one.done), default=None))
            guessed = guessed or bool(taken)
        if taken:
            _go_back(course, taken, part.source)
        taken.append(part)
        _go_on(course, len(taken) - 1, part)
    kept = tuple(one for _, one in course.kept)
    judged = tuple(one for _, one in course.judged)
    return WholeRun(tuple(taken), kept, tuple(course.lost), judged, best_by, guessed)


def _go_on(course: _Course, index: int, part: Part) -> None:
    """Add what a part trained and evaluated."""
    first = first_set(part)
    grouped: dict[int, list[Episode]] = {}
    for episode in part.episodes:
        if episode.phase == "training":
            grouped.setdefault(episode.iteration, []).append(episode)
    newest = max(grouped, default=-1)
    for number, episodes in sorted(grouped.items()):
        done = number < newest
        course.kept.append((index, Iteration(first + number + 1, part.prefix, tuple(episodes), done)))
    course.judged += [(index, Judged(first + one.iteration, one)) for one in evaluations(part.episodes)]


def _go_back(course: _Course, parts: Sequence[Part], source: int | None) -> None:
    """Training goes on from a set: what was trained beyond it is lost, and said to be the last part's loss."""
    limit = -1 if source is None else source
    gone = [(index, one) for index, one in course.kept if one.n > limit]
    course.kept = [(index, replace(one, done=True)) for index, one in course.kept if one.n <= limit]
    course.judged = [(index, one) for index, one in course.judged if one.n <= limit]
    ended = parts[-1]
    course.lost.append(
        Lost(
            prefix=ended.prefix,
            attempt=ended.attempt,
            resumed_from=source,
            iterations=round(sum(_share(one, parts[index]) for index, one in gone), 2),
            episodes=sum(len(one.episodes) for _, one in gone),
            seconds=round(sum(_span(one) for _, one in gone), 3),
        )
    )


def _share(iteration: Iteration, part: Part) -> float:
    """How much of an iteration there is, measured by the whole ones of its part."""
    if iteration.done:
        return 1.0
    counts: dict[int, int] = {}
    for episode in part.episodes:
        if episode.phase == "training":
            counts[episode.iteration] = counts.get(episode.iteration, 0) + 1
    newest = max(counts, default=0)
    whole = [count for number, count in counts.items() if number < newest]
    return min(1.0, len(iteration.episodes) / median(whole)) if whole else 1.0


def _span(iteration: Iteration) -> float:
    """From the beginning of its first episode to the end of its last, of the worker that took longest."""
    spans: dict[int, tuple[float, float]] = {}
    for one in iteration.episodes:
        began, ended = spans.get(one.worker, (one.began, one.ended))
        spans[one.worker] = min(began, one.began), max(ended, one.ended)
    return max((ended - began for began, ended in spans.values()), default=0.0)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
