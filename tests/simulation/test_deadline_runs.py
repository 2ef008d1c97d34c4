"""Runs with deadlines on the named markets: none late, and they cost what the tick model predicts."""

from __future__ import annotations

import pytest

from benchmarks.deadline_runs import Cell, Sum, done, shares
from fleet.core.deadlines import table


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmark's processes keep more tables than others: this one does not, afterwards."""
    monkeypatch.setattr(table, "kept", table.kept)


def test_none_is_late_and_costs_are_the_predicted_ones() -> None:
    total = Sum()
    for market in ("calm", "average", "stormy"):
        for factor in (1.1, 1.5, 3.0):
            found = done(Cell(market, factor, 6), range(6))
            assert found.runs == 6
            total += found
    assert total.late == ()
    assert total.launches > total.runs
    assert total.cost == pytest.approx(total.expected, rel=0.1)
    assert total.cost < 0.5 * total.work


def test_every_run_has_a_process() -> None:
    kinds = [Cell("calm", factor, 6) for factor in (1.1, 2.0)]
    asked = [(cell, seed) for cell, seeds in shares(kinds, 61) for seed in seeds]
    assert len(asked) == len(set(asked)) == 61
    assert {cell for cell, _ in asked} == set(kinds)
