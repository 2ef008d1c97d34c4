"""What a job's whole training is expected to come to."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.core.forecast import Buyable, Forecast, forecast
from fleet.core.foretold import Foretold, foretell
from fleet.core.overheads import Overheads
from fleet.core.state import RunState
from fleet.core.survival import Hints, Lives, outlook, prior_of
from fleet.core.worth import Knowledge
from fleet.model.cloud import Offer
from tests.unit.core.world import folded, job, offer

HOUR = 3600.0
USUAL = Overheads()
SEEN = outlook(None, prior_of(), 0.0)


def pool(price: int = 300_000, chance: float = 0.8, life: Lives = SEEN.life) -> Buyable:
    return Buyable(price, life=life, refusal=SEEN.refusal, chance=chance)


def told(
    pools: list[Buyable], fallback: Buyable | None = None, work: float = 48 * HOUR, overheads: Overheads = USUAL
) -> Forecast:
    return forecast(pools, fallback, 1_000_000, work, overheads, tries=500)


def test_nobody_takes_an_on_demand_machine() -> None:
    found = told([], Buyable(1_000_000), overheads=Overheads(boot=1800, restore=0))
    assert found.cost == (48_500_000,) * 3
    assert found.seconds == (48.5 * HOUR,) * 3
    assert (found.interruptions, found.on_demand_share, found.on_demand_cost) == (0.0, 1.0, 48_500_000)


def test_spot_costs_less_than_on_demand_and_takes_longer_than_the_work() -> None:
    found = told([pool()])
    assert 48 * 300_000 < found.cost[0] <= found.cost[1] <= found.cost[2]
    assert found.mean_cost < found.on_demand_cost / 2
    assert 48 * HOUR < found.seconds[0] <= found.seconds[1] <= found.seconds[2]
    assert found.interruptions > 2
    assert found.on_demand_share == 0


def test_more_pools_wait_less() -> None:
    assert told([pool()] * 3).seconds[1] < told([pool()]).seconds[1]


def test_where_spot_cannot_be_had_on_demand_is_taken_if_it_may_be() -> None:
    found = told([pool(chance=0.0)], Buyable(1_000_000))
    assert found.on_demand_share == 1.0
    assert found.mean_cost == pytest.approx(found.on_demand_cost, rel=0.01)


def test_a_job_that_gets_nowhere_is_told_all_the_same() -> None:
    hopeless = Lives(prior_of().hazard, 1000.0, 0.01)
    found = told([pool(life=hopeless)], overheads=Overheads(lost=7200))
    assert found.interruptions == 400


def test_the_same_question_has_the_same_answer() -> None:
    assert told([pool()]) == told([pool()])


def foretold(fields: dict[str, Any], offers: list[Offer], rest: tuple[Offer, ...] = ()) -> Foretold | None:
    run = RunState(run_id="r", name="racer", job=job(fields), workdir_key=None, created_at=0.0)
    return foretell(run, offers, rest, Knowledge(volume_prices={"sim": 80_000}))


OFFERS = [offer("a-small-spot"), offer("b-small-spot"), offer("a-small-on-demand")]


def test_without_an_estimate_nothing_is_foretold() -> None:
    assert foretold({}, OFFERS) is None


def test_an_estimate_gives_cost_and_end() -> None:
    found = foretold({"estimate": 20 * HOUR}, OFFERS)
    assert found is not None
    assert found.work == 20 * HOUR
    assert (found.deadline, found.later, found.forecast.late) == (None, (), None)
    assert 20 * 100_000 < found.forecast.cost[1] < found.forecast.on_demand_cost


def test_a_deadline_is_kept_and_a_looser_one_costs_less() -> None:
    found = foretold({"estimate": 10 * HOUR, "deadline": 11 * HOUR}, OFFERS)
    assert found is not None
    assert found.forecast.late == 0
    assert found.forecast.seconds[2] <= 11 * HOUR
    assert found.earliest == pytest.approx(10 * HOUR + 150)
    assert [one.deadline / HOUR for one in found.later] == pytest.approx([11, 13.75, 16.5, 22])
    costs = [one.cost for one in found.later]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < 0.8 * costs[0]
    disk = 500 * 80_000 / 730 * found.forecast.seconds[1] / HOUR
    assert found.forecast.mean_cost - disk == pytest.approx(costs[0], rel=0.1)  # two ways to the same figure


def test_a_deadline_that_cannot_be_kept_is_told_with_the_earliest_that_can() -> None:
    found = foretold({"estimate": 10 * HOUR, "deadline": 9 * HOUR}, OFFERS)
    assert found is not None
    assert found.forecast.late == 1.0
    assert found.earliest is not None
    assert found.deadline is not None
    assert found.earliest > found.deadline
    assert [one.deadline / HOUR for one in found.later] == pytest.approx([11.25, 13.5, 18])
    assert foretold({"estimate": 10 * HOUR, "deadline": HOUR}, OFFERS) is not None


def test_without_on_demand_a_deadline_may_be_missed() -> None:
    found = foretold({"estimate": 10 * HOUR, "deadline": 11 * HOUR, "resources": {"market": "spot"}}, OFFERS[:1])
    assert found is not None
    assert found.later == ()
    assert found.forecast.on_demand_share == 0
    assert found.forecast.late is not None
    assert 0.1 < found.forecast.late < 1


def test_a_region_that_is_ruled_out_is_named_if_it_is_cheaper() -> None:
    far = [offer(f"c-small-spot@{price}").model_copy(update={"region": f"q{price}"}) for price in (50_000, 99_000, 200_000)]
    found = foretold({"estimate": HOUR}, OFFERS, tuple(far))
    assert found is not None
    assert [one.region for one in found.elsewhere] == ["q50000"]
    assert 0.25 < found.elsewhere[0].saves < 0.6


def test_a_pool_that_is_known_to_be_quiet_is_interrupted_less() -> None:
    run = RunState(run_id="r", name="racer", job=job({"estimate": 48 * HOUR}), workdir_key=None, created_at=0.0)
    hints = {"sim/r/r-a/small": Hints(band=0)}
    quiet, plain = (foretell(run, OFFERS[:1], (), Knowledge(hints=known)) for known in (hints, {}))
    assert quiet is not None
    assert plain is not None
    assert quiet.forecast.interruptions < plain.forecast.interruptions / 3


def test_what_comes_with_the_machine_is_counted_for_each_hour_of_it() -> None:
    run = RunState(run_id="r", name="racer", job=job({"estimate": "10h"}), workdir_key=None, created_at=0.0)
    alone = [offer("a-small-on-demand")]
    for deadline in (None, "20h"):
        asked = run.model_copy(
            update={"job": job({"estimate": "10h", "deadline": deadline} if deadline else {"estimate": "10h"})}
        )
        plain, more = (foretell(asked, alone, (), Knowledge(), beside) for beside in (0, 15_000))
        assert plain is not None
        assert more is not None
        hours = plain.forecast.seconds[1] / HOUR
        assert more.forecast.cost[1] - plain.forecast.cost[1] == pytest.approx(15_000 * hours, rel=1e-6)
        assert more.forecast.on_demand_cost > plain.forecast.on_demand_cost


def test_by_a_deadline_it_is_counted_too() -> None:
    run = RunState(
        run_id="r", name="racer", job=job({"estimate": "10h", "deadline": "14h"}), workdir_key=None, created_at=0.0
    )
    plain, more = (foretell(run, OFFERS, (), Knowledge(), beside) for beside in (0, 15_000))
    assert plain is not None
    assert more is not None
    assert plain.later
    assert more.forecast.cost[1] - plain.forecast.cost[1] >= 150_000


def test_a_job_that_does_not_say_how_long_it_trains_is_held_against_the_newest_run_of_its_name() -> None:
    state = folded(
        [
            {"run-created": {}},
            {"launch-intended": {}},
            {"launch-succeeded": {}},
            {"attempt-began": {"at": 100}},
            {"attempt-resumed": {"at": 150, "trained": 0.0}},
            {"attempt-gone": {"at": 36_150, "ended_by": "itself", "trained": 36_000.0}},
            {"run-ended": {"at": 36_200, "outcome": "succeeded"}},
        ]
    )
    for wishes in ({}, {"deadline": "20h"}):
        run = RunState(run_id="r", name="racer", job=job(wishes), workdir_key=None, created_at=40_000.0)
        found = foretell(run, OFFERS, (), Knowledge(state, 40_000.0))
        assert found is not None
        assert (found.work, found.like, found.deadline is None) == (36_000, "racer-1", not wishes)
        assert found.forecast.seconds[0] >= 36_000
    said = RunState(run_id="r", name="racer", job=job({"estimate": "2h"}), workdir_key=None, created_at=40_000.0)
    told = foretell(said, OFFERS, (), Knowledge(state, 40_000.0))
    assert told is not None
    assert (told.work, told.like) == (7200, None)
