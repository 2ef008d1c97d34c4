"""Spot prices over time as a page of its own: drawings in SVG and a table each, nothing that is fetched from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from html import escape

from fleet.cli.price_words import told_price, told_sources
from fleet.cli.sparkline import means
from fleet.model.base import Micros
from fleet.model.units import format_money
from fleet.providers.priced import Overview, Row, accelerators
from fleet.report.palette import COLOURS, DARK

WIDTH, HEIGHT = 760, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 12, 28
HOUR, DAY = 3600.0, 86400.0


Scale = Callable[[float], float]
"""From a time or a price to a place in the drawing."""


@dataclass(frozen=True, slots=True)
class Line:
    """One zone's price."""

    zone: str
    points: Sequence[tuple[float, Micros]]
    """Each holds until the next, the last until now."""

    @property
    def now(self) -> Micros:
        """The last."""
        return self.points[-1][1]


@dataclass(frozen=True, slots=True)
class Panel:
    """One type in one region."""

    title: str
    on_demand: Micros | None
    lines: tuple[Line, ...]

    @property
    def top(self) -> float:
        """The highest price that must be seen."""
        return max([price for line in self.lines for _, price in line.points] + [self.on_demand or 0])


def panels(seen: Overview) -> list[Panel]:
    """A panel for each type and region that has a history, the cheapest first."""
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in seen.rows:
        if row.points:
            grouped.setdefault((row.instance_type, row.region), []).append(row)
    return [_panel(rows) for rows in grouped.values()]


def _panel(rows: Sequence[Row]) -> Panel:
    first = rows[0]
    devices = accelerators(first.facts)
    what = f", {len(devices)} x {devices[0]}" if devices else ""
    lines = tuple(Line(row.zone, row.points) for row in sorted(rows, key=lambda row: row.zone))
    return Panel(
        f"{first.instance_type}{what}, {first.region}", first.on_demand.price if first.on_demand else None, lines
    )  # fmt: skip


def ticks(top: float) -> list[float]:
    """Three to six round numbers from zero to not below the highest price, in dollars."""
    step = 10.0**-6
    while top / step > 5:
        for factor in (2, 2.5, 2):  # 1, 2, 5, 10 …
            step *= factor
            if top / step <= 5:
                break
    return [number * step for number in range(math.ceil(top / step - 1e-9) + 1)]


def days(since: float, until: float) -> list[tuple[float, str]]:
    """Where the time axis is marked, and how: full days, for two days or fewer every six hours (UTC)."""
    step = DAY * max(1, round((until - since) / DAY / 7)) if until - since > 2.5 * DAY else 6 * HOUR
    first = -(-since // step) * step
    form = "%d %b" if step >= DAY else "%a %H:%M"
    count = int((until - first) // step) + 1
    return [(at, f"{datetime.fromtimestamp(at, timezone.utc):{form}}") for at in (first + n * step for n in range(count))]


def page(seen: Overview, drawn: Sequence[Panel]) -> str:
    """The whole document."""
    parts = "\n".join(_section(seen, panel) for panel in drawn)
    when = f"{datetime.fromtimestamp(seen.at, timezone.utc):%Y-%m-%d %H:%M} UTC"
    count = round((seen.at - seen.since) / DAY)
    sources = "".join(f"<p>{escape(line)}</p>" for line in told_sources(seen))
    colours = "".join(f".c{n}{{stroke:{c};--c:{c}}}" for n, c in enumerate(COLOURS))
    dark = "".join(f".c{n}{{stroke:{c};--c:{c}}}" for n, c in enumerate(DARK))
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>EC2 spot prices, {when}</title>
<style>
:root{{color-scheme:light dark;--ink:#222;--soft:#666;--grid:#e4e4e4;--ground:#fff}}
body{{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:{WIDTH}px;
margin:2rem auto;padding:0 1rem}}
h1{{font-size:1.3rem}} h2{{font-size:1.05rem;margin:2.2rem 0 .3rem}} p{{color:var(--soft);margin:.2rem 0}}
svg{{width:100%;height:auto;overflow:visible}} text{{fill:var(--soft);font-size:12px}}
.grid{{stroke:var(--grid)}} .line{{fill:none;stroke-width:2;stroke-linejoin:round}}
.halo{{paint-order:stroke;stroke:var(--ground);stroke-width:4px}}
.usual{{stroke:var(--soft);stroke-dasharray:5 4;stroke-width:1.5}}
table{{border-collapse:collapse;font-variant-numeric:tabular-nums}} td,th{{padding:.1rem .9rem .1rem 0;text-align:right}}
th{{font-weight:500;color:var(--soft)}} td:first-child,th:first-child{{text-align:left}}
i{{display:inline-block;width:1.1em;height:.22em;margin-right:.5em;vertical-align:.25em;background:var(--c)}}
{colours}
@media(prefers-color-scheme:dark){{:root{{--ink:#e8e8e8;--soft:#a0a0a0;--grid:#3a3a3a;--ground:#181818}}{dark}}}
</style>
<h1>EC2 spot prices</h1>
<p>Dollars per hour, Linux, over {"a day" if count == 1 else f"{count} days"} until {when}. Dashed: on demand.</p>
{parts}
<h2>Where the figures come from</h2>
{sources}
</html>
"""


def _section(seen: Overview, panel: Panel) -> str:
    rows = "".join(_table_row(seen, panel, number, line) for number, line in enumerate(panel.lines))
    return f"""<section>
<h2>{escape(panel.title)}</h2>
{_svg(seen, panel)}
<table><tr><th>zone</th><th>now</th><th>lowest</th><th>mean</th><th>highest</th><th>saved now</th></tr>{rows}</table>
</section>"""


def _table_row(seen: Overview, panel: Panel, number: int, line: Line) -> str:
    prices = [price for _, price in line.points]
    mean = means(line.points, max(seen.since, line.points[0][0]), seen.at, 1)[0] if seen.at > line.points[0][0] else line.now
    cells = [told_price(value) for value in (line.now, min(prices), round(mean or line.now), max(prices))]
    saved = f"{100 * (1 - line.now / panel.on_demand):.0f}%" if panel.on_demand else "-"
    zone = f'<td class="c{number % len(COLOURS)}"><i></i>{escape(line.zone)}</td>'
    return f"<tr>{zone}{''.join(f'<td>{cell}</td>' for cell in (*cells, saved))}</tr>"


def _svg(seen: Overview, panel: Panel) -> str:
    marks = ticks(panel.top / 1e6)
    high = marks[-1] or 1.0

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - seen.since) / (seen.at - seen.since)

    def y(dollars: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * dollars / high

    def drawing() -> Iterator[str]:
        for value in marks:
            yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
            told = format_money(round(value * 1e6))
            yield f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{told}</text>'
        for at, told in days(seen.since, seen.at):
            yield f'<text x="{x(at):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{told}</text>'
        if panel.on_demand:
            level = y(panel.on_demand / 1e6)
            yield f'<line class="usual" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{level:.1f}" y2="{level:.1f}"/>'
        for number, line in enumerate(panel.lines):
            path = _steps(line, seen.at, x, y)
            told = f"{line.zone}: {told_price(line.now)} now"
            yield f'<path class="line c{number % len(COLOURS)}" d="{path}"><title>{escape(told)}</title></path>'
        if panel.on_demand:
            place = f'x="{WIDTH - RIGHT}" y="{y(panel.on_demand / 1e6) - 5:.1f}"'
            yield f'<text class="halo" {place} text-anchor="end">on demand {told_price(panel.on_demand)}</text>'

    label = escape(f"Spot price of {panel.title} over time; the table below has the figures")
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(drawing())}</svg>'


def _steps(line: Line, until: float, x: Scale, y: Scale) -> str:
    """A price holds until the next: level, then straight up or down."""
    (at, price), *rest = line.points
    path = f"M{x(at):.1f} {y(price / 1e6):.1f}"
    for when, price in rest:
        path += f"H{x(when):.1f}V{y(price / 1e6):.1f}"
    return f"{path}H{x(until):.1f}"
