"""The same as a picture, by matplotlib: maps below one another, curves two in a row."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fleet.report.charts import GRID, GROUND, INK, SOFT
from fleet.report.palette import COLOURS
from fleet.report.pictures import drawing, png
from fleet.report.racing.curves import Curve, curves
from fleet.report.racing.facts import lead, title
from fleet.report.racing.ground import NAMES, best_told
from fleet.report.racing.style import HEAT
from fleet.workloads.deepracer.analysis.heat import MEASURES, Measure, graded, squares
from fleet.workloads.deepracer.analysis.scene import Ground, Scene, ends

if TYPE_CHECKING:
    from matplotlib.figure import Figure

What = Literal["speed", "time", "reward", "off-track", "laps", "curves"]
WHATS: tuple[What, ...] = ("speed", "time", "reward", "off-track", "laps", "curves")
USUAL: tuple[What, ...] = ("speed", "off-track", "laps", "curves")
"""What is drawn if nothing is asked for: the page has it all."""
WIDTH, LOW, HIGH = 10.0, 2.5, 5.6
"""Inches: of all, of a row of curves, and of a map at the most."""
_DASH = {"line": "solid", "dashed": (0, (6, 2)), "dots": "none"}


@dataclass(frozen=True)
class _Map:
    """One to be drawn."""

    ground: Ground
    measure: Measure | None
    """None: only where cars left it."""


def picture(scene: Scene, what: Collection[What]) -> bytes | None:
    """A PNG; None: of what was asked for there is nothing. Needs matplotlib."""
    maps = list(_maps(scene, what))
    drawn = [one for one in curves(scene.analysis) if ("laps" if one.key == "laps" else "curves") in what]
    if not maps and not drawn:
        return None
    with drawing():
        return png(_figure(scene, maps, drawn))


def _maps(scene: Scene, what: Collection[What]) -> Iterator[_Map]:
    for ground in scene.grounds:
        if ground.heat.steps:
            yield from (_Map(ground, measure) for measure in MEASURES if measure in what)
        if "off-track" in what and ends(scene.analysis.drives, ground.world):
            yield _Map(ground, None)


def _figure(scene: Scene, maps: Sequence[_Map], drawn: Sequence[Curve]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = -(-len(drawn) // 2)
    heights = [_height(one.ground) for one in maps] + [LOW] * lines
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.8), layout="constrained", facecolor=GROUND)
    FigureCanvasAgg(figure)
    figure.suptitle(f"{title(scene)}\n{lead(scene)}", fontsize=11, color=INK, wrap=True)
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    for row, one in enumerate(maps):
        _map(figure, figure.add_subplot(grid[row, :]), one, ends(scene.analysis.drives, one.ground.world))
    for number, curve in enumerate(drawn):
        last = number == len(drawn) - 1 and number % 2 == 0  # alone in its row
        place = grid[len(maps) + number // 2, :] if last else grid[len(maps) + number // 2, number % 2]
        _curve(figure.add_subplot(place), curve)
    return figure


def _extent(ground: Ground) -> tuple[float, float]:
    of = squares(ground.heat)
    if ground.borders is not None:
        width, height = np.ptp(ground.borders.outer, axis=0).tolist()
        return width, height
    return (of.columns * of.edge, of.rows * of.edge) if of is not None else (1.0, 1.0)


def _height(ground: Ground) -> float:
    """As high as the track is at the whole width, within limits."""
    width, height = _extent(ground)
    return float(min(HIGH, max(LOW, (WIDTH - 2.0) * height / max(width, 1e-9))) + 0.5)


def _axes(axes: Any) -> None:
    axes.set_facecolor(GROUND)
    axes.tick_params(colors=SOFT, labelcolor=INK, labelsize=8.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(SOFT)
    axes.set_axisbelow(True)


def _map(figure: Figure, axes: Any, one: _Map, left: Sequence[tuple[float, float]]) -> None:
    ground, lines = one.ground, one.ground.borders
    _axes(axes)
    if lines is not None:
        for line in (lines.inner, lines.outer):
            axes.plot(*line.T, color=SOFT, linewidth=1.1)
        begin, ahead = lines.centre[0], lines.centre[min(3, len(lines.centre) - 1)]
        axes.annotate("", ahead, begin, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.6}, zorder=6)
    world = ground.world or "the track"
    if one.measure is not None:
        _heat(figure, axes, ground, one.measure)
        axes.set_title(f"{world}: {NAMES[one.measure][0].lower()}", loc="left", fontsize=10, color=INK)
    else:
        axes.set_title(f"{world}: where episodes ended beside the track", loc="left", fontsize=10, color=INK)
        axes.plot(*np.array(left).T, "x", color=COLOURS[1], markersize=4.5, label=f"{len(left):,} places", zorder=5)
    if ground.best is not None:
        axes.plot(*ground.best.points.T, color=INK, linewidth=1.2, label=best_told(ground.best), zorder=4)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=8.5, labelcolor=INK)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("x, metres", fontsize=8.5, color=SOFT)
    axes.set_ylabel("y, metres", fontsize=8.5, color=SOFT)


def _heat(figure: Figure, axes: Any, ground: Ground, measure: Measure) -> None:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    of = squares(ground.heat)
    assert of is not None  # there are steps
    values = of.of(measure)
    levels = graded(values, measure)
    if levels.levels < 2 and levels.bounds[0] == levels.bounds[-1]:
        bounds = [levels.bounds[0] - 0.5, levels.bounds[0] + 0.5]
    else:
        bounds = list(levels.bounds)
    field = np.full((of.rows, of.columns), np.nan)
    field[of.row, of.column] = values
    shades = [HEAT[round(number * (len(HEAT) - 1) / max(1, levels.levels - 1))] for number in range(levels.levels)]
    colours = ListedColormap(shades)
    extent = (of.left, of.left + of.columns * of.edge, of.bottom, of.bottom + of.rows * of.edge)
    shown = axes.imshow(
        np.ma.masked_invalid(field), origin="lower", extent=extent, cmap=colours, norm=BoundaryNorm(bounds, len(shades)),
        interpolation="nearest", zorder=2,
    )  # fmt: skip
    name, unit = NAMES[measure]
    bar = figure.colorbar(shown, ax=axes, shrink=0.85, ticks=bounds, format=lambda value, _: f"{value:.3g}")
    bar.set_label(f"{name.lower()}{f', {unit}' if unit else ''}", color=INK, fontsize=8.5)
    bar.ax.tick_params(colors=SOFT, labelcolor=INK, labelsize=8)


def _curve(axes: Any, curve: Curve) -> None:
    _axes(axes)
    for one in curve.series:
        at, values = zip(*one.points, strict=True)
        dots = one.form == "dots" or len(at) == 1
        axes.plot(
            at, values, color=COLOURS[one.colour], linestyle=_DASH[one.form], linewidth=1.6, label=one.name,
            marker="o" if dots else None, markersize=2.6 if one.form == "dots" else 4,
        )  # fmt: skip
    low, high = axes.get_ylim()
    axes.set_ylim(
        low if curve.floor is None else min(low, curve.floor), high if curve.top is None else max(high, curve.top * 1.02)
    )
    room = max(0.5, 0.02 * (curve.span[1] - curve.span[0]))
    axes.set_xlim(curve.span[0] - room, curve.span[1] + room)
    axes.set_title(f"{curve.title}{f',{curve.unit}' if curve.unit else ''}", loc="left", fontsize=10, color=INK)
    axes.set_xlabel("iteration", fontsize=8.5, color=SOFT)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="y", color=GRID)
    if len(curve.series) > 1:
        axes.legend(frameon=False, fontsize=8.5, labelcolor=INK)
