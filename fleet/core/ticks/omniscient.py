"""The optimum of who knows the future: the cheapest run through a window, obeying the sequential cost model, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleet.core.deadlines.model import Do
from fleet.core.ticks.model import Places, Seen, Terms, checked
from fleet.core.ticks.problem import Problem
from fleet.core.ticks.run import Outcome, simulate_zones

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


SAME = 1e-10
"""Ticks of on-demand: of choices whose costs differ by less the first is taken."""


def omniscient(window: Sequence[int | bool], terms: Terms) -> Outcome:
    """The cheapest run through one zone's window that is not late. Positive is available."""
    return omniscient_zones([(up > 0,) for up in window], terms, Places((terms.price,), ("",)))


def omniscient_zones(ticks: Sequence[Sequence[bool]], terms: Terms, places: Places) -> Outcome:
    """The cheapest run over several zones that is not late."""
    checked(terms)
    return simulate_zones(Planned(Problem(ticks, terms, places)), ticks, terms, places)


class Planned:
    """A policy that knows its choices beforehand: the solution, taken tick by tick."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem

    def begin(self, terms: Terms) -> None:
        """Solve, and write down every tick's choice."""
        self._steps = _Walk(self._problem).steps

    def choose(self, seen: Seen) -> Do:
        """What was found to be cheapest."""
        return self._steps[seen.tick][0]

    def where(self, seen: Seen) -> int:
        """Where that is."""
        return self._steps[seen.tick][1]


class _Walk:
    """From the first tick on, along the cheapest choices."""

    def __init__(self, problem: Problem) -> None:
        self.steps: list[tuple[Do, int]] = []
        self._problem = problem
        self._tick, self._row, self._at = 0, 0, problem.start
        for first, values in problem.stretches():
            self._go(first, values)

    def _go(self, first: int, values: list[Floats]) -> None:
        """Through the ticks whose values are at hand: ``first`` and those after, and as many more as a launch takes."""
        problem = self._problem
        beyond = first + len(values) - problem.span
        while self._tick < beyond and not problem.done(self._tick, self._at):
            here = self._tick - first
            near, far = values[here + 1], values[here + problem.span]
            options = list(problem.choices(self._tick, self._row, self._at, near, far))
            least = min(one.cost for one in options) + SAME
            best = next(one for one in options if one.cost <= least)
            self.steps += [(best.do, best.zone)] * best.ticks
            self._tick, self._row, self._at = self._tick + best.ticks, best.row, best.at
