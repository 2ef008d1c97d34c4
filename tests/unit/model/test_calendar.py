"""Days and months in the user's zone: they follow one another without a gap, whatever a zone does to its clock."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.calendar import (
    Span,
    clock_text,
    date_text,
    day_of,
    month_of,
    next_day,
    night_before,
    parse_since,
    previous_day,
    zone,
)
from fleet.model.errors import FleetError

HOUR = 3600.0
ODD = (
    "Africa/Cairo",  # clocks jump over midnight
    "America/Havana",  # midnight twice
    "America/Sao_Paulo",
    "America/St_Johns",  # changed at 00:01: the end of a day came again after the next had begun
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # by half an hour
    "Pacific/Apia",  # left a day out
    "Europe/Berlin",
    "UTC",
)
zones = st.sampled_from(ODD) | st.sampled_from(sorted(available_timezones() - {"localtime"}))
moments = st.floats(0.0, 4e9, allow_nan=False)


def at(text: str, name: str = "UTC") -> float:
    """A local time as seconds since 1970."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(name)).timestamp()


@given(moments, zones)
def test_days_follow_one_another_without_a_gap_or_an_overlap(moment: float, name: str) -> None:
    day = day_of(moment, name)
    assert day.start <= moment < day.end
    following, before = next_day(day, name), previous_day(day, name)
    assert following.start == day.end
    assert before.end == day.start
    assert day_of(day.start, name) == day
    assert day_of(day.end - 0.001, name) == day
    assert day_of(day.end, name) == following


@given(moments, zones)
def test_months_are_made_of_whole_days_and_follow_one_another(moment: float, name: str) -> None:
    month = month_of(moment, name)
    assert month.start <= moment < month.end
    assert month_of(month.start, name) == month
    assert month_of(month.end - 0.001, name) == month
    assert month_of(month.end, name).start == month.end
    day, days = day_of(month.start, name), 1
    while day.end < month.end:
        day, days = next_day(day, name), days + 1
    assert (day_of(month.start, name).start, day.end) == (month.start, month.end)
    assert 27 <= days <= 31  # 27: a zone has left out a day of a February, or of no month yet


@given(moments, zones)
def test_a_day_holds_the_moments_of_its_local_date(moment: float, name: str) -> None:
    day, local = day_of(moment, name), datetime.fromtimestamp(moment, ZoneInfo(name))
    assert datetime.fromtimestamp(day.start, ZoneInfo(name)).date().isoformat() == date_text(moment, name)
    assert local.date() - date.fromisoformat(date_text(moment, name)) in (timedelta(0), timedelta(days=-1))
    if name != "America/St_Johns" and local.year > 2011:
        assert local.date().isoformat() == date_text(moment, name)


@pytest.mark.parametrize(
    ("noon", "name", "hours"),
    [
        ("2026-03-29T12:00", "Europe/Berlin", 23),
        ("2026-10-25T12:00", "Europe/Berlin", 25),
        ("2026-11-25T12:00", "Europe/Berlin", 24),
        ("2026-03-08T12:00", "America/New_York", 23),
        ("2026-04-24T12:00", "Africa/Cairo", 23),
        ("2018-11-04T12:00", "America/Sao_Paulo", 23),
        ("2018-02-17T12:00", "America/Sao_Paulo", 25),
        ("2026-11-01T12:00", "America/Havana", 25),
        ("2026-04-05T12:00", "Australia/Lord_Howe", 24.5),
    ],
)
def test_a_day_is_as_long_as_its_zone_makes_it(noon: str, name: str, hours: float) -> None:
    assert day_of(at(noon, name), name).seconds == hours * HOUR


def test_a_day_whose_midnight_was_left_out_begins_where_clocks_jumped() -> None:
    day = day_of(at("2026-04-24T12:00", "Africa/Cairo"), "Africa/Cairo")
    assert clock_text(day.start, "Africa/Cairo") == "2026-04-24 01:00"
    assert clock_text(day.start - 1, "Africa/Cairo") == "2026-04-23 23:59"


def test_a_day_that_a_zone_left_out_is_nobodys() -> None:
    last = day_of(at("2011-12-29T12:00", "Pacific/Apia"), "Pacific/Apia")
    assert date_text(next_day(last, "Pacific/Apia").start, "Pacific/Apia") == "2011-12-31"
    assert date_text(last.end, "Pacific/Apia") == "2011-12-31"
    assert previous_day(day_of(last.end, "Pacific/Apia"), "Pacific/Apia") == last


def test_the_night_before_is_yesterday_whole() -> None:
    morning = at("2026-10-26T07:00", "Europe/Berlin")
    assert night_before(morning, "Europe/Berlin") == Span(at("2026-10-25T00:00", "Europe/Berlin"), at("2026-10-25T23:00"))


def test_the_month_of_a_change_of_the_clock_is_an_hour_longer() -> None:
    assert month_of(at("2026-10-31T23:30", "Europe/Berlin"), "Europe/Berlin").seconds == (31 * 24 + 1) * HOUR


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("7d", "2026-11-18T14:00"),
        ("24h", "2026-11-24T14:00"),
        (" 2026-11-01 ", "2026-11-01T00:00"),
        ("2026-11-01T08:30", "2026-11-01T08:30"),
        ("2026-10", "2026-10-01T00:00"),
        ("today", "2026-11-25T00:00"),
        ("Yesterday", "2026-11-24T00:00"),
        ("month", "2026-11-01T00:00"),
    ],
)
def test_a_time_to_count_from_is_read_in_the_users_zone(text: str, begins: str) -> None:
    now = at("2026-11-25T14:00", "Europe/Berlin")
    assert parse_since(text, now, "Europe/Berlin") == at(begins, "Europe/Berlin")


def test_a_time_that_names_its_own_zone_is_read_in_that() -> None:
    now = at("2026-11-25T14:00")
    assert parse_since("2026-11-01T08:30Z", now, "Asia/Tokyo") == at("2026-11-01T08:30")


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "-3d", "9" * 2000, "9999999d", "2027-01-01", "1e400"])
def test_what_is_no_time_to_count_from_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(FleetError) as told:
        parse_since(text, at("2026-11-25T14:00"), "UTC")
    assert told.value.hint


@pytest.mark.parametrize(
    ("name", "near"),
    [("Europe/Berln", "Europe/Berlin"), ("berlin", "Europe/Berlin"), ("new york", "America/New_York"), ("utc+1", "")],
)
def test_an_unknown_zone_is_refused_with_the_nearest_name(name: str, near: str) -> None:
    with pytest.raises(FleetError) as told:
        zone(name)
    assert near in told.value.hint


@pytest.mark.parametrize("name", ["", ".", "..", "/etc/passwd", "../x", "Europe", "a\0b", "é" * 200])
def test_what_is_no_zone_is_refused_whatever_it_is(name: str) -> None:
    with pytest.raises(FleetError):
        zone(name)


@given(moments, moments, zones)
def test_what_a_day_shares_with_a_stretch_of_time_adds_up_over_the_days(one: float, other: float, name: str) -> None:
    start = min(one, other)
    end = min(max(one, other), start + 40 * 86400)
    total, day = 0.0, day_of(start, name)
    while day.start < end:
        total += day.shared(start, end)
        day = next_day(day, name)
    assert total == pytest.approx(end - start, abs=1e-3)


@pytest.mark.parametrize("text", ["0001-01-01", "0001-01", "0001-01-01T00:00Z", "1900-01-01"])
@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "Pacific/Apia", "America/New_York"])
def test_a_time_before_all_machines_means_everything(text: str, name: str) -> None:
    """East of Greenwich the year 1 begins in the year 0, which no date can name."""
    assert parse_since(text, at("2026-11-25T14:00"), name) == 0.0
