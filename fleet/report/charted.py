"""The parts of a report that a chart goes with, and the figures in sum."""

from __future__ import annotations

from fleet.report.statement import PriceHistory, Statement
from fleet.report.tables import Section, Table
from fleet.report.words import (
    KINDS,
    NOTHING,
    above,
    change,
    count,
    lasted,
    mean,
    money,
    month,
    percent,
    price,
    saved,
    whole,
)

MOST_PANELS = 6
"""Types with a chart of their own; the table has the others too."""


def figures(s: Statement) -> Section:
    """The night, the days before, the month and its forecast."""
    t, m = s.totals, s.totals.month
    rows = [
        ("This night", money(t.night.paid), _against(t.night.paid, t.budget, "the day's budget")),
        ("The same on demand", money(t.night.on_demand), saved(t.night.paid, t.night.on_demand) or NOTHING),
    ]
    if t.days_before:
        rows.append((f"Average of {count(t.days_before, 'day')} before", money(t.week_before), _before(s)))
    rows.append(("Paid for nothing", money(t.wasted), f"{percent(t.wasted, t.night.paid)} of the night"))
    rows.append(("1,000 steps that were kept", money(t.per_thousand), count(t.steps, "step")))
    rows.append((f"{month(m.name)} so far", money(m.paid), _against(m.paid, m.budget, "the month's budget")))
    rows.append(("At the month's end, likely", money(m.likely), _against(m.likely, m.budget, "the month's budget")))
    rows.append(
        ("At the least, at the most", f"{money(m.low)}, {money(m.high)}", "no more machines; every day as the dearest")
    )
    told = [_known(s)] if t.night.paid else []
    kinds = ", ".join(f"{KINDS.get(kind, kind)} {money(paid)}" for kind, paid in t.night.by_kind if paid)
    if kinds:
        told.insert(0, f"Paid for: {kinds}.")
    return Section(
        "figures",
        "In sum",
        tuple(told),
        Table("The night in sum", ("What", "USD", "Compared"), tuple(rows), frozenset((1,))),
    )


def _against(paid: int, cap: int | None, what: str) -> str:
    return "no budget" if cap is None else f"{percent(paid, cap)} of {what}, {money(cap)}"


def _before(s: Statement) -> str:
    said = change(s.totals.night.paid, s.totals.week_before)
    return f"this night: {said}"


def _known(s: Statement) -> str:
    if not s.totals.night.estimated:
        return "Every amount was measured, or is a listed price."
    return f"{money(s.totals.night.estimated)} of it is estimated: nobody measured it, and no list says it."


def time_shares(s: Statement) -> Section | None:
    """What machines spent their time on."""
    total = whole(s.shares)
    if not total:
        return None
    rows = tuple((one.what, lasted(one.seconds), percent(one.seconds, total)) for one in s.shares)
    waiting = sum(run.waiting for run in s.runs)
    told = f"{lasted(total)} of machine time" + (f"; runs waited {lasted(waiting)} for machines." if waiting else ".")
    parts = ", ".join(f"{one.what} {percent(one.seconds, total)}" for one in s.shares if one.seconds > 0)
    table = Table("Machine time by what it went into", ("What", "Time", "Share"), rows, frozenset((1, 2)))
    return Section(
        "time", "Where machine time went", (told,), table, "time", f"A bar for each share of machine time: {parts}."
    )


def nights(s: Statement) -> Section | None:
    """Spending per night."""
    if not any(one.paid for one in s.days):
        return None
    kinds = kinds_of(s)
    head = ("Night", "Paid", "On demand", *(KINDS.get(kind, kind) for kind in kinds))
    rows = []
    for one in s.days:
        by = dict(one.by_kind)
        rows.append((one.date, money(one.paid), money(one.on_demand), *(money(by.get(kind, 0)) for kind in kinds)))
    least, most = min(s.days, key=lambda d: d.paid), max(s.days, key=lambda d: d.paid)
    alt = (
        f"Stacked bars: what each night cost from {s.days[0].date} to {s.days[-1].date}, by kind. The least was "
        f"{money(least.paid)} ({least.date}), the most {money(most.paid)} ({most.date}); "
        f"this night {money(s.totals.night.paid)}. A dashed line shows the same on demand."
    )
    table = Table("What each night cost", head, tuple(rows), frozenset(range(1, len(head))), long=True)
    return Section("nights", f"The last {count(len(s.days), 'night')}", (), table, "nights", alt)


def kinds_of(s: Statement) -> list[str]:
    """The kinds that something was paid for in the last weeks, the greatest first."""
    sums: dict[str, int] = {}
    for one in s.days:
        for kind, paid in one.by_kind:
            sums[kind] = sums.get(kind, 0) + paid
    return [kind for kind in sorted(sums, key=lambda kind: (-sums[kind], kind)) if sums[kind] > 0]


def panels_of(s: Statement) -> list[tuple[str, list[PriceHistory]]]:
    """Price histories by type and region, each with its zones, in the statement's order."""
    grouped: dict[str, list[PriceHistory]] = {}
    for one in s.prices:
        if one.points:
            grouped.setdefault(f"{one.instance_type}, {one.region}", []).append(one)
    return list(grouped.items())


def prices(s: Statement) -> list[Section]:
    """One table of all types used, and a chart for each of the first."""
    panels = panels_of(s)
    if not panels:
        return []
    head = ("Type and zone", "Now", "Least", "Mean", "Most", "Bid", "Above the bid", "On demand")
    rows = tuple(_history(one) for _, zones in panels for one in zones)
    table = Table("Spot prices of the types used, USD per hour", head, rows, frozenset(range(1, 8)))
    first = Section("prices", "Prices of the types used", _why(s), table)
    drawn = panels[:MOST_PANELS]
    charts = [
        Section(f"price-{n}", title, (), None, f"price-{n}", alt_of(title, zones), level=3)
        for n, (title, zones) in enumerate(drawn)
    ]
    return [first, *charts]


def _why(s: Statement) -> tuple[str, ...]:
    told = ["Dollars per hour. The bid is the most that a job pays; above it no machine can be had."]
    sources = list(dict.fromkeys(one.source for one in s.prices))
    told.append(f"From {' and '.join(sources)}.")
    if "the journal" in sources:
        told.append("The journal knows a price only while a machine ran.")
    return tuple(told)


def _history(one: PriceHistory) -> tuple[str, ...]:
    seen = [point.price for point in one.points]
    over = percent(above(one.points, one.until, one.bid), 1) if one.bid is not None else NOTHING
    amounts = (seen[-1], min(seen), mean(one.points, one.until), max(seen))
    return (
        f"{one.instance_type}, {one.zone}", *(price(value) for value in amounts), price(one.bid), over,
        price(one.on_demand),
    )  # fmt: skip


def alt_of(title: str, zones: list[PriceHistory]) -> str:
    """What a chart of prices shows, in words."""
    parts = []
    for one in zones:
        seen = [point.price for point in one.points]
        parts.append(f"{one.zone} between {price(min(seen))} and {price(max(seen))}, {price(seen[-1])} at the end")
    bids = {one.bid for one in zones if one.bid is not None}
    told = f"The bid is {price(min(bids))}." if bids else "There is no bid."
    usual = f"On demand it is {price(zones[0].on_demand)}."
    return f"Lines: the spot price of {title} over the last weeks: {'; '.join(parts)}. {told} {usual}"
