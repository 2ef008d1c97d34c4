"""What a unit of work costs, from what was measured."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.core.rates import measured_rates, work_price
from tests.unit.core.world import folded


def attempt(number: int, offer: str, rate: float | None, *, ended: bool = True) -> list[dict[str, Any]]:
    at = number * 100
    events: list[dict[str, Any]] = [
        {"launch-intended": {"attempt": number, "at": at, "offers": [offer]}},
        {"launch-succeeded": {"attempt": number, "at": at, "offer": offer}},
    ]
    return [*events, {"attempt-gone": {"attempt": number, "at": at + 50, "rate": rate}}] if ended else events


CASES: list[tuple[str, list[dict[str, Any]], dict[tuple[str, str], float]]] = [
    ("nothing is known at first", [], {}),
    ("one attempt is a measure", attempt(1, "a-small-spot", 2.0), {("sim", "small"): 2.0}),
    (
        "the market and the zone make a machine no faster",
        [*attempt(1, "a-small-spot", 2.0), *attempt(2, "b-small-on-demand", 4.0)],
        {("sim", "small"): 3.0},
    ),
    (
        "one bad minute among several does not count",
        [e for n, rate in enumerate((2.0, 2.2, 0.1), 1) for e in attempt(n, "a-small-spot", rate)],
        {("sim", "small"): 2.0},
    ),
    (
        "each type has its own",
        [*attempt(1, "a-small-spot", 2.0), *attempt(2, "a-large-spot", 9.0)],
        {("sim", "small"): 2.0, ("sim", "large"): 9.0},
    ),
    ("without reported steps there is no rate", attempt(1, "a-small-spot", None), {}),
    ("standing still is no rate", attempt(1, "a-small-spot", 0.0), {}),
    ("a living machine is not measured yet", attempt(1, "a-small-spot", None, ended=False), {}),
]


def counted(number: int, reached: int, until: float, rate: float | None, **base: Any) -> list[dict[str, Any]]:
    """One whose training was counted from what it resumed from on."""
    first, second = attempt(number, "a-small-spot", rate, ended=False)
    at = number * 100
    resumed = {"attempt-resumed": {"attempt": number, "at": at + 1, **base}}
    gone = {"attempt-gone": {"attempt": number, "at": at + 50, "step": reached, "trained": until, "rate": rate}}
    return [first, second, resumed, gone]


FROM: dict[str, Any] = {"ref": {"attempt": 1, "seq": 1}, "source": "bucket", "step": 1000, "trained": 500.0}
CASES += [
    ("all of a training counts, not its last minute", counted(1, 2000, 1000.0, 0.1, **FROM), {("sim", "small"): 2.0}),
    ("what it resumed from is not its own", counted(1, 1600, 800.0, 9.0, **FROM), {("sim", "small"): 2.0}),
    ("from nothing it began at 0", counted(1, 900, 600.0, 1.0, trained=0.0), {("sim", "small"): 1.5}),
    ("unless that was plainly elsewhere", counted(1, 90_000, 600.0, 1.0, trained=0.0), {("sim", "small"): 1.0}),
    ("a short training has no average", counted(1, 900, 59.0, 3.0, trained=0.0), {("sim", "small"): 3.0}),
    ("steps that went back are none", counted(1, 400, 800.0, 3.0, **FROM), {("sim", "small"): 3.0}),
    ("nor is time that did", counted(1, 1600, 400.0, 3.0, **FROM), {("sim", "small"): 3.0}),
    (
        "what a job did long ago does not count",
        [e for n in range(1, 140) for e in attempt(n, "a-small-spot", 9.0 if n < 80 else 2.0)],
        {("sim", "small"): 2.0},
    ),
]


@pytest.mark.parametrize(("events", "rates"), [pytest.param(e, r, id=about) for about, e, r in CASES])
def test_rates_are_what_earlier_attempts_reached(events: list[dict[str, Any]], rates: dict[tuple[str, str], float]) -> None:
    assert measured_rates(folded([{"run-created": {}}, *events]), "racer") == pytest.approx(rates)


def test_another_jobs_rates_are_not_this_jobs() -> None:
    assert measured_rates(folded([{"run-created": {}}, *attempt(1, "a-small-spot", 2.0)]), "other") == {}


@pytest.mark.parametrize(("hourly", "rate", "price"), [(360_000, 1.0, 100_000), (500_000, 10.0, 13_889), (0, 5.0, 0)])
def test_a_thousand_steps_cost_their_share_of_an_hour(hourly: int, rate: float, price: int) -> None:
    assert work_price(hourly, rate) == price
