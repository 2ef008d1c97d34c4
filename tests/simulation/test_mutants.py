"""Those who judge are judged: the code is broken on purpose, and each break is noticed by the law that is meant.

``make mutants`` shows the table.
"""

from __future__ import annotations

import pytest

from tests.simulation.chaos.mutants import MUTANTS, Verdict, judge, named, show


@pytest.mark.parametrize("name", [mutant.name for mutant in MUTANTS])
def test_a_break_is_noticed_by_the_law_that_is_meant_and_nothing_is_noticed_without_it(name: str) -> None:
    verdict = judge(named(name))
    assert verdict.good, verdict.told


def test_no_two_breaks_have_one_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_the_table_says_which_law_has_noticed_what_and_what_none_has() -> None:
    first, second = MUTANTS[:2]
    told = show([Verdict(first, True, 0, True, 0.1, "seen"), Verdict(second, False, 4, True, 0.2, "nothing was noticed")])
    assert first.law in told
    assert "NOT CAUGHT (nothing was noticed)" in told
    assert told.endswith("1 of 2 breaks were caught in 0 s")
