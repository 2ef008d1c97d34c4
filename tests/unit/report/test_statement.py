"""One night as data: worked by hand, and what must hold whatever a journal says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.ledger import ledger
from fleet.model.calendar import Span, day_of, month_of, night_before
from fleet.model.cloud import Billing, PriceSince
from fleet.model.documents import Outcome
from fleet.model.rates import Rates
from fleet.report.as_csv import as_csv
from fleet.report.as_json import as_json
from fleet.report.as_text import as_text
from fleet.report.reading import Read, Trail
from fleet.report.statement import Left, Statement
from tests.unit.report.nights import (
    NIGHT,
    READ,
    START,
    USUAL,
    ZONE,
    attempt,
    fleet,
    hour,
    night,
    notice,
    racer,
    resumed,
    run,
    volume,
)

DISK = 263_014
"""100 GB at $0.08 a GB and month of 730 hours, for a day."""


def kinds(s: Statement) -> dict[str, int]:
    return dict(s.totals.night.by_kind)


def test_the_night_is_the_users_own() -> None:
    assert night_before(hour(26), ZONE) == NIGHT
    made = night(fleet(racer()))
    assert (made.date, made.zone, made.start, made.end) == ("2026-11-25", ZONE, START, START + 86_400)


def test_machines_are_paid_by_the_price_in_force_within_the_night() -> None:
    """Six hours at $0.10, three and a half at $0.20, fourteen at $0.30; the machine goes on after midnight."""
    made = night(fleet(racer()))
    assert kinds(made)["instance"] == 600_000 + 700_000 + 4_200_000
    assert abs(kinds(made)["volume"] - DISK) <= 1
    assert made.totals.night.paid == sum(kinds(made).values())
    assert made.totals.night.on_demand == round(23.5 * USUAL) + kinds(made)["volume"]
    assert made.totals.machine_seconds == 23.5 * 3600


def test_the_day_before_is_held_against_it() -> None:
    """The fleet's first two hours lie in the day before: the average is over one day, not seven."""
    made = night(fleet(racer()))
    assert made.totals.days_before == 1
    assert abs(made.totals.week_before - (200_000 + DISK // 12)) <= 1
    assert [day.date for day in made.days] == ["2026-11-24", "2026-11-25"]


def test_a_run_is_told_with_what_it_cost_so_far_and_where_it_ran() -> None:
    [told] = night(fleet(racer(job={"budget": {"run": "$15"}}))).runs
    assert (told.outcome, told.ended, told.launches, told.interruptions) == ("going on", False, 1, 1)
    assert told.machines == ("g4dn.xlarge spot, us-east-1a", "g4dn.xlarge spot, us-east-1b")
    assert told.paid == 5_500_000 + kinds(night(fleet(racer())))["volume"]
    assert abs(told.paid_whole - (told.paid + 200_000 + DISK // 12)) <= 1
    assert told.budget == 15_000_000
    assert told.waiting == pytest.approx(1800)


def test_an_interruption_is_told_with_what_was_lost_and_how_long_recovery_took() -> None:
    [taken] = night(fleet(racer())).interruptions
    assert (taken.kind, taken.at, taken.where) == ("notice", hour(5.98), "g4dn.xlarge spot, us-east-1a")
    assert (taken.lost_steps, taken.lost_seconds, taken.moved) == (120, 400.0, True)
    assert taken.recover_seconds == pytest.approx((6.8 - 5.98) * 3600)


def test_an_interruption_of_another_night_is_not_told_again() -> None:
    assert night(fleet(racer()), now=50, of=day_of(hour(25), ZONE)).interruptions == ()


def test_time_and_waste_add_up_to_what_machines_cost() -> None:
    made = night(fleet(racer()))
    parts = {one.what: one.seconds for one in made.shares}
    assert sum(parts.values()) == pytest.approx(made.totals.machine_seconds)
    assert parts["boot"] == pytest.approx(0.1 * 3600)  # the second machine's; the first one's was before midnight
    waste = {one.reason: one.paid for one in made.waste}
    assert waste["boot"] == 20_000  # six minutes at $0.20
    assert sum(waste.values()) == made.totals.wasted
    assert made.totals.wasted < kinds(made)["instance"]


def test_a_night_without_anything_is_quiet() -> None:
    made = night(fleet())
    assert made.quiet
    assert (made.runs, made.totals.night.paid, made.days[-1].paid, made.advice) == ((), 0, 0, ())


def test_a_night_whose_only_cost_is_a_forgotten_disk_is_not_quiet() -> None:
    old = run(name="old", created=-80.0, ended_at=hour(-40), outcome="succeeded", volumes=(volume(since=-80.0),))
    made = night(fleet(old))
    assert not made.quiet
    assert made.runs == ()
    assert [(one.reason, one.paid) for one in made.waste] == [("forgotten volumes", made.totals.night.paid)]
    [left] = made.left
    assert (left.kind, left.id, left.monthly, left.command) == ("volume", "vol-1", 8_000_000, "fleet volumes delete vol-1")
    assert left.why == "its run ended on 2026-11-23; kept until 2026-11-30"


def test_a_disk_that_a_live_run_left_for_another_is_told() -> None:
    moved = racer().model_copy(
        update={"volumes": {"old": volume("old", superseded_at=hour(7)), "vol-1": volume()}, "volume_id": "vol-1"}
    )
    assert [(one.id, one.why.split(" on ")[0]) for one in night(fleet(moved)).left] == [
        ("old", "its run moved to another volume")
    ]


def test_what_nobody_owns_comes_first_and_once() -> None:
    stray = Left(
        "machine", "i-9", "aws/us-east-1", "", 73_000_000, None, "no attempt of this fleet owns it", "fleet gc --delete"
    )
    made = night(fleet(racer(), orphans={"i-9": hour(3), "i-8": hour(4)}), read=replace(READ, strays=(stray,)))
    assert [(one.id, one.monthly) for one in made.left] == [("i-9", 73_000_000), ("i-8", None)]
    assert made.advice[0].startswith("2 machines that no run owns run, $73.00 a month")


def test_the_month_is_forecast_from_the_last_days_and_from_what_exists() -> None:
    made = night(fleet(racer()), read=replace(READ, month_cap=30_000_000))
    month, paid = made.totals.month, [day.paid for day in made.days]
    assert (month.name, month.budget) == ("2026-11", 30_000_000)
    assert month.paid == sum(paid)
    assert abs(month.low - (sum(paid) + 5 * DISK)) <= 5  # five days of nothing but the disk
    assert month.likely == sum(paid) + round(5 * sum(paid) / 2)
    assert month.high == sum(paid) + 5 * max(paid)


def test_a_run_that_is_open_at_the_months_end_leaves_nothing_to_forecast() -> None:
    last = day_of(hour(5 * 24 + 1), ZONE)
    assert month_of(last.start, ZONE).end == last.end
    made = night(fleet(racer()), now=6 * 24 + 5, of=last)
    assert made.totals.month.paid == made.totals.month.low == made.totals.month.high
    assert made.totals.month.paid == sum(day.paid for day in made.days)
    assert kinds(made)["instance"] == 24 * 300_000


def test_an_old_nights_month_is_told_as_it_ended() -> None:
    whole = month_of(START, ZONE)
    made = night(fleet(racer()), now=60 * 24)
    lines = ledger(fleet(racer()), whole, hour(60 * 24), READ.billing, {})
    assert made.totals.month.paid == made.totals.month.likely == sum(line.amount for line in lines)


def test_a_night_of_25_hours_costs_25() -> None:
    """Clocks were set back on 2026-10-25."""
    long = day_of(hour(-31 * 24 + 5), ZONE)
    assert long.seconds == 25 * 3600
    one = attempt(1, -40 * 24, None, {-40 * 24: 100_000}, resumed=resumed(-40 * 24 + 0.2))
    made = night(fleet(run(one, created=-40 * 24)), of=long)
    assert kinds(made)["instance"] == 25 * 100_000
    assert made.date == "2026-10-25"


def test_a_day_that_is_not_over_is_told_until_now() -> None:
    made = night(fleet(racer()), now=7.5)
    assert kinds(made)["instance"] == 600_000 + 200_000
    assert made.totals.machine_seconds == 7 * 3600


def test_weeks_of_nights_add_up_to_the_ledger() -> None:
    state = fleet(racer(), run(attempt(1, -300, -290, {-300: 50_000}), name="other", created=-301.0))
    made = night(state)
    span = Span(day_of(hour(-301), ZONE).start, NIGHT.end)
    lines = ledger(state, span, hour(26), READ.billing, {})
    assert sum(day.paid for day in made.days) == sum(line.amount for line in lines)
    assert sum(day.on_demand for day in made.days) == sum(line.on_demand for line in lines)


def test_what_a_machine_has_about_it_is_counted() -> None:
    rates = {
        "aws": Rates.model_validate({"of": "2026-10-01", "address_hour": 5_000, "root_gb": 10, "root_gb_month": 80_000})
    }
    made = night(fleet(racer()), read=replace(READ, rates=rates))
    assert kinds(made)["address"] == round(23.5 * 5_000)
    assert kinds(made)["root-disk"] > 0


def test_a_machine_that_was_free_cost_nothing_though_on_demand_would_have() -> None:
    free = attempt(1, 3, 3.5, {3: 100_000}, notice=notice(3.45))
    made = night(fleet(run(free, created=2.0)))
    assert kinds(made).get("instance", 0) == 0
    assert made.totals.night.on_demand == 300_000


def test_prices_come_from_the_provider_before_the_journal_and_the_bid_is_drawn_in() -> None:
    pool = ("aws", "us-east-1", "us-east-1a", "g4dn.xlarge")
    beside = ("aws", "us-east-1", "us-east-1f", "g4dn.xlarge")
    trail = Trail((PriceSince(at=hour(-2000), price=90_000), PriceSince(at=hour(2), price=110_000)), "EC2's price history")
    job = {"resources": {"infra": "aws", "max_price": "$0.25"}}
    made = night(fleet(racer(job=job)), read=replace(READ, prices={pool: trail, beside: trail}))
    assert [(one.zone, one.source) for one in made.prices] == [
        ("us-east-1a", "EC2's price history"),
        ("us-east-1b", "the journal"),
        ("us-east-1f", "EC2's price history"),
    ]
    first, second, _ = made.prices
    assert {one.bid for one in made.prices} == {250_000}
    assert [point.price for point in first.points] == [90_000, 110_000]
    assert first.points[0].at == made.start - 27 * 86_400  # what was in force when the weeks began
    assert [point.price for point in second.points] == [200_000, 300_000]
    assert second.used == ((hour(6.5), hour(24)),)


def test_without_a_bid_none_is_drawn() -> None:
    assert {one.bid for one in night(fleet(racer())).prices} == {None}


def test_a_type_that_was_not_used_lately_is_not_shown() -> None:
    long_ago = run(attempt(1, -300, -290, {-300: 50_000}, "eu-west-1a"), name="other", created=-301.0)
    assert {one.zone for one in night(fleet(racer(), long_ago)).prices} == {"us-east-1a", "us-east-1b"}


@pytest.mark.parametrize(
    "strange",
    [
        pytest.param(attempt(1, 3, 9, {}), id="no price is known"),
        pytest.param(attempt(1, 3, 9, {3: 0}), id="a price of zero"),
        pytest.param(attempt(1, 9, 3, {9: 100_000}), id="ended before it was launched"),
        pytest.param(attempt(1, 3, 9, {5: 100_000, 4: 200_000}), id="prices out of order"),
        pytest.param(attempt(1, 3, 9, {3: 100_000}, end_estimated=True, ended_by="unknown"), id="nobody saw the end"),
        pytest.param(attempt(1, 30, None, {30: 100_000}), id="launched after now, by another clock"),
        pytest.param(attempt(1, 3, 9, {3: 100_000}, offer=None, instance_id=None, launched_at=None), id="never launched"),
    ],
)
def test_strange_machines_are_told_without_a_fault(strange: object) -> None:
    made = night(fleet(run(strange, created=2.0, volumes=(volume(since=2.0),))))  # type: ignore[arg-type]
    assert made.totals.night.paid == sum(day for _, day in made.totals.night.by_kind)
    assert made.totals.night.paid >= 0
    assert made.totals.machine_seconds >= 0
    assert all(one.paid >= 0 for one in made.waste)


def test_what_nobody_saw_is_told_as_estimated() -> None:
    unseen = attempt(1, 3, 9, {3: 100_000}, end_estimated=True, ended_by="unknown")
    assert night(fleet(run(unseen, created=2.0))).totals.night.estimated == 600_000


def test_a_failed_training_is_told_with_its_last_lines_and_no_secret() -> None:
    words = "exit code 1\n" + "\n".join(f"line {n}" for n in range(40))
    words += "\npassword=hunter2-and-more AKIAIOSFODNN7EXAMPLE Bearer abcdef0123456789\nkey is tiny-but-secret-value"
    failed = attempt(1, 3, 9, {3: 100_000}, outcome=Outcome(kind="failed", exit_code=1, message=words), ended_by="itself")
    job = {"envs": {"WANDB_API_KEY": "tiny-but-secret-value", "STEPS": "1000"}}
    state = fleet(run(failed, created=2.0, ended_at=hour(9), outcome="failed", reason="it failed 3 times", job=job))
    [told] = night(state).runs
    assert (told.outcome, told.ended) == ("failed", True)
    assert told.reason.splitlines()[-1] == "key is <secret>"
    assert len(told.reason.splitlines()) <= 21
    for secret in ("hunter2", "AKIAIOSFODNN7EXAMPLE", "abcdef0123456789", "tiny-but-secret-value"):
        assert secret not in told.reason


def test_a_run_whose_name_a_newer_one_has_is_called_by_its_id_in_commands() -> None:
    failed = racer(ended_at=hour(8), outcome="failed", reason="of memory")
    assert "`fleet logs racer`" in " ".join(night(fleet(failed)).advice)
    state = fleet(failed).model_copy(update={"names": {"racer": "racer-2"}})
    assert "`fleet logs racer-1`" in " ".join(night(state).advice)


def test_a_run_that_waits_for_its_user_says_so() -> None:
    waits = run(created=-1.0, pause={"reason": "UnauthorizedOperation: ec2:RunInstances", "until": None})
    made = night(fleet(waits))
    [told] = made.runs
    assert (told.outcome, told.reason) == ("waits for you", "UnauthorizedOperation: ec2:RunInstances")
    assert made.advice[0].startswith("racer waits for your word")


def test_two_thousand_runs_of_one_night_take_no_longer_than_they_should() -> None:
    """The work grows with what there is, not with its square: counted in lines that are looked at, not in seconds."""
    runs = [run(attempt(1, 3, 9, {3: 100_000}), name=f"r{n}", created=2.0) for n in range(300)]
    made = night(fleet(*runs), read=Read(billing={"aws": Billing()}))
    assert len(made.runs) == 300
    assert sum(one.paid for one in made.runs) == made.totals.night.paid == 300 * 600_000


HOURS = st.floats(-40 * 24, 30, allow_nan=False)
MACHINES = st.lists(
    st.tuples(HOURS, st.one_of(st.none(), HOURS), st.dictionaries(HOURS, st.integers(0, 3_000_000), max_size=4)), max_size=4
)


@settings(max_examples=60, deadline=None)
@given(MACHINES, HOURS, st.sampled_from([ZONE, "UTC", "America/St_Johns", "Pacific/Apia"]))
def test_whatever_the_journal_says_the_parts_add_up(
    machines: list[tuple[float, float | None, dict[float, int]]], now: float, zone: str
) -> None:
    """Days to the ledger, kinds to a day, runs and shares to the night; and every form can be made of it."""
    begun = [one for one in machines if one[0] <= now]  # nobody reports a machine that is still to come
    told = [attempt(n, start, end, prices) for n, (start, end, prices) in enumerate(begun, 1)]
    state = fleet(run(*told, created=-41 * 24, volumes=(volume(since=-41 * 24),), volume_id="vol-1"))
    of = day_of(hour(-30), zone)
    made = night(state, now=now, of=of, zone=zone)
    window = Span(of.start - 27 * 86_400 - 7200, of.end)
    lines = ledger(state, Span(day_of(window.start, zone).start, of.end), hour(now), READ.billing, {}, cuts=[of.start])
    assert made.totals.night.paid == sum(line.amount for line in lines if line.start >= of.start)
    assert all(day.paid == sum(paid for _, paid in day.by_kind) for day in made.days)
    assert sum(one.paid for one in made.runs) == made.totals.night.paid
    assert made.totals.month.low <= made.totals.month.likely <= made.totals.month.high
    assert sum(share.seconds for share in made.shares) == pytest.approx(made.totals.machine_seconds, abs=0.01)
    assert as_text(made)
    assert as_csv(made)
    assert as_json(made)
