"""Reads what a run has told: its course, and metrics and traces of every leg, on a volume, in a checkpoint, in a prefix."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from fleet.model.errors import NotFoundError
from fleet.workloads.deepracer.course import Course
from fleet.workloads.deepracer.metrics import Episode, Metrics, read_metrics, together, worker_of
from fleet.workloads.deepracer.ordering import natural
from fleet.workloads.deepracer.prefix import Prefix
from fleet.workloads.deepracer.simtrace import Driven, episodes_of, steps_of_csv
from fleet.workloads.deepracer.unzipping import unzipped
from fleet.workloads.deepracer.whole_run import Part, WholeRun, whole_run

_TRACE = re.compile(r"(?:(?P<worker>[^/]+)/)?training-simtrace/(?P<iteration>\d+)-iteration\.csv(?:\.gz)?")
MOST_TRACES = 200
"""Files that are read where there are no metrics: those of the newest iterations."""
STATUS = {"lap_complete": "Lap complete", "off_track": "Off track", "crashed": "Crashed", "reversed": "Reversed",
           "immobilized": "Immobilized", "time_up": "Time up"}  # fmt: skip
"""How an episode ended, as traces say it and as metrics do."""


class Shelf(Protocol):
    """Files by name: a folder, a prefix, a checkpoint in fleet's bucket."""

    def names(self) -> Iterable[str]:
        """Of all."""
        ...

    def read(self, name: str) -> bytes:
        """Raises NotFoundError."""
        ...


@dataclass(frozen=True)
class PrefixShelf:
    """Everything below one prefix."""

    prefix: Prefix

    def names(self) -> Iterable[str]:
        """Of all."""
        return self.prefix.list()

    def read(self, name: str) -> bytes:
        """Raises NotFoundError."""
        return self.prefix.read(name)


def read_run(shelf: Shelf, course: Course | None) -> tuple[WholeRun, tuple[str, ...]]:
    """The run as one, of ``<prefix>/metrics/…`` and ``<prefix>/…training-simtrace/…``; and what could not be read.

    Without a course the prefixes are taken in the order of their names, each to have gone on from the one before.
    """
    problems: list[str] = []
    by_prefix: dict[str, list[str]] = {}
    for name in sorted(shelf.names()):
        prefix, slash, rest = name.partition("/")
        if slash:
            by_prefix.setdefault(prefix, []).append(rest)
    parts, best_by = [], "progress"
    for part in _parts(course, by_prefix):
        episodes, by = read_part(shelf, f"{part.prefix}/", by_prefix.get(part.prefix, ()), problems)
        best_by = by or best_by
        parts.append(
            Part(part.prefix, part.attempt, part.source, part.told, part.first, episodes, part.began_at, part.ended)
        )
    return whole_run(parts, best_by), tuple(problems)


def _parts(course: Course | None, known: Mapping[str, object]) -> list[Part]:
    """The parts without their episodes."""
    if course is None or not course.legs:
        return [Part(prefix, told=number == 0) for number, prefix in enumerate(sorted(known, key=natural))]
    return [
        Part(leg.prefix, leg.attempt, leg.source, first=leg.first, began_at=leg.began_at, ended=leg.ended)
        for leg in course.legs
    ]


def read_part(shelf: Shelf, base: str, names: Iterable[str], problems: list[str]) -> tuple[tuple[Episode, ...], str]:
    """The episodes below one prefix, and what its best set is chosen by; ``names`` are relative to ``base``."""
    names = list(names)
    metrics = [(name, worker) for name in names if (worker := worker_of(name)) is not None]
    found: list[Metrics] = []
    for name, worker in metrics:
        data = _data(shelf, base + name, problems)
        one = read_metrics(data, worker) if data is not None else Metrics(())
        if one.problem:
            problems.append(f"{base}{name}: {one.problem}")
        found.append(one)
    episodes = together(found)
    if episodes:
        return episodes, found[0].best_by
    return _of_traces(shelf, base, names, problems), ""


def _of_traces(shelf: Shelf, base: str, names: Iterable[str], problems: list[str]) -> tuple[Episode, ...]:
    """Episodes of the simulator's traces, where no metrics are there: they tell less, and nothing of evaluations."""
    traces = sorted(
        (int(found["iteration"]), found["worker"] or "", name) for name in names if (found := _TRACE.fullmatch(name))
    )
    workers = sorted({worker for _, worker, _ in traces})
    episodes: list[Episode] = []
    for iteration, worker, name in traces[-MOST_TRACES:]:
        data = _data(shelf, base + name, problems)
        lines = unzipped(data)[0].decode("utf-8", "replace").splitlines() if data is not None else []
        episodes += [_episode(one, iteration, workers.index(worker)) for one in episodes_of(steps_of_csv(lines))]
    return tuple(episodes)


def _episode(driven: Driven, iteration: int, worker: int) -> Episode:
    status = STATUS.get(driven.status or "", driven.status or "")
    return Episode(
        worker=worker,
        number=driven.episode + 1,
        iteration=iteration,
        phase="training",
        reward=driven.reward,
        progress=driven.progress,
        status=status,
        began=driven.began,
        ended=driven.began + driven.seconds,
        steps=driven.steps,
    )


def _data(shelf: Shelf, name: str, problems: list[str]) -> bytes | None:
    try:
        return shelf.read(name)
    except NotFoundError:
        problems.append(f"{name}: it was there a moment ago")
        return None
