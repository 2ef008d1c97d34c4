"""What a job came to under each policy, as a page of its own: how often which cost, and which time. Nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from fleet.backtest.policies import ABOUT
from fleet.backtest.table import at
from fleet.cli.price_plot import ticks
from fleet.model.units import format_duration, format_money
from fleet.report.palette import COLOURS, DARK

if TYPE_CHECKING:
    from fleet.cli.simulate_job import Tried

WIDTH, ROW, LEFT, RIGHT, BOTTOM = 760, 64, 96, 16, 30
BARS = 60


def page(tried: Tried) -> str:
    """The whole document."""
    job, count = tried.job, len(next(iter(tried.outcomes.values())))
    costs = {name: [one.cost / 1e6 for one in of] for name, of in tried.outcomes.items()}
    ends = {name: [one.finish / 3600 for one in of if one.finish is not None] for name, of in tried.outcomes.items()}
    limit = tried.deadline / 3600 if tried.deadline is not None else None
    colours = "".join(f".c{n}{{fill:{c};--c:{c}}}" for n, c in enumerate(COLOURS))
    dark = "".join(f".c{n}{{fill:{c};--c:{c}}}" for n, c in enumerate(DARK))
    notes = "".join(f"<p>{escape(note)}</p>" for note in tried.market.notes)
    by = f" by a deadline of {format_duration(tried.deadline)}" if tried.deadline is not None else ""
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(job.name)}, tried {count} times</title>
<style>
:root{{color-scheme:light dark;--ink:#222;--soft:#666;--grid:#e4e4e4;--ground:#fff}}
body{{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:{WIDTH}px;
margin:2rem auto;padding:0 1rem}}
h1{{font-size:1.3rem}} h2{{font-size:1.05rem;margin:2.2rem 0 .3rem}} p{{color:var(--soft);margin:.2rem 0}}
svg{{width:100%;height:auto;overflow:visible}} text{{fill:var(--soft);font-size:12px}}
.grid{{stroke:var(--grid)}} .middle{{stroke:var(--ink);stroke-width:2}}
.limit{{stroke:var(--soft);stroke-dasharray:5 4;stroke-width:1.5}}
table{{border-collapse:collapse;font-variant-numeric:tabular-nums}} td,th{{padding:.1rem .9rem .1rem 0;text-align:right}}
th{{font-weight:500;color:var(--soft)}} td:first-child,th:first-child{{text-align:left}}
{colours}
@media(prefers-color-scheme:dark){{:root{{--ink:#e8e8e8;--soft:#a0a0a0;--grid:#3a3a3a;--ground:#181818}}{dark}}}
</style>
<h1>{escape(job.name)}: {escape(format_duration(job.estimate or 0))} of work{escape(by)}</h1>
<p>Each policy was tried {count} times on the market {escape(tried.market.name)}; the upright line is the middle.</p>
<h2>Cost</h2>
{_drawing(costs, "Cost of each policy's runs", _money, None)}
<h2>Time to the end</h2>
{_drawing(ends, "Time that each policy's runs took", _hours, limit)}
<h2>In figures</h2>
<table><tr><th>policy</th><th>cost</th><th>5 to 95 %</th><th>finish</th><th>late</th><th></th></tr>{_rows(tried)}</table>
{notes}
</html>
"""


def _money(dollars: float) -> str:
    return format_money(round(dollars * 1e6))


def _hours(hours: float) -> str:
    return format_duration(hours * 3600) if hours else "0"


def _rows(tried: Tried) -> str:
    rows = []
    for one in tried.summaries:
        low, middle, high = (format_money(value) for value in one.cost)
        finish = format_duration(one.finish[1]) if one.finish is not None else "never"
        late = f"{one.late} of {one.runs}" if tried.deadline is not None else "-"
        cells = (one.policy, middle, f"{low} to {high}", finish, late, ABOUT[one.policy])
        rows.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    return "".join(rows)


def _drawing(values: dict[str, list[float]], label: str, told: Callable[[float], str], limit: float | None) -> str:
    """A row of bars for each policy, over one axis."""
    top = max([value for of in values.values() for value in of] + [limit or 0.0, 1e-6])
    marks = ticks(top)
    high, height = marks[-1], ROW * len(values) + BOTTOM

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * value / high

    def parts() -> Iterator[str]:
        for mark in marks:
            yield f'<line class="grid" x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="0" y2="{height - BOTTOM}"/>'
            yield f'<text x="{x(mark):.1f}" y="{height - 10}" text-anchor="middle">{escape(told(mark))}</text>'
        for number, (name, of) in enumerate(values.items()):
            yield from _bars(name, number, of, high, x, told)
        if limit is not None:
            yield f'<line class="limit" x1="{x(limit):.1f}" x2="{x(limit):.1f}" y1="0" y2="{height - BOTTOM}"/>'
            yield f'<text x="{x(limit) - 4:.1f}" y="11" text-anchor="end">deadline</text>'

    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">{"".join(parts())}</svg>'


def _bars(
    name: str, number: int, of: Sequence[float], high: float, x: Callable[[float], float], told: Callable[[float], str]
) -> Iterator[str]:
    bottom = ROW * (number + 1) - 4
    yield f'<text x="{LEFT - 10}" y="{bottom - 4}" text-anchor="end">{escape(name)}</text>'
    if not of:
        yield f'<text x="{LEFT + 4}" y="{bottom - 4}">no run finished</text>'
        return
    counts = [0] * BARS
    for value in of:
        counts[min(BARS - 1, int(value / high * BARS))] += 1
    for index, count in enumerate(counts):
        if count:
            tall = (ROW - 14) * count / max(counts)
            place = f'x="{x(high * index / BARS):.1f}" y="{bottom - tall:.1f}" width="{x(high / BARS) - LEFT - 1:.1f}"'
            span = f"{told(high * index / BARS)} to {told(high * (index + 1) / BARS)}: {count} of {len(of)}"
            yield f'<rect class="c{number % len(COLOURS)}" {place} height="{tall:.1f}"><title>{escape(span)}</title></rect>'
    middle = x(at(of, 0.5))
    yield f'<line class="middle" x1="{middle:.1f}" x2="{middle:.1f}" y1="{bottom - ROW + 8}" y2="{bottom}"/>'
