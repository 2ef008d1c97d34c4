"""What to do about a night: each rule alone, and which are told when many would be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fleet.report import advice as rules
from fleet.report.advice import MOST, RULES, advice
from fleet.report.statement import Left, Share, Statement
from tests.unit.report.samples import history, run, statement, taken

Change = Callable[[Statement], Statement]


def calm() -> Statement:
    """A night about which nothing is to be done."""
    full = statement()
    month = replace(full.totals.month, paid=50_000_000, likely=60_000_000, budget=100_000_000)
    return replace(
        full,
        totals=replace(full.totals, month=month),
        runs=(run(),),
        shares=(Share("training", 90_000.0), Share("boot", 4_000.0), Share("lost work", 1_000.0)),
        interruptions=(taken(3.0),),
        prices=(history("us-east-1a", 0.1), history("us-east-1b", 0.5)),
        left=(),
        advice=(),
    )


def with_left(*kinds: str, monthly: int | None = 40_000_000) -> Change:
    some = tuple(
        Left(kind, f"{kind}-{n}", "aws/r", "", monthly, None, "", f"end {kind}-{n}") for n, kind in enumerate(kinds)
    )
    return lambda s: replace(s, left=some)


def with_month(**fields: Any) -> Change:
    return lambda s: replace(s, totals=replace(s.totals, month=replace(s.totals.month, **fields)))


def with_run(**fields: Any) -> Change:
    return lambda s: replace(s, runs=(replace(s.runs[0], **fields),))


def with_share(what: str, seconds: float) -> Change:
    return lambda s: replace(s, shares=(*(one for one in s.shares if one.what != what), Share(what, seconds)))


CASES: list[tuple[Change, str]] = [
    (with_left("machine"), "1 machine that no run owns runs, $40.00 a month: `end machine-0` ends what it shows."),
    (
        with_left("machine", "machine", monthly=None),
        "2 machines that no run owns run: `end machine-0` ends what it shows.",
    ),
    (with_left("snapshot"), "1 thing that no run owns costs, $40.00 a month: `end snapshot-0` ends what it shows."),
    (
        with_run(outcome="waits for you"),
        "racer waits for your word: see why with `fleet status racer`, then `fleet resume racer`.",
    ),
    (
        with_run(outcome="failed", ended=True),
        "racer failed: `fleet logs racer` shows what it said, `fleet resume racer` goes on.",
    ),
    (
        with_month(paid=101_000_000, likely=120_000_000),
        "November 2026 has used up its budget of $100.00: `fleet budget` shows and changes it.",
    ),
    (
        with_month(likely=112_500_000),
        (
            "At this pace November 2026 comes to $112.50, $12.50 above its budget: "
            "`fleet budget` raises it, or end what can wait."
        ),
    ),
    (
        lambda s: replace(s, totals=replace(s.totals, budget=3_400_000)),
        "The day's budget was 100 % used, and runs waited: `fleet budget` raises it.",
    ),
    (
        with_run(paid_whole=12_900_000),
        (
            "racer has used 86 % of its $15.00 and is ended before it passes them: "
            "`fleet stop racer`, then `fleet resume racer --budget` with more, lets it go on."
        ),
    ),
    (
        with_left("volume", "volume"),
        "2 volumes that no live run uses cost $80.00 a month: `end volume-0` deletes the largest.",
    ),
    (
        lambda s: replace(s, prices=(history("us-east-1a", 0.29), history("us-east-1b", 0.35))),
        (
            "The bid of $0.3000 was below the price of g4dn.xlarge for 79 % of the time even where it is cheapest: "
            "raise max_price, or allow another type."
        ),
    ),
    (
        lambda s: replace(s, interruptions=tuple(taken(float(n)) for n in range(4))),
        "g4dn.xlarge spot, us-east-1a was taken back 4 times: allow another zone or type in the job's resources (any_of).",
    ),
    (
        with_share("lost work", 20_000.0),
        "18 % of machine time was trained twice: let training write checkpoints more often.",
    ),
    (
        with_share("boot", 30_000.0),
        "25 % of machine time went into booting and restoring: `fleet ami build` prepares an image that boots fast.",
    ),
    (
        with_share("idle", 15_000.0),
        "14 % of machine time was idle: `fleet events` tells what machines waited for.",
    ),
]


def test_of_a_calm_night_nothing_is_said() -> None:
    assert advice(calm()) == ()


@pytest.mark.parametrize(("change", "told"), CASES, ids=[told[:40] for _, told in CASES])
def test_each_rule_alone(change: Change, told: str) -> None:
    assert advice(change(calm())) == (told,)


def test_every_rule_has_a_case() -> None:
    spoke = {rule.__name__ for rule in RULES for change, _ in CASES if any(rule(change(calm())))}
    assert spoke == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (with_left("volume", monthly=900_000), rules.volumes),
        (with_month(likely=99_000_000), rules.over_month),
        (with_month(paid=300_000_000, budget=None), rules.over_month),
        (with_run(paid_whole=11_000_000), rules.over_run),
        (with_run(paid_whole=15_000_000, ended=True), rules.over_run),
        (with_run(paid_whole=15_000_000, budget=None), rules.over_run),
        (with_run(outcome="failed", ended=False), rules.failed),
        (lambda s: replace(s, totals=replace(s.totals, budget=4_300_000)), rules.over_day),
        (lambda s: replace(s, prices=(history("us-east-1a", 0.21),)), rules.low_bid),
        (lambda s: replace(s, prices=(history("us-east-1a", 0.9, None),)), rules.low_bid),
        (lambda s: replace(s, interruptions=(taken(1.0), taken(2.0))), rules.taken_often),
        (lambda s: replace(s, shares=()), rules.lost_work),
        (lambda s: replace(with_share("lost work", 20_000.0)(s), interruptions=()), rules.lost_work),
    ],
)
def test_below_its_mark_a_rule_is_silent(change: Change, rule: rules.Rule) -> None:
    assert list(rule(change(calm()))) == []


def test_of_many_things_the_three_most_pressing_are_said() -> None:
    worst = with_left("machine", "volume")(with_month(likely=200_000_000)(with_run(outcome="waits for you")(calm())))
    worst = with_share("idle", 50_000.0)(worst)
    told = advice(worst)
    assert len(told) == MOST
    assert [sentence.split()[0] for sentence in told] == ["1", "racer", "At"]


def test_on_a_computer_without_ec2_no_image_is_advised() -> None:
    here = with_share("boot", 30_000.0)(replace(calm(), prices=()))
    assert advice(here) == ("25 % of machine time went into booting and restoring: a shorter `setup` in the job helps.",)
