"""The charts of a report, by matplotlib: readable in black and white (patterns, kinds of lines), their figures in tables.

In SVG every colour is a variable of the page's: the same drawing does for light and dark. PNGs are for mail, on white.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fleet.model.calendar import day_of
from fleet.model.cloud import PriceSince
from fleet.model.units import format_money
from fleet.report.charted import MOST_PANELS, kinds_of, panels_of
from fleet.report.palette import COLOURS, DASHES, HATCHES
from fleet.report.statement import PriceHistory, Statement
from fleet.report.words import KINDS, lasted, percent, price, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, GRID, GROUND = "#1f1e1d", "#5c5b59", "#dedcda", "#fffffe"
"""Sentinels too: no series has these. GROUND is what lies behind."""
WIDTH = 8.6
"""Inches."""
STRETCHES = 140
"""Of the time in a chart of prices, that are told apart."""
MOST_ZONES = len(DASHES)
"""Lines in one chart; the table has the others too."""


def drawable() -> bool:
    """Whether matplotlib is installed."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def figures(s: Statement) -> Iterator[tuple[str, Figure]]:
    """Each chart under the name that its section has. Needs matplotlib."""
    if whole(s.shares):
        yield "time", _time(s)
    if any(one.paid for one in s.days):
        yield "nights", _nights(s)
    for number, (_, zones) in enumerate(panels_of(s)[:MOST_PANELS]):
        yield f"price-{number}", _prices(s, zones)


def _blank(height: float) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor=GROUND)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_facecolor(GROUND)
    axes.tick_params(colors=SOFT, labelcolor=INK, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(SOFT)
    axes.set_axisbelow(True)
    return figure, axes


def _legend(axes: Axes, **where: object) -> None:
    legend = axes.legend(frameon=False, fontsize=8.5, labelcolor=INK, handlelength=2.8, handleheight=1.2, **where)
    legend.set_zorder(5)


def _time(s: Statement) -> Figure:
    shares = [one for one in s.shares if one.seconds > 0]
    total = whole(s.shares)
    figure, axes = _blank(0.7 + 0.34 * len(shares))
    for row, one in enumerate(shares):
        axes.barh(row, one.seconds / total, height=0.66, color=COLOURS[0], edgecolor=INK, hatch="" if not row else "///")
        axes.annotate(
            f"{percent(one.seconds, total)}, {lasted(one.seconds)}", (one.seconds / total, row),
            xytext=(5, 0), textcoords="offset points", va="center", fontsize=9, color=INK,
        )  # fmt: skip
    axes.set_yticks(range(len(shares)), [one.what for one in shares])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.18)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.grid(axis="x", color=GRID)
    return figure


def _nights(s: Statement) -> Figure:
    figure, axes = _blank(3.0)
    places = list(range(len(s.days)))
    below = [0.0] * len(s.days)
    for number, kind in enumerate(kinds_of(s)):
        paid = [dict(one.by_kind).get(kind, 0) / 1e6 for one in s.days]
        axes.bar(
            places, paid, bottom=below, width=0.78, label=KINDS.get(kind, kind), color=COLOURS[number % len(COLOURS)],
            edgecolor=INK, linewidth=0.6, hatch=HATCHES[number % len(HATCHES)],
        )  # fmt: skip
        below = [a + b for a, b in zip(below, paid, strict=True)]
    twins = [one.on_demand / 1e6 for one in s.days]
    axes.plot(places, twins, color=INK, linestyle=(0, (5, 2)), linewidth=1.3, marker="o", markersize=3, label="on demand")
    marks = [n for n in places if (len(places) - 1 - n) % 7 == 0]
    axes.set_xticks(marks, [f"{datetime.fromisoformat(s.days[n].date):%d %b}" for n in marks])
    axes.set_xlim(-0.7, len(places) - 0.3)
    _dollars(axes)
    _legend(axes, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=5)
    return figure


def _dollars(axes: Axes) -> None:
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=GRID)
    axes.yaxis.set_major_formatter(lambda value, _: format_money(round(value * 1e6)))


def _prices(s: Statement, zones: list[PriceHistory]) -> Figure:
    figure, axes = _blank(2.7)
    since = min(one.points[0].at for one in zones)
    until = max(one.until for one in zones)
    for number, one in enumerate(zones[:MOST_ZONES]):
        points = thinned(one.points, since, until)
        times = [point.at for point in points] + [one.until]
        seen = [point.price / 1e6 for point in points] + [points[-1].price / 1e6]
        axes.step(
            times, seen, where="post", color=COLOURS[number], linestyle=DASHES[number], linewidth=1.7,
            label=f"{one.zone} {price(one.points[-1].price)}",
        )  # fmt: skip
    bids = {one.bid for one in zones if one.bid is not None}
    if bids:
        axes.axhline(min(bids) / 1e6, color=INK, linewidth=2.2, linestyle=(0, (2, 1)), label=f"bid {price(min(bids))}")
    usual = zones[0].on_demand
    axes.axhline(usual / 1e6, color=SOFT, linewidth=1.2, linestyle=(0, (1, 3)), label=f"on demand {price(usual)}")
    _dollars(axes)
    ran = together([(max(start, since), end) for one in zones for start, end in one.used if end > since])
    if ran:
        high = axes.get_ylim()[1]
        axes.broken_barh([(start, end - start) for start, end in ran], (0, high * 0.03), color=INK, label="machines ran")
        axes.set_ylim(0, high)
    marks = _days(since, until, s.zone)
    axes.set_xticks([at for at, _ in marks], [told for _, told in marks])
    axes.set_xlim(since, until if until > since else since + 1)
    _legend(axes, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def together(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Stretches of time that touch as one."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def thinned(points: Sequence[PriceSince], since: float, until: float) -> Sequence[PriceSince]:
    """As many as can be seen: of each short stretch the lowest, the highest and the last."""
    if len(points) <= 3 * STRETCHES:
        return points
    width, kept = (until - since) / STRETCHES, dict[float, PriceSince]()
    for _, some in groupby(points, key=lambda one: (one.at - since) // width):
        here = list(some)
        for one in (min(here, key=lambda p: p.price), max(here, key=lambda p: p.price), here[-1]):
            kept[one.at] = one
    return sorted(kept.values(), key=lambda one: one.at)


def _days(since: float, until: float, zone: str) -> list[tuple[float, str]]:
    """Where the time axis is marked: seven local midnights at most."""
    step = max(1, round((until - since) / 86400 / 7))
    day = datetime.fromtimestamp(day_of(since, zone).end + 1, ZoneInfo(zone)).date()
    found: list[tuple[float, str]] = []
    while True:
        at = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp()
        if at > until:
            return found
        found.append((at, f"{day:%d %b}"))
        day += timedelta(days=step)
