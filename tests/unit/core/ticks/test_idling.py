"""Without a deadline fleet waits, goes elsewhere or stays, whichever is expected to cost least."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.core.ticks.model import SPOT, WAIT, Places, Terms
from fleet.core.ticks.own import Fleet
from fleet.core.ticks.run import Outcome, simulate_zones

TERMS = Terms(10 * 3600.0, None, 180.0, 600.0)
DOLLAR = 1 / 3.06
EAST_AND_WEST = ("east", "west")


def ran(
    *zones: str,
    prices: Sequence[float] = (0.3, 0.3),
    regions: Sequence[str] = EAST_AND_WEST,
    transfer: float = DOLLAR,
) -> Outcome:
    ticks = [tuple(up == "1" for up in spots) for spots in zip(*zones, strict=True)]
    return simulate_zones(Fleet(), ticks, TERMS, Places(tuple(prices), tuple(regions), transfer))


def test_a_drought_is_waited_out_rather_than_a_dollar_paid() -> None:
    outcome = ran("1" * 30 + "0" * 6 + "1" * 100, "0" * 20 + "1" * 116)
    assert outcome.choices[30:36] == (WAIT,) * 6
    assert outcome.moves == 0


def test_where_the_way_is_free_it_is_gone_at_once() -> None:
    outcome = ran("1" * 30 + "0" * 106, "0" * 10 + "1" * 126, transfer=0.0)
    assert outcome.zones[29:32] == (0, 1, 1)
    assert outcome.finish_tick == 61


def test_a_drought_without_an_end_is_fled_from_for_a_dollar() -> None:
    outcome = ran("1" * 30 + "0" * 600, "0" * 20 + "1" * 610)
    assert outcome.moves == 1
    assert outcome.filled == 0


def test_the_cheaper_zone_is_taken_and_moved_to_where_that_pays() -> None:
    outcome = ran("1" * 100, "0" * 20 + "1" * 80, prices=(0.4, 0.2), regions=("east", "east"))
    assert outcome.zones[19] == 0
    assert outcome.zones[-1] == 1
    assert outcome.launches == 2


def test_of_equals_the_zone_that_is_up_for_longer_is_taken() -> None:
    outcome = ran("1" * 50 + "0" * 50, "0" * 30 + "1" * 70, "0" * 49 + "1" * 51, prices=(0.3,) * 3, regions=("east",) * 3)
    assert (outcome.zones[49], outcome.zones[50]) == (0, 1)
    assert SPOT in outcome.choices
