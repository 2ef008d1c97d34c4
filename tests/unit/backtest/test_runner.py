"""Many windows under many policies: the same on one core and on several."""

from __future__ import annotations

import pytest

from fleet.backtest import runner
from fleet.backtest.runner import Ran, closed, mean_ratio, names, run_windows, run_zones
from fleet.backtest.traces import Trace
from fleet.core.ticks.model import Places, Terms
from fleet.model.errors import FleetError

HOUR = 3600.0


def windows(count: int) -> list[Trace]:
    """Each its own mixture of runs and droughts; ticks of two lengths."""
    return [
        Trace(f"{n}.json", (600.0, 300.0)[n % 2], bytes((tick // (3 + n)) % (2 + n % 3) != 0 for tick in range(60 + 7 * n)))
        for n in range(count)
    ]


def terms(tick: float) -> Terms:
    return Terms(4 * HOUR, 6 * HOUR, 180, tick)


def test_the_answer_is_the_same_on_any_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["greedy", "omniscient", "uniform-progress"]
    here = run_windows(windows(9), wanted, terms, processes=1)
    monkeypatch.setattr(runner, "FEW", 0)
    heard: list[tuple[int, int]] = []
    there = run_windows(windows(9), wanted, terms, processes=2, on_done=lambda done, count: heard.append((done, count)))
    assert there == here
    assert [one.file for one in here["greedy"]] == [f"{n}.json" for n in range(9)]
    assert list(here) == wanted
    assert heard[-1] == (27, 27)
    assert len({one.ratio for one in here["greedy"]}) > 5


def test_what_is_wrong_in_another_process_is_said_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "FEW", 0)
    with pytest.raises(KeyError, match="nobody"):
        run_windows(windows(4), ["nobody"], terms, processes=2)


def test_impossible_terms_are_refused_before_anything_runs() -> None:
    with pytest.raises(FleetError, match="cannot be met"):
        run_windows(windows(2), ["greedy"], lambda tick: Terms(4 * HOUR, 4 * HOUR, 180, tick))


@pytest.mark.parametrize("name", names())
def test_every_policy_does_with_one_tick_and_with_no_spot_at_all(name: str) -> None:
    traces = [Trace("one", 600.0, bytes([1])), Trace("none", 600.0, bytes(36)), Trace("long", 7200.0, bytes([1]))]
    for one in run_windows(traces, [name], lambda tick: Terms(4 * HOUR, 8 * HOUR, 180, tick))[name]:
        assert not one.late
        assert one.ratio > 0.3


def test_the_share_that_is_closed_is_a_ratio_of_means() -> None:
    def ran(*costs: float) -> list[Ran]:
        return [Ran("a", HOUR, 600.0, cost, 1, False, 1, 0, 0) for cost in costs]

    assert mean_ratio(ran(0.5, 1.5)) == 1.0
    assert closed(ran(0.5, 0.9), greedy=ran(0.5, 1.1), best=ran(0.5, 0.7)) == pytest.approx(0.5)
    assert closed(ran(0.5), greedy=ran(0.5), best=ran(0.5)) is None


def test_zones_are_one_window_that_a_run_moves_through() -> None:
    zones = [Trace("us-a-1a", 600.0, bytes([1, 1, 0, 0])), Trace("us-b-1a", 600.0, bytes([0, 0, 1, 1]))]
    places = Places((0.3, 0.2), ("us-a-1", "us-b-1"), transfer=1.0)
    one = run_zones(zones, "failover", Terms(2400.0, None, 0, 600.0), places, "both")
    assert (one.file, one.moves, one.launches, one.finish_tick) == ("both", 1, 2, 4)
    assert one.cost_od_hours == pytest.approx((0.3 * 2 + 0.2 * 2) / 6 + 1)
    best = run_zones(zones, "omniscient", Terms(2400.0, None, 0, 600.0), places, "both")
    assert best.moves == 0
    assert best.cost_od_hours == pytest.approx((0.2 * 2 + 2) / 6)  # two ticks of the cheaper, and on-demand after the end
