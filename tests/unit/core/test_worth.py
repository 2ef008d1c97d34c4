"""What an hour of training costs on an offer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.overheads import Overheads
from fleet.core.placement import Nothing, Placement, place
from fleet.core.state import FleetState, RunState
from fleet.core.survival import Hints, Lives, prior_of
from fleet.core.worth import Knowledge, kept_on_demand, kept_share, knowledge, leaving_price, worth
from tests.unit.core.world import folded, job, observed, offer

PRIOR = prior_of()
HOUR = 3600.0


def lives(taken: float, hours: float) -> Lives:
    return Lives(PRIOR.hazard, PRIOR.shape + taken, PRIOR.shape + hours)


def run(fields: dict[str, Any] | None = None) -> RunState:
    return RunState(run_id="racer-1", name="racer", job=job(fields or {}), workdir_key=None, created_at=0.0)


@settings(deadline=None, max_examples=50)
@given(st.floats(0, 50), st.floats(0, 50), st.floats(0, 500), st.floats(0, 3600), st.floats(0, 3600))
def test_more_interruptions_and_longer_overheads_never_raise_what_is_kept(
    few: float, more: float, hours: float, boot: float, lost: float
) -> None:
    overheads = Overheads(boot=boot, lost=lost)
    kept = kept_share(lives(few, hours), overheads)
    assert 0 < kept <= 1
    assert kept_share(lives(few + more, hours), overheads) <= kept + 0.005
    assert kept_share(lives(few, hours), Overheads(boot=boot + 60, lost=lost)) <= kept + 1e-9
    assert kept_share(lives(few, hours), Overheads(boot=boot, lost=lost + 60)) <= kept + 1e-9


def test_what_is_kept_agrees_with_trying_it() -> None:
    """Machine after machine, of a life that is drawn: paid until it is taken, of which it trains and keeps a part."""
    import numpy as np

    from fleet.core.forecast import _drawn

    overheads, one = Overheads(boot=200, restore=40, lost=400), lives(4.0, 3.0)
    rng = np.random.default_rng(1)
    lengths = _drawn(one, None, 200_000, rng)
    horizon = 24 * HOUR
    paid = np.minimum(lengths, horizon)
    kept = np.where(lengths < horizon, np.maximum(0.0, paid - overheads.total - overheads.lost), horizon - overheads.total)
    assert kept_share(one, overheads) == pytest.approx(kept.sum() / paid.sum(), rel=0.02)


def test_more_is_kept_in_a_pool_that_has_had_machines_for_long() -> None:
    shares = [kept_share(lives(0, 0), Overheads(), age * HOUR) for age in (0, 1, 4, 12)]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


def test_on_demand_boots_once_a_day() -> None:
    assert kept_on_demand(Overheads(boot=864, restore=0)) == pytest.approx(0.99)


def test_an_hour_of_training_costs_more_than_an_hour_of_the_machine() -> None:
    known = Knowledge(volume_prices={"sim": 73_000}, addresses={"sim": 5_000})
    found = worth(offer("a-small-spot"), run({"volume": {"size": 10}}), None, known)
    assert found.hourly == 100_000 + 1_000 + 5_000
    assert found.per_hour == round(found.hourly / found.kept)
    assert 0.9 < found.kept < 1
    assert not found.speed_known


def test_a_quieter_band_is_worth_a_higher_price() -> None:
    hints = {"sim/r/r-a/small": Hints(band=4), "sim/r/r-b/small": Hints(band=0)}
    offers = [offer("a-small-spot@100000"), offer("b-small-spot@101000")]
    chosen = place(run(), offers, {}, 0.0, known=Knowledge(hints=hints))
    assert isinstance(chosen, Placement)
    assert [o.zone for o in chosen.offers] == ["r-b", "r-a"]
    plainly = place(run(), offers, {}, 0.0)
    assert isinstance(plainly, Placement)
    assert [o.zone for o in plainly.offers] == ["r-a", "r-b"]


def test_the_reason_has_the_numbers() -> None:
    chosen = place(run(), [offer("a-small-spot"), offer("b-small-spot")], {}, 0.0)
    assert isinstance(chosen, Placement)
    for part in (
        "small spot in r-a at $0.10/h",
        "for an hour of training, the least of 2",
        "life about",
        "% of paid time trains",
    ):
        assert part in chosen.why


def test_waiting_tells_what_spot_and_on_demand_would_cost() -> None:
    found = place(run({"resources": {"market": "spot"}}), [offer("a-small-spot@299000")], {}, 0.0)
    assert isinstance(found, Nothing)
    assert "spot costs more than on-demand would" in found.reason
    assert "$0.30/h" in found.reason


def test_a_move_to_another_region_pays_for_the_transfer_of_its_checkpoint() -> None:
    state = folded([{"run-created": {}}, {"volume-made": {}}])
    volume = state.runs["racer-1"].volumes["v-1"]
    there = offer("b-small-spot")
    far = there.model_copy(update={"region": "q"})
    assert leaving_price(there, volume, None, 120) == leaving_price(there, volume, None)
    assert leaving_price(far, volume, None, 120) - leaving_price(far, volume, None) == 100_000


def test_types_are_compared_by_the_steps_that_the_job_reached_on_them() -> None:
    events: list[dict[str, Any]] = [{"run-created": {}}]
    for number, (kind, rate) in enumerate((("small", 2.0), ("large", 6.0)), 1):
        events += [
            {"launch-intended": {"attempt": number, "offers": [f"a-{kind}-spot"]}},
            {"launch-succeeded": {"attempt": number, "offer": f"a-{kind}-spot"}},
            {"attempt-gone": {"attempt": number, "at": 900, "ended_by": "itself", "rate": rate}},
        ]
    known = Knowledge(folded(events), 1000.0)
    found = {kind: worth(offer(f"b-{kind}-spot"), run(), None, known) for kind in ("small", "large", "medium")}
    assert found["large"].speed == 3 * found["small"].speed
    assert (found["medium"].speed, found["medium"].speed_known) == (1.0, False)


def test_one_tick_looks_things_up_once() -> None:
    state, seen = FleetState(), observed({}, 10.0)
    assert knowledge(state, seen) is knowledge(state, seen)
    assert knowledge(state, observed({}, 10.0)) is not knowledge(state, seen)
    copy = state.model_copy(update={"runs": {"racer-1": run()}})
    assert knowledge(copy, seen) is not knowledge(state, seen)
