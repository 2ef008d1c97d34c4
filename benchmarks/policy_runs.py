"""Every window of every case under every policy, on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from benchmarks.policy_cases import Case, Window
from fleet.core.deadlines.chances import Learned
from fleet.core.ticks.omniscient import omniscient_zones
from fleet.core.ticks.own import Fleet
from fleet.core.ticks.registry import policies
from fleet.core.ticks.run import Outcome, Policy, simulate_zones

OMNISCIENT = "omniscient"
PART = 60
"""Windows that a process takes at a time."""
WEIGHTS = {OMNISCIENT: 8, "fleet": 3, "fleet-overlap": 3}
"""How long a policy takes, about: what takes longest begins first."""

Key = tuple[int, str]
"""A case's number, and a policy."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one window came to."""

    cost: float
    """With that of the work on on-demand as 1."""
    hours: float
    """Until all work was done."""
    late: bool
    launches: int
    moves: int
    filled: int
    """Ticks beyond the window's end, on on-demand."""


@dataclass(frozen=True, slots=True)
class _Task:
    case: int
    policy: str
    first: int


def run_all(cases: Sequence[Case], taught: Learned) -> dict[Key, list[Run]]:
    """All runs, by case and policy, in the order of the case's windows."""
    tasks = [
        _Task(number, policy, first)
        for number, case in enumerate(cases)
        for policy in case.policies
        for first in range(0, len(case.windows), PART)
    ]
    tasks.sort(key=lambda task: -WEIGHTS.get(task.policy, 1) * len(cases[task.case].windows[0].zones[0]))
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # for the processes: each has a core
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=_begin, initargs=(cases, taught)) as pool:
        parts = dict(zip(tasks, pool.map(_done, tasks), strict=True))
    found: dict[Key, list[Run]] = {}
    for task in sorted(parts, key=lambda task: task.first):
        found.setdefault((task.case, task.policy), []).extend(parts[task])
    return found


def outcome(case: Case, window: Window, policy: str, taught: Learned) -> Outcome:
    """One run, with its choices."""
    ticks = list(zip(*([up > 0 for up in zone] for zone in window.zones), strict=True))
    if policy == OMNISCIENT:
        return omniscient_zones(ticks, case.terms, case.places)
    return simulate_zones(makers(taught)[policy](), ticks, case.terms, case.places)


def makers(taught: Learned) -> dict[str, Callable[[], Policy]]:
    """Every policy, fleet's own as they were taught."""
    own: dict[str, Callable[[], Policy]] = {
        "fleet": lambda: Fleet(learned=taught),
        "fleet-overlap": lambda: Fleet(overlap=True, learned=taught),
    }
    return {**policies(), **own}


_begun: list[tuple[Sequence[Case], Learned]] = []
"""In a process that runs windows: what it was begun with."""


def _begin(cases: Sequence[Case], taught: Learned) -> None:
    _begun[:] = [(cases, taught)]


def _done(task: _Task) -> list[Run]:
    [(cases, taught)] = _begun
    case = cases[task.case]
    return list(_ran(case, case.windows[task.first : task.first + PART], task.policy, taught))


def _ran(case: Case, windows: Sequence[Window], policy: str, taught: Learned) -> Iterator[Run]:
    for window in windows:
        found = outcome(case, window, policy, taught)
        cost = found.cost_od_hours * 3600 / case.terms.work
        hours = found.finish_tick * case.terms.tick / 3600
        yield Run(cost, hours, found.late, found.launches, found.moves, found.filled)
