"""Runs through the whole controller: the same work done whatever the market, the same figures for the same seed."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from fleet.backtest import whole
from fleet.backtest.market import Climate, Drawn, Record, Recorded
from fleet.backtest.named import NAMES, named_market
from fleet.backtest.ways import Ways
from fleet.backtest.whole import Outcome, World, in_sim, outcome_of, simulate
from fleet.core.state import RunState
from fleet.model import layout
from fleet.model.base import Micros
from fleet.model.documents import Base, Manifest
from fleet.model.job import Job
from fleet.providers.sim.market import SimType
from tests.simulation.chaos import invoice

HOUR, DAY = 3600.0, 86_400.0
TYPES = {"p3.2xlarge": SimType(3_060_000, ("V100",))}
REGIONS = {"us-east-1": ("us-east-1a", "us-east-1b")}
WILD = Climate((600, 1800, 5400), (300, 900, 3600), share=0.3, level=0.2, move=0.02)


def job(**fields: Any) -> Job:
    given = {
        "name": "racer",
        "run": "train",
        "estimate": "6h",
        "resources": {"infra": "aws/us-east-1", "market": "spot"},
        "volume": {"size": "20GB"},
        **fields,
    }
    return in_sim(Job.model_validate(given))


def wild(climate: Climate = WILD) -> Drawn:
    return Drawn("wild", TYPES, REGIONS, climate)


def lived(one: Job, seed: int, ways: Ways | None = None) -> tuple[World, RunState]:
    world = World(one, wild(), seed, ways)
    return world, world.run()


@pytest.mark.parametrize("seed", range(4))
def test_a_run_does_the_same_work_whatever_becomes_of_its_machines(seed: int) -> None:
    ways = Ways(notice=0 if seed % 2 else 120, every=900)
    world, run = lived(job(), seed, ways)
    assert run.outcome == "succeeded"
    last = max(agent.done(world.clock()) for agent in world.agents.values())
    assert last == world.work
    trained = sum(agent.trained(world.clock()) for agent in world.agents.values())
    assert trained == pytest.approx(world.work + sum(agent.lost for agent in world.agents.values()), abs=0.01)
    assert len(run.attempts) > 3


def test_without_warning_work_is_lost_and_never_more_than_between_two_checkpoints() -> None:
    ways = Ways(notice=0, every=900)
    found = [outcome_of(world, run) for world, run in (lived(job(), seed, ways) for seed in range(2))]
    assert all(0 < one.lost <= one.interruptions * (ways.every + ways.commit + 1) for one in found)
    warned = [simulate(job(), wild(), seed, Ways(every=900))[0] for seed in range(2)]
    assert sum(one.lost for one in warned) < sum(one.lost for one in found)


@pytest.mark.parametrize("market", ["spot", "spot-first", "on-demand"])
def test_a_run_costs_what_the_cloud_charges_to_the_micro_dollar(market: str) -> None:
    for seed in range(2):
        one = job(resources={"infra": "aws/us-east-1", "market": market})
        world, run = lived(one, seed)
        charged: Micros = sum(invoice.machine_by_the_hour(world.cloud, made) for made in world.cloud.instances.values())
        disks: Micros = sum(invoice.disk(world.cloud, made) for made in world.cloud.volumes.values())
        found = outcome_of(world, run)
        assert (found.compute, found.cost) == (charged, charged + disks)


def test_the_same_seed_gives_the_same_result_whatever_ran_before() -> None:
    first = simulate(job(), wild(), 7)
    random.seed(5)
    simulate(job(), wild(), 8)
    again = simulate(job(), wild(), 7)
    assert first == again
    assert simulate(job(), wild(), 8)[0] != replace(first[0], seed=8)


def test_jumping_over_quiet_hours_changes_nothing_but_the_number_of_looks() -> None:
    """A controller that looks each ten seconds, whether anything can have changed or not, comes to the same."""
    calm = Climate((HOUR, 2 * HOUR), (600, 900), share=0.3, level=0.2, move=0.02)
    one = job(estimate="3h", resources={"infra": "aws/us-east-1", "market": "spot-first"})

    def tried(quiet: float) -> list[Outcome]:
        return [simulate(one, wild(calm), seed, Ways(quiet=quiet))[0] for seed in range(2)]

    seldom, often = tried(3600), tried(10)
    for few, many in zip(seldom, often, strict=True):
        assert many.looks > 10 * few.looks
        assert (few.launches, few.interruptions, few.refusals) == (many.launches, many.interruptions, many.refusals)
        assert few.finish == pytest.approx(many.finish, abs=30)
        assert few.cost == pytest.approx(many.cost, rel=0.01)


def test_machines_write_the_documents_of_the_real_agent() -> None:
    world, run = lived(job(), 1)
    began = [a.number for a in run.attempts.values() if a.resumed is not None]
    chain = {n: Base.model_validate_json(world.bucket.get(layout.base(run.run_id, n))) for n in began}
    for number, base in chain.items():
        if base.ref is None:
            continue
        assert base.ref.attempt < number
        saved = Manifest.model_validate_json(world.bucket.get(layout.manifest(run.run_id, base.ref.attempt, base.ref.seq)))
        resumed = run.attempts[number].resumed
        assert resumed is not None
        assert (resumed.ref, resumed.step) == (saved.ref, saved.step)


def test_a_market_without_spot_is_waited_for_or_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "LONGEST_LEAST", 6 * HOUR)
    monkeypatch.setattr(whole, "LONGEST_FACTOR", 2)
    never = Recorded("never", TYPES, REGIONS, {("us-east-1a", "p3.2xlarge"): Record((), up=False, prices=((0.0, 1),))}, DAY)
    waited, _ = simulate(job(), never, 0, Ways(quiet=DAY))
    assert (waited.finish, waited.launches, waited.cost) == (None, 0, 0)
    paid, _ = simulate(job(resources={"infra": "aws/us-east-1", "market": "spot-first"}), never, 0)
    assert paid.finish is not None
    assert (paid.spot, paid.interruptions) == (0, 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_deadline_is_kept_in_every_named_market(name: str) -> None:
    one = job(estimate="3h", deadline=4.5 * HOUR, resources={"infra": "aws/us-east-1"})
    for seed in range(2):
        found, _ = simulate(one, named_market(name, one), seed)
        assert found.finish is not None
        assert not found.late


def test_a_deadline_that_only_is_held_against_a_run_counts_it_late() -> None:
    found, _ = simulate(job(), wild(), 3, deadline=6 * HOUR)
    assert found.finish is not None
    assert found.late == (found.finish > 6 * HOUR)
    assert found.late
