"""Durations as ``90s, 15m, 4h, 7d``, sizes as ``500GB``, money as ``$15``: how people write them, and as numbers."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timezone
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*(MB|GB|TB|MiB|GiB|TiB)$", re.IGNORECASE)
_GIGABYTES = {"mb": 0.001, "gb": 1, "tb": 1000, "mib": 1.048576e-3, "gib": 1.073741824, "tib": 1099.511627776}
MOST_CHARACTERS = 1000
"""Of a quantity: looking for its parts in a longer text takes long."""
MICROS_PER_DOLLAR = 1_000_000
MOST_MICROS = 10**15
"""A billion dollars is a slip of the pen."""


def parse_duration(value: Any) -> float:
    """Seconds of ``90s``, ``1h30m`` or a number of seconds. Raises ValueError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _float(value)
    text = str(value).strip()
    parts = _DURATION.findall(text) if len(text) <= MOST_CHARACTERS else []
    if not parts or _DURATION.sub("", text).strip():
        raise ValueError(f"{str(value)[:80]!r} is no duration; write for example 90s, 15m, 4h or 7d")
    return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))


def parse_deadline(value: Any) -> float | str:
    """Seconds of a duration, or an absolute time, in UTC, of ``2026-11-27 08:00`` (of this computer's zone, unless it names
    one). Raises ValueError.
    """
    if isinstance(value, datetime):
        return _in_utc(value)
    if isinstance(value, date):
        return _in_utc(datetime.combine(value, time()))
    if not isinstance(value, str) or len(value) > MOST_CHARACTERS or _DURATION.search(value.strip()):
        seconds = parse_duration(value)
        if not seconds > 0:
            raise ValueError(f"{str(value)[:80]!r} is no time at all")
        return seconds
    try:
        return _in_utc(datetime.fromisoformat(value.strip().replace("Z", "+00:00")))
    except ValueError:
        told = "is neither a duration nor a time; write for example 12h, 2d or 2026-11-27 08:00"
        raise ValueError(f"{value[:80]!r} {told}") from None


def _in_utc(when: datetime) -> str:
    try:
        return when.astimezone(timezone.utc).isoformat(timespec="seconds")
    except (OverflowError, OSError, ValueError):
        raise ValueError(f"{when} is too far away") from None


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError("the number is too large") from None


def parse_size_gb(value: Any) -> int:
    """Whole gigabytes (10^9 bytes, rounded up) of ``500GB`` or ``1TiB``, or a number of GB. Raises ValueError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return -int(-_float(value) // 1)
    match = _SIZE.match(str(value).strip())
    if not match:
        raise ValueError(f"{value!r} is no size; write for example 500GB or 2TB")
    size = float(match[1]) * _GIGABYTES[match[2].lower()]
    if size == float("inf"):
        raise ValueError(f"{str(value)[:40]!r}… is no size")
    return -int(-size // 1)


def parse_money(value: Any) -> int:
    """Micro-dollars of ``$15`` or ``15 USD``; a whole number is taken as micro-dollars already. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = str(value).strip().removesuffix("USD").strip().removeprefix("$").replace(",", "")
    try:
        micros = Decimal(text) * MICROS_PER_DOLLAR
        if not abs(micros) < MOST_MICROS:
            raise ValueError(text)
        return int(micros.to_integral_value())
    except (InvalidOperation, OverflowError, ValueError):
        raise ValueError(f"{value!r} is no amount of money; write for example $15 or $0.30") from None


def parse_share(value: Any) -> float:
    """A share above 0 and up to 1, of ``25%`` or of such a number. Raises ValueError."""
    text = str(value).strip()
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if isinstance(value, bool) or not 0 < share <= 1:
        raise ValueError(f"{value!r} is no share; write for example 25%")
    return share


def format_money(micros: int) -> str:
    """``$1.23``, with four digits below ten cents and six below a hundredth of a cent: never rounded to nothing."""
    dollars = Decimal(micros) / MICROS_PER_DOLLAR
    digits = 2 if micros == 0 or abs(micros) >= 100_000 else 4 if abs(micros) >= 100 else 6
    return f"${dollars:.{digits}f}" if micros >= 0 else f"-${-dollars:.{digits}f}"


def format_duration(seconds: float) -> str:
    """``1.4s``, ``2m05s``, ``3h12m``, ``4d02h``."""
    if seconds < 60:
        return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def format_bytes(size: float) -> str:
    """``850 B``, ``3.1 MB``, ``12 GB``: decimal, as clouds and disks count."""
    power = next((power for power in range(4) if size < 1000 ** (power + 1)), 4)
    value = size / 1000**power
    return f"{value:.{1 if power and value < 10 else 0}f} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]
Deadline = Annotated[float | str, BeforeValidator(parse_deadline)]
"""Seconds from the run's creation, or a time in UTC, as ``2026-11-27T07:00:00+00:00``."""
SizeGB = Annotated[int, BeforeValidator(parse_size_gb), Field(gt=0)]
Share = Annotated[float, BeforeValidator(parse_share)]
Money = Annotated[int, BeforeValidator(parse_money), Field(ge=0)]
