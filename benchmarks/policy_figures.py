"""From runs to figures: means, closed shares, and how far chance moves them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.policy_cases import Case
from benchmarks.policy_runs import OMNISCIENT, Key, Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ALL = "all variants"
DRAWS = 2000
INTERVAL = (5.0, 95.0)
"""Percentiles: nine draws of ten lie between."""
GREEDY = "greedy"
PROGRESS = "uniform-progress"


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean, and where nine of ten draws put it."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """A policy under one variant, or under all of a section."""

    policy: str
    variant: str
    cost: Figure
    closed: Figure | None
    """Of the gap from greedy to the omniscient."""
    beyond: Figure | None
    """Of the gap from Uniform Progress to the omniscient."""
    runs: int
    late: int
    launches: float
    moves: float
    hours: float
    longest: float
    filled: int


class Section:
    """The cases of one section, with all their runs."""

    def __init__(self, name: str, cases: Sequence[tuple[int, Case]], ran: Mapping[Key, Sequence[Run]]) -> None:
        self.name = name
        self.part = cases[0][1].whole not in ("", name)
        """Of another section, which tells every variant."""
        self.cases = cases
        self.policies = cases[0][1].policies
        self.variants = list(dict.fromkeys(case.variant for _, case in cases))
        self._ran = ran
        self.groups = sorted({window.group for _, case in cases for window in case.windows})
        self._draws = _draws(len(self.groups))
        self._costs = {policy: self._sampled(policy) for policy in self.policies}

    def rows(self) -> list[Row]:
        """Every policy over all variants, then under each."""
        each = self.variants if not self.part else []
        return [self._row(policy, variant) for variant in [ALL, *each] for policy in self.policies]

    def nearest(self, case: Case, policies: Sequence[str]) -> int:
        """The window of a case whose costs are nearest to that case's means, over some policies."""
        [number] = [number for number, one in self.cases if one is case]
        columns = [[run.cost for run in self._ran[number, policy]] for policy in policies]
        means = [_mean(column) for column in columns]

        def off(window: int) -> float:
            return sum(abs(column[window] - mean) for column, mean in zip(columns, means, strict=True))

        return min(range(len(case.windows)), key=off)

    def _runs(self, policy: str, variant: str) -> list[Run]:
        return [run for n, case in self.cases if variant in (case.variant, ALL) for run in self._ran[n, policy]]

    def _sampled(self, policy: str) -> Floats:
        """Mean costs by variant: of what was measured, then of every draw of the groups."""
        import numpy as np

        means = np.zeros((len(self.variants), 1 + DRAWS))
        for row, variant in enumerate(self.variants):
            costs: dict[str, list[float]] = {group: [] for group in self.groups}
            for number, case in self.cases:
                if case.variant == variant:
                    for window, run in zip(case.windows, self._ran[number, policy], strict=True):
                        costs[window.group].append(run.cost)
            means[row] = (self._draws @ list(map(sum, costs.values()))) / (self._draws @ list(map(len, costs.values())))
        return means

    def _row(self, policy: str, variant: str) -> Row:
        runs = self._runs(policy, variant)
        some = slice(None) if variant == ALL else slice(*(self.variants.index(variant) + n for n in (0, 1)))
        return Row(
            policy,
            variant,
            _figure(self._costs[policy][some].mean(axis=0)),
            self._closed(policy, some),
            self._beyond(policy, some),
            len(runs),
            sum(run.late for run in runs),
            _mean([run.launches for run in runs]),
            _mean([run.moves for run in runs]),
            _mean([run.hours for run in runs]),
            max(run.hours for run in runs),
            sum(run.filled for run in runs),
        )

    def _closed(self, policy: str, some: slice) -> Figure | None:
        """Of greedy's gap: the mean over variants of ratios of means, as others quote it."""
        gap = self._gap(policy, GREEDY, some)
        return None if gap is None else _figure((gap[0] / gap[1]).mean(axis=0))

    def _beyond(self, policy: str, some: slice) -> Figure | None:
        """Of Uniform Progress's gap: the ratio of the means over all variants. Under some there is next to no gap."""
        gap = self._gap(policy, PROGRESS, some)
        return None if gap is None else _figure(gap[0].sum(axis=0) / gap[1].sum(axis=0))

    def _gap(self, policy: str, base: str, some: slice) -> tuple[Floats, Floats] | None:
        """What was closed of a gap, and the gap; draws without one count for nothing."""
        import numpy as np

        if base not in self._costs:
            return None
        at, zero, one = (self._costs[name][some] for name in (policy, base, OMNISCIENT))
        whole = np.where(zero - one > 0, zero - one, np.nan)
        return None if bool(np.isnan(whole[:, 0]).any()) else (zero - at, whole)


def sections(cases: Sequence[Case], ran: Mapping[Key, Sequence[Run]]) -> list[Section]:
    """In the order of the cases."""
    found: dict[str, list[tuple[int, Case]]] = defaultdict(list)
    for number, case in enumerate(cases):
        for name in filter(None, (case.whole, case.section)):
            found[name].append((number, case))
    return [Section(name, some, ran) for name, some in found.items()]


def _draws(groups: int) -> Floats:
    """Weights of the groups: all the same at first, then as often as each was drawn."""
    import numpy as np

    drawn = np.random.default_rng(1).multinomial(groups, [1 / groups] * groups, DRAWS) / groups
    return np.vstack([np.full((1, groups), 1 / groups), drawn])


def _figure(draws: Floats) -> Figure:
    import numpy as np

    low, high = np.nanpercentile(draws[1:], INTERVAL)
    return Figure(float(draws[0]), float(low), float(high))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
