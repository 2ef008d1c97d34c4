"""How figures are told, the same in every form of a report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from fleet.model.base import Micros, Seconds
from fleet.model.cloud import PriceSince
from fleet.model.units import format_duration, format_money
from fleet.report.statement import Share, Statement

KINDS = {
    "instance": "machines",
    "volume": "volumes",
    "root-disk": "root disks",
    "address": "addresses",
    "storage": "bucket",
    "requests": "requests",
    "transfer": "transfer",
    "snapshot": "snapshots",
}
"""The ledger's kinds as people call them."""
NOTHING = "-"
MOST_PERCENT = 1000
"""More is told as so many times."""


def money(micros: Micros | None) -> str:
    """An amount; a dash where it is not known."""
    return NOTHING if micros is None else format_money(micros)


def price(micros: Micros | None) -> str:
    """Per hour, with four digits, as EC2 tells it: zones differ in the third."""
    if micros is None:
        return NOTHING
    return f"${micros / 1e6:.{2 if micros >= 10_000_000 else 4 if micros >= 1000 or micros == 0 else 6}f}"


def lasted(seconds: Seconds | None) -> str:
    """A length of time; a dash where there is none."""
    return NOTHING if seconds is None else "0" if seconds <= 0 else format_duration(seconds)


def percent(part: float, whole: float) -> str:
    """A share in whole percent, with one digit below ten; a dash of nothing."""
    if whole <= 0:
        return NOTHING
    share = 100 * part / whole
    return f"{share:.1f} %" if 0 < share < 9.95 else f"{share:.0f} %"


def change(now: Micros, before: Micros) -> str:
    """Against an earlier amount: ``12 % more``, ``8 % less``, ``as much``."""
    if not before:
        return "as much" if not now else "more than nothing"
    share = round(100 * (now - before) / before)
    if share >= MOST_PERCENT:
        return f"{now / before:,.0f} times as much"
    return "as much" if share == 0 else f"{share} % more" if share > 0 else f"{-share} % less"


def saved(paid: Micros, on_demand: Micros) -> str:
    """Of what on demand would have cost; empty where nothing would have, and told as more where it was dearer."""
    if on_demand <= 0:
        return ""
    share = round(100 * (1 - paid / on_demand))
    return f"{share} % saved" if share >= 0 else f"{-share} % dearer"


def day(text: str) -> str:
    """``2026-11-25`` as ``Wednesday 25 November 2026``."""
    known = date.fromisoformat(text)
    return f"{known:%A} {known.day} {known:%B %Y}"


def month(text: str) -> str:
    """``2026-11`` as ``November 2026``."""
    return f"{date.fromisoformat(f'{text}-01'):%B %Y}"


def clock(at: Seconds, zone: str) -> str:
    """The local time of day: ``23:14``."""
    return f"{datetime.fromtimestamp(at, ZoneInfo(zone)):%H:%M}"


def moment(at: Seconds, zone: str) -> str:
    """The local date and time."""
    return f"{datetime.fromtimestamp(at, ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def count(number: int, one: str, many: str = "") -> str:
    """``1 run``, ``2 runs``."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def whole(shares: Sequence[Share]) -> Seconds:
    """All that the shares are of."""
    return sum(share.seconds for share in shares)


def mean(points: Sequence[PriceSince], until: Seconds) -> Micros:
    """The price over time, each as long as it held."""
    ends = [*(point.at for point in points[1:]), until]
    held = [(max(0.0, end - point.at), point.price) for point, end in zip(points, ends, strict=True)]
    total = sum(seconds for seconds, _ in held)
    return round(sum(seconds * price for seconds, price in held) / total) if total else points[-1].price


def above(points: Sequence[PriceSince], until: Seconds, bid: Micros) -> float:
    """The share of the time in which the price was above a bid."""
    ends = [*(point.at for point in points[1:]), until]
    held = [(max(0.0, end - point.at), point.price > bid) for point, end in zip(points, ends, strict=True)]
    total = sum(seconds for seconds, _ in held)
    return sum(seconds for seconds, over in held if over) / total if total else 0.0


def subject(s: Statement) -> str:
    """One line that says it all: for a mail's subject."""
    if s.quiet:
        return f"fleet, {s.date}: nothing ran, and nothing was paid for"
    said = change(s.totals.night.paid, s.totals.week_before)
    than = "as before" if said.endswith("much") else "than before"
    against = f", {said} {than}" if s.totals.week_before else ""
    return f"fleet, {s.date}: {money(s.totals.night.paid)}{against}"


def short(s: Statement) -> str:
    """A line or two, where there is no room."""
    if s.quiet:
        return subject(s)
    t = s.totals
    parts = [
        f"{s.date}: {money(t.night.paid)} (on demand {money(t.night.on_demand)})",
        count(len(s.runs), "run"),
        count(len(s.interruptions), "interruption"),
        f"{money(t.wasted)} wasted",
        f"{month(t.month.name)} {money(t.month.paid)}" + (f" of {money(t.month.budget)}" if t.month.budget else ""),
    ]
    return ", ".join(parts) + "." + (f" {s.advice[0]}" if s.advice else "")
