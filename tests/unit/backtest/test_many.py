"""Many runs: in their order, the same on one core and on several."""

from __future__ import annotations

import pytest

from fleet.backtest import many
from fleet.backtest.many import run_many
from fleet.backtest.market import Climate, Drawn
from fleet.backtest.policies import chosen
from fleet.backtest.table import at, middle_seed, summary
from fleet.backtest.whole import in_sim
from fleet.model.errors import FleetError
from fleet.model.job import Job
from fleet.providers.sim.market import SimType

MARKET = Drawn(
    "wild",
    {"p3.2xlarge": SimType(3_060_000)},
    {"us-east-1": ("us-east-1a",)},
    Climate((1800, 9000), (300, 900), 0.3, 0.2, 0.02),
)
JOB = Job.model_validate(
    {"name": "racer", "run": "t", "estimate": "1h", "resources": {"infra": "aws/us-east-1", "market": "spot"}}
)


def test_several_processes_come_to_the_same_as_one_in_the_order_of_the_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = [5, 3, 9, 1, 7, 2]
    heard: list[int] = []
    alone = run_many(in_sim(JOB), MARKET, seeds, on_done=heard.append)
    assert [one.seed for one in alone] == seeds
    monkeypatch.setattr(many, "ALONE", 0.0)
    spread: list[int] = []
    assert run_many(in_sim(JOB), MARKET, seeds, cores=2, on_done=spread.append) == alone
    assert sum(heard) == sum(spread) == len(seeds)


def test_policies_are_the_job_as_others_would_have_written_it() -> None:
    late = JOB.model_copy(update={"deadline": 7200.0})
    found = chosen(late, [])
    assert list(found) == ["fleet", "on-demand", "spot-first", "spot"]
    assert [one.resources.market for one in found.values()] == ["spot", "on-demand", "spot-first", "spot"]
    assert [one.deadline for one in found.values()] == [7200, None, None, None]
    assert list(chosen(JOB, [])) == ["fleet", "on-demand", "spot-first"], "the job itself is spot"
    assert list(chosen(JOB, ["spot"])) == ["spot"]
    with pytest.raises(FleetError, match="no policy 'magic'"):
        chosen(JOB, ["magic"])


def test_a_summary_is_of_the_runs_that_it_is_made_of() -> None:
    outcomes = run_many(in_sim(JOB), MARKET, range(5), deadline=4000.0)
    found = summary("fleet", outcomes)
    costs = sorted(one.cost for one in outcomes)
    assert found.cost[1] == costs[2]
    assert costs[0] <= found.cost[0] <= found.cost[1] <= found.cost[2] <= costs[-1]
    assert found.late == sum(one.finish is None or one.finish > 4000 for one in outcomes)
    assert {one.seed: one.cost for one in outcomes}[middle_seed(outcomes)] == costs[2]
    assert at([3, 1, 2], 0.25) == 1.5
