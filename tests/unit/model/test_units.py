"""Durations, sizes and money, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.units import format_duration, format_money, parse_duration, parse_money, parse_size_gb


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("4h", 14400),
        ("7d", 604800),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("500ms", 0.5),
        ("2w", 1209600),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 minutes", "1h x", "-5m", None, True])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "gb"), [("500GB", 500), ("2TB", 2000), ("1TiB", 1100), ("10 gb", 10), ("1MB", 1), ("0.5TB", 500), (20, 20)]
)
def test_sizes_are_rounded_up_to_whole_gigabytes(text: object, gb: int) -> None:
    assert parse_size_gb(text) == gb


@pytest.mark.parametrize(
    ("text", "micros"), [("$15", 15_000_000), ("$0.30", 300_000), ("1,000 USD", 1_000_000_000), ("0.000001", 1), (7, 7)]
)
def test_money(text: object, micros: int) -> None:
    assert parse_money(text) == micros


@pytest.mark.parametrize("text", ["", "free", "$", "$1.2.3", "1e999", "nan", "inf", None])
def test_what_is_no_money(text: object) -> None:
    with pytest.raises(ValueError, match="no amount"):
        parse_money(text)


@given(st.integers(-(10**12), 10**12))
def test_money_is_never_rounded_to_nothing(micros: int) -> None:
    text = format_money(micros)
    assert (parse_money(text.replace("-", "")) == 0) == (micros == 0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0s"), (1.44, "1.4s"), (59, "59s"), (125, "2m05s"), (11_520, "3h12m"), (352_800, "4d02h")]
)
def test_durations_as_people_read_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
