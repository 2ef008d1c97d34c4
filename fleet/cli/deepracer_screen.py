"""The terminal's view of a training: the page's figures, as many as there is room for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from fleet.cli.plain import plain
from fleet.cli.sparkline import sparkline
from fleet.cli.table import print_table
from fleet.report.racing.curves import Curve, curves
from fleet.report.racing.facts import facts, iteration_row, iterations_table, laps_table, lead, title, troubles_table
from fleet.report.tables import Table
from fleet.workloads.deepracer.analysis.model import IterationRow
from fleet.workloads.deepracer.analysis.scene import Scene

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

TREND = 40
"""Characters of a curve."""
ROWS, LAPS = 7, 5
IN_TERMINAL = ("Iteration", "Episodes", "Reward", "Completion", "Laps", "Best lap", "Off track", "Evaluated", "Entropy",
               "Real time", "Cost")  # fmt: skip
"""Columns that fit; `fleet deepracer stats` and the page have all."""
_LINE = ("Episodes", "Reward", "Completion", "Laps", "Best lap", "Entropy")


def head(scene: Scene, note: str = "") -> Iterator[str]:
    """What there is to say before the figures."""
    yield title(scene)
    yield lead(scene)
    yield "   ".join(f"{name.lower()} {value}" for name, value in facts(scene))
    yield from (f"! {one.message}" for one in scene.analysis.findings)
    yield from (f"? {one}" for one in scene.analysis.problems)
    if note:
        yield note


def trends(scene: Scene) -> Iterator[tuple[str, str, str]]:
    """Of each curve its name, its course as a word of blocks, and what it came to."""
    for curve in curves(scene.analysis):
        one = curve.series[0] if curve.key != "laps" else curve.series[-1]
        if one.form == "dots" or len(one.points) < 2:
            continue
        begin, end = one.points[0][0], one.points[-1][0] + 1
        yield curve.title, sparkline(one.points, begin, end, min(TREND, len(one.points))), _newest(curve, one.points)


def _newest(curve: Curve, points: tuple[tuple[float, float], ...]) -> str:
    values = [value for _, value in points]
    low, high = (f"{value:.{curve.digits}f}" for value in (min(values), max(values)))
    return f"{values[-1]:.{curve.digits}f}{curve.unit} ({low} to {high})"


def tables(scene: Scene) -> Iterator[Table]:
    """The newest iterations, the shortest laps, where cars leave the track."""
    rows = iterations_table(scene.analysis, ROWS)
    if rows is not None:
        kept = [place for place, name in enumerate(rows.head) if name in IN_TERMINAL]
        body = tuple(tuple(row[place] for place in kept) for row in rows.rows)
        yield Table(rows.caption, tuple(rows.head[place] for place in kept), body, frozenset(range(1, len(kept))))
    best = laps_table(scene.analysis, LAPS)
    if best is not None:
        yield best
    worlds = dict.fromkeys(one.track for one in scene.analysis.training)
    for world in worlds:
        left = troubles_table(scene.analysis.drives, world, LAPS)
        if left is not None:
            yield left


def print_whole(scene: Scene, note: str = "") -> None:
    """All of it once, for a pipe or a file."""
    for line in head(scene, note):
        print(plain(line))
    for name, course, newest in trends(scene):
        print(plain(f"{name:<36} {course:<{TREND}} {newest}"))
    for table in tables(scene):
        print(f"\n{plain(table.caption)}")
        print_table([table.head, *table.rows])
    sys.stdout.flush()


def line_of(row: IterationRow) -> str:
    """One iteration as a line, for where nothing can be drawn anew."""
    told = iteration_row(row, {})
    parts = [f"{name.lower()} {told[name]}" for name in _LINE if told[name] != "-"]
    return f"iteration {row.iteration}: {', '.join(parts)}"


class Screen:
    """Draws the view anew in its place, by rich; the last one stays on the terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console: Console = Console()
        self._live: Any = Live(console=self._console, auto_refresh=False, vertical_overflow="ellipsis")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, scene: Scene, note: str) -> None:
        """As it is now."""
        self._live.update(rendered(scene, note), refresh=True)


def rendered(scene: Scene, note: str) -> RenderableType:
    """For rich. Everything is text: nothing in it is taken for markup."""
    from rich.console import Group
    from rich.text import Text

    first, second, third, *rest = (plain(line) for line in head(scene, note))
    parts: list[Any] = [Text(first, style="bold"), Text(second), Text(third, style="dim")]
    parts += [Text(line, style="yellow" if line.startswith(("!", "?")) else "dim") for line in rest]
    grid = _grid(("", "", ""), [(f"{name}", course, newest) for name, course, newest in trends(scene)])
    parts += [Text(), grid]
    for table in tables(scene):
        parts += [Text(), Text(plain(table.caption), style="dim"), _grid(table.head, table.rows, table.numbers)]
    return Group(*parts)


def _grid(head: tuple[str, ...], rows: Any, numbers: frozenset[int] = frozenset()) -> Any:
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=None, show_header=any(head), pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for place, name in enumerate(head):
        grid.add_column(plain(name), justify="right" if place in numbers else "left", no_wrap=True)
    for row in rows:
        grid.add_row(*(Text(plain(cell)) for cell in row))
    return grid
