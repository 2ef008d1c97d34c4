"""How it is told what was got for the money."""

from __future__ import annotations

from fleet.cli.bought import bought_object, bought_of, told_bought, told_yield
from fleet.cli.plan import told_day
from fleet.control.offering import Beside, Plan, Priced
from fleet.control.runs import RunView
from fleet.core.bought import Yield
from fleet.core.costs import RunCost
from fleet.model.cloud import Market
from fleet.model.job import Job
from tests.unit.core.test_bought import FIRST, SECOND
from tests.unit.core.world import RUN, folded, offer


def seen(events: list[dict[str, object]], at: float = 10_000.0) -> RunView:
    return RunView(folded(events).runs[RUN], None, None, RunCost(compute=0, volumes=0, on_demand=0, rate=0), at)


def test_a_run_tells_what_its_time_and_money_went_into() -> None:
    told = dict(told_bought(bought_of(seen([*FIRST, *SECOND]))))
    assert told["time"] == (
        "1h38m of machines: training 81%, boot 4%, restore 4%, lost work 8%, idle 1%, leaving 2%; 2m15s without one"
    )
    assert told["bought"] == (
        "4,800 steps kept, $0.0342 for 1,000; wasted $0.0308 "
        "(lost work $0.0139, restore $0.0064, boot $0.0061, leaving $0.0033, idle $0.0011)"
    )


def test_before_there_is_a_machine_nothing_is_told() -> None:
    assert list(told_bought(bought_of(seen([{"run-created": {}}])))) == []


def test_a_training_that_tells_no_steps_is_said_to() -> None:
    _, (_, text) = told_bought(bought_of(seen(FIRST[:5], at=1000.0)))
    assert text == "no steps that training tells; wasted $0.0042 (boot $0.0028, restore $0.0014)"


def test_programs_get_parts_that_add_up() -> None:
    told = bought_object(bought_of(seen([*FIRST, *SECOND])))
    time, money = told["time"], told["money"]
    parts = ("training", "boot", "restore", "lost", "idle", "leaving")
    assert sum(time[f"{part}_seconds"] for part in parts) == time["machine_seconds"] == 5910  # type: ignore[literal-required]
    assert round(sum(money[f"{part}_usd"] for part in parts), 6) == 0.164167  # type: ignore[literal-required]
    assert (told["steps"], told["usd_per_1000_steps"]) == (4800, 0.034201)


def test_a_type_tells_what_its_steps_came_to() -> None:
    one = Yield("aws", "g4dn.xlarge", Market.SPOT, 52_000, 36_000.0, 29_160.0, 1_600_000)
    assert told_yield(one) == (
        "1,000 steps for $0.0308 on g4dn.xlarge spot so far (52,000 steps; 10h00m of machines, 81% of it kept training)"
    )
    none = Yield("aws", "g4dn.xlarge", Market.ON_DEMAND, None, 0.0, 0.0, 8_767)
    assert told_yield(none).startswith(
        "no steps that were told on g4dn.xlarge on-demand for $0.0088 (0.0s of machines, none"
    )


def test_a_day_is_told_item_by_item() -> None:
    rows = tuple(Priced(offer(name), 0, name == "b-large-spot", cooling=False) for name in ("a-small-spot", "b-large-spot"))
    plan = Plan(rows, "", 0, Job(name="a", run="x"), beside=Beside(54_795, 5_000, 10_959, 100, "2026-07-01"))
    assert told_day(plan) == (
        "$11.30 on large spot: machine $9.60, volume $1.32, public address $0.12, root disk of 100 GB $0.26 "
        "(address and root disk as listed on 2026-07-01)"
    )
    free = Plan((Priced(offer("a-small-spot@0"), 0, chosen=False, cooling=False),), "", 0, Job(name="a", run="x"))
    assert told_day(free) == "$0.00 on small spot: nothing"
