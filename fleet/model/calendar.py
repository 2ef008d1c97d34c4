"""Days and months as the user's own calendar has them: a night is the user's night, and a month ends at their midnight.

A day begins at the first moment whose local date is that day's, and lasts until the next one begins: 23 or 25 hours where
clocks change, so that days follow one another without a gap and without an overlap, whatever a zone does to its clock.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from fleet.model.base import Seconds
from fleet.model.errors import FleetError
from fleet.model.units import MOST_CHARACTERS, parse_duration

_DAY = timedelta(days=1)
_ONE_MONTH = re.compile(r"\d{4}-\d{2}")


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start`` until just before ``end``."""

    start: Seconds
    end: Seconds

    @property
    def seconds(self) -> Seconds:
        """How long it lasts."""
        return self.end - self.start

    def holds(self, at: Seconds) -> bool:
        """Whether a moment lies in it."""
        return self.start <= at < self.end

    def shared(self, start: Seconds, end: Seconds) -> Seconds:
        """How much of some stretch of time lies in it."""
        return max(0.0, min(end, self.end) - max(start, self.start))


def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name, as ``Europe/Berlin``. Raises FleetError, with names that are near, for any other."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # a folder of names, a path, or nothing
        raise FleetError(f"{name[:80]!r} is no time zone", _nearest(name[:80])) from None


def _nearest(name: str) -> str:
    known = {one.lower(): one for one in available_timezones()}
    cities = {one.rpartition("/")[2]: one for one in sorted(known)}
    word = name.strip().lower().replace(" ", "_")
    near = difflib.get_close_matches(word, known, n=2) or [cities[c] for c in difflib.get_close_matches(word, cities, n=2)]
    said = " or ".join(known[one] for one in near)
    return f"Did you mean {said}?" if near else "Name one of the IANA database, for example Europe/Berlin or UTC."


@lru_cache(maxsize=4096)
def _begins(day: date, zone_name: str) -> Seconds:
    """The first moment whose local date is ``day``, or later where a zone has left the day out."""
    of = zone(zone_name)
    midnight = datetime.combine(day, time(), of)
    found = midnight.timestamp()  # of two midnights the first
    if datetime.fromtimestamp(found, of).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return found
    early, late = int(midnight.replace(fold=1).timestamp()) - 1, int(found)  # clocks jumped over midnight, in between
    while late - early > 1:
        middle = (early + late) // 2
        early, late = (early, middle) if datetime.fromtimestamp(middle, of).date() >= day else (middle, late)
    return float(late)


def _date_of(at: Seconds, zone_name: str) -> date:
    """The day that a moment lies in: the local date, but where a clock that is set back would repeat the end of a day."""
    day = datetime.fromtimestamp(at, zone(zone_name)).date()
    while at < _begins(day, zone_name):
        day -= _DAY
    while at >= _begins(day + _DAY, zone_name):
        day += _DAY
    return day


def day_of(at: Seconds, zone: str) -> Span:
    """The local calendar day that a moment lies in: 23 or 25 hours at a change of the clock."""
    day = _date_of(at, zone)
    return Span(_begins(day, zone), _begins(day + _DAY, zone))


def month_of(at: Seconds, zone: str) -> Span:
    """The local calendar month that a moment lies in."""
    first = _date_of(at, zone).replace(day=1)
    return Span(_begins(first, zone), _begins((first + 31 * _DAY).replace(day=1), zone))


def next_day(span: Span, zone: str) -> Span:
    """The day that begins where ``span`` ends."""
    return day_of(span.end, zone)


def previous_day(span: Span, zone: str) -> Span:
    """The day that ends where ``span`` begins."""
    return day_of(span.start - 1.0, zone)


def night_before(at: Seconds, zone: str) -> Span:
    """Yesterday, whole."""
    return previous_day(day_of(at, zone), zone)


def date_text(at: Seconds, zone: str) -> str:
    """The local date of a moment, as ``2026-11-25``."""
    return _date_of(at, zone).isoformat()


def clock_text(at: Seconds, zone_name: str) -> str:
    """The local date and time of a moment, as ``2026-11-25 14:05``."""
    return datetime.fromtimestamp(at, zone(zone_name)).strftime("%Y-%m-%d %H:%M")


def parse_since(text: str, now: Seconds, zone: str) -> Seconds:
    """The moment that ``7d``, ``24h``, ``2026-11-01``, ``2026-11``, ``today``, ``yesterday`` or ``month`` begins at.

    A duration counts back from ``now``; the rest begins at a local midnight. What is older than 1970 is 1970: there was
    nothing to pay for. Raises FleetError.
    """
    word = text.strip().lower()
    named = {
        "today": lambda: day_of(now, zone).start,
        "yesterday": lambda: night_before(now, zone).start,
        "month": lambda: month_of(now, zone).start,
    }
    try:
        found = named[word]() if word in named else _written(word, now, zone)
    except (ValueError, OverflowError):  # before the year 1, somewhere
        found = 0.0
    if found is None:
        told = "Write for example 7d, 24h, 2026-11-01, yesterday or month."
        raise FleetError(f"{text[:80]!r} is neither a length of time nor a date", told)
    if found > now:
        raise FleetError(f"{text[:80]!r} lies in the future", "Name a time that has begun.")
    return max(0.0, found)


def _written(word: str, now: Seconds, zone_name: str) -> Seconds | None:
    """A date, a month, a time of a day, or how long ago."""
    if len(word) > MOST_CHARACTERS:
        return None
    try:
        when = datetime.fromisoformat(f"{word}-01" if _ONE_MONTH.fullmatch(word) else word.upper().replace("Z", "+00:00"))
    except ValueError:
        return _ago(word, now)
    if when.tzinfo is None and when.time() == time():
        return _begins(when.date(), zone_name)
    return (when if when.tzinfo else when.replace(tzinfo=zone(zone_name))).astimezone(timezone.utc).timestamp()


def _ago(word: str, now: Seconds) -> Seconds | None:
    try:
        seconds = parse_duration(word)
    except ValueError:
        return None
    return now - seconds if seconds <= now else None
