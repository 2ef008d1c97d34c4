"""How a plan tells what the whole training comes to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.cli.forecast import forecast_object, told_forecast, told_hours
from fleet.core.forecast import Forecast
from fleet.core.foretold import Elsewhere, Foretold, Later

HOUR = 3600.0
ONE = Forecast(
    cost=(14_000_000, 17_500_000, 30_000_000),
    seconds=(50 * HOUR, 51.4 * HOUR, 140 * HOUR),
    mean_cost=19_000_000,
    interruptions=3.25,
    on_demand_cost=48_000_000,
    on_demand_share=0.25,
)
DEADLINE = Foretold(
    work=48 * HOUR,
    forecast=replace(ONE, late=0.0),
    deadline=52 * HOUR,
    earliest=48.1 * HOUR,
    later=(Later(52 * HOUR, 15_000_000), Later(65 * HOUR, 12_000_000)),
    elsewhere=(Elsewhere("aws", "us-west-2", 210_000, 0.31),),
)


def test_cost_and_end_are_told_low_middle_and_high() -> None:
    lines = list(told_forecast(Foretold(48 * HOUR, ONE)))
    assert lines == [
        "costs  $17.50 with all of that; of ten tries one is below $14.00, one above $30.00 (on demand $48.00)",
        "ends   after 51h; of ten tries one is done before 50h, one after 5.8d; 3.2 interruptions on average",
        "uses   on-demand in 25% of the tries",
    ]


def test_a_forecast_by_an_earlier_run_names_it() -> None:
    lines = list(told_forecast(Foretold(48 * HOUR, ONE, "racer-1a2b")))
    assert lines[2] == "since  racer-1a2b trained 2d00h to its end; the job has no `estimate`"


def test_less_than_a_cent_is_no_nothing() -> None:
    lines = list(told_forecast(Foretold(9.0, replace(ONE, cost=(0, 375, 12_345)))))
    assert lines[0].startswith("costs  $0.0004 with all of that; of ten tries one is below $0.00, one above $0.01")


def test_a_deadline_tells_what_a_looser_one_and_another_region_save() -> None:
    lines = list(told_forecast(DEADLINE))[3:]
    assert lines == [
        "keeps  the deadline of 52h in 100.0% of the tries",
        "looser a deadline of 65h saves $3.00",
        "aws/us-west-2 would save 31% ($0.21 for an hour of training)",
    ]


def test_a_deadline_that_cannot_be_kept_is_told_with_the_earliest() -> None:
    hopeless = replace(DEADLINE, deadline=40 * HOUR, forecast=replace(ONE, late=1.0), later=DEADLINE.later[1:])
    lines = list(told_forecast(hopeless))[3:5]
    assert lines[0] == "late   the deadline of 40h cannot be kept: 48h is the earliest"
    assert lines[1] == "looser a deadline of 65h costs $12.00 on average"


def test_programs_get_numbers() -> None:
    told = forecast_object(DEADLINE)
    assert (told["total_usd"], told["late_percent"], told["earliest_deadline_seconds"]) == (
        [14.0, 17.5, 30.0],
        0.0,
        48.1 * HOUR,
    )
    assert told["later"][1] == {"deadline_seconds": 65 * HOUR, "machines_usd": 12.0}
    assert told["elsewhere"] == [
        {"provider": "aws", "region": "us-west-2", "usd_per_training_hour": 0.21, "saves_percent": 31}
    ]
    assert forecast_object(Foretold(48 * HOUR, ONE))["late_percent"] is None


@pytest.mark.parametrize(("hours", "told"), [(0.5, "30m"), (7.54, "7.5h"), (51.4, "51h"), (240, "10.0d")])
def test_times_are_told_as_people_say_them(hours: float, told: str) -> None:
    assert told_hours(hours * HOUR) == told
