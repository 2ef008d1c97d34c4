"""The map of a track: what was driven, square by square, within the borders; where cars left it; the way of the best lap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fleet.report.as_html import text
from fleet.report.words import count
from fleet.workloads.deepracer.analysis.heat import MEASURES, Graded, Measure, Squares, graded, runs, squares
from fleet.workloads.deepracer.analysis.scene import Borders, Ground, Lap
from fleet.workloads.deepracer.checking.track import Floats

NAMES: dict[Measure, tuple[str, str]] = {
    "speed": ("Speed", "m/s"),
    "time": ("Time", "s"),
    "reward": ("Reward", ""),
}
"""What a map shows, and its unit."""
_EDGE = 3
"""Squares of room around what is drawn."""


@dataclass(frozen=True)
class Frame:
    """From metres to places of the drawing: one unit is one square, and up is down."""

    edge: float
    left: float
    top: float
    width: float
    height: float

    @classmethod
    def around(cls, of: Squares, borders: Borders | None) -> Frame:
        """All that is drawn, with some room."""
        x = [of.left, of.left + of.columns * of.edge]
        y = [of.bottom, of.bottom + of.rows * of.edge]
        for line in (borders.inner, borders.outer) if borders is not None else ():
            x += [float(line[:, 0].min()), float(line[:, 0].max())]
            y += [float(line[:, 1].min()), float(line[:, 1].max())]
        room = _EDGE * of.edge
        width, height = max(x) - min(x) + 2 * room, max(y) - min(y) + 2 * room
        return cls(of.edge, min(x) - room, max(y) + room, width / of.edge, height / of.edge)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a place on the ground is drawn."""
        return (x - self.left) / self.edge, (self.top - y) / self.edge

    def path(self, points: Floats) -> str:
        """A line through places."""
        drawn = (self.place(x, y) for x, y in points.tolist())
        return "M" + "L".join(f"{across:.1f} {down:.1f}" for across, down in drawn)


def maps(ground: Ground, left: Sequence[tuple[float, float]], number: int) -> str:
    """A map for each measure, one of them shown at a time: which, is chosen without a script."""
    of = squares(ground.heat)
    if of is None:
        return ""
    frame = Frame.around(of, ground.borders)
    shown = [(measure, graded(of.of(measure), measure)) for measure in MEASURES]
    shown = [(measure, levels) for measure, levels in shown if (levels.level >= 0).any()]
    name = f"map-{number}"
    world = ground.world or "the track"
    choices = "".join(
        f'<input type="radio" name="{name}" id="{name}-{measure}" class="pick p-{measure}"{" checked" * (not place)}>'
        f'<label for="{name}-{measure}">{text(NAMES[measure][0])}</label>'
        for place, (measure, _) in enumerate(shown)
    )
    below, over = _road(ground.borders, frame), "".join(_over(ground, left, frame))
    drawn = "".join(
        f'<figure class="map m-{measure}">'
        f"{_svg(frame, _alt(ground, measure, levels, len(left)), below + _squares(of, measure, levels, frame) + over)}"
        f"{_scale(measure, levels)}</figure>"
        for measure, levels in shown
    )
    legend = f"<legend>What the map of {text(world)} shows</legend>"
    return f'<fieldset class="maps">{legend}{choices}{drawn}</fieldset>{_keys(ground, left)}'


def best_told(lap: Lap) -> str:
    """Metrics may tell of a shorter one, and not where it was driven."""
    return f"the best lap whose way is told, {lap.seconds:.2f} s"


def _alt(ground: Ground, measure: Measure, levels: Graded, left: int) -> str:
    name, unit = NAMES[measure]
    span = f"{_value(levels.bounds[0])} to {_value(levels.bounds[-1])} {unit}".strip()
    off = f"; {count(left, 'place')} where episodes ended beside the track" if left else ""
    best = f"; {best_told(ground.best)}" if ground.best is not None else ""
    return f"Map of {ground.world or 'the track'}, {name.lower()} from {span}, over {ground.heat.steps:,} steps{off}{best}."


def _svg(frame: Frame, alt: str, drawn: str) -> str:
    box = f'viewBox="0 0 {frame.width:.1f} {frame.height:.1f}"'
    return f'<svg {box} role="img" aria-label="{text(alt)}" class="ground">{drawn}</svg>'


def _road(lines: Borders | None, frame: Frame) -> str:
    return f'<path class="road" d="{frame.path(lines.outer)}z{frame.path(lines.inner)}z"/>' if lines is not None else ""


def _squares(of: Squares, measure: Measure, levels: Graded, frame: Frame) -> str:
    return "".join(_level(of, levels, number, frame, measure) for number in range(levels.levels))


def _level(of: Squares, levels: Graded, number: int, frame: Frame, measure: Measure) -> str:
    """All squares of one colour as one shape."""
    left, base = frame.place(of.left, of.bottom)
    path = "".join(
        f"M{left + column:.1f} {base - row - 1:.1f}h{size}v1h-{size}z"
        for column, row, size in runs(of, levels.level, number)
    )
    return f'<path class="h{_shade(number, levels)}" d="{path}"><title>{text(_span(levels, number, measure))}</title></path>'


def _shade(number: int, levels: Graded) -> int:
    """Few levels are still spread over all colours."""
    return round(number * 7 / max(1, levels.levels - 1))


def _span(levels: Graded, number: int, measure: Measure) -> str:
    unit = NAMES[measure][1]
    return f"{_value(levels.bounds[number])} to {_value(levels.bounds[number + 1])} {unit}".strip()


def _value(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 or value == 0 else 3
    return f"{value:.{digits}f}"


def _scale(measure: Measure, levels: Graded) -> str:
    """The colours, each with what it stands for."""
    swatches = "".join(
        f'<li><i class="b{_shade(number, levels)}"></i>{text(_span(levels, number, measure))}</li>'
        for number in range(levels.levels)
    )
    name, unit = NAMES[measure]
    return f'<figcaption>{text(name)}{f", {unit}" if unit else ""}</figcaption><ul class="scale">{swatches}</ul>'


def _over(ground: Ground, left: Sequence[tuple[float, float]], frame: Frame) -> Iterator[str]:
    """Borders, where cars left, the best lap, where and whither it begins."""
    lines = ground.borders
    if lines is not None:
        yield f'<path class="border" d="{frame.path(lines.inner)}"/><path class="border" d="{frame.path(lines.outer)}"/>'
    if left:
        arm = max(frame.width, frame.height) / 110
        crosses = "".join(
            f"M{x - arm:.1f} {y - arm:.1f}l{2 * arm:.1f} {2 * arm:.1f}m{-2 * arm:.1f} 0l{2 * arm:.1f} {-2 * arm:.1f}"
            for x, y in (frame.place(*one) for one in left)
        )
        yield f'<path class="left" d="{crosses}"><title>Ended beside the track</title></path>'
    if ground.best is not None:
        way = frame.path(ground.best.points)
        yield f'<path class="best" d="{way}"><title>{text(best_told(ground.best))}</title></path>'
    if lines is not None:
        yield _start(lines, frame)


def _start(lines: Borders, frame: Frame) -> str:
    """The line where a lap begins, and an arrow in the direction of the route."""
    begin, ahead = lines.centre[0], lines.centre[min(3, len(lines.centre) - 1)]
    across = f"{frame.path(np.array([lines.inner[0], lines.outer[0]]))}"
    x, y = frame.place(*begin)
    nose_x, nose_y = frame.place(*ahead)
    long = max(1e-9, float(np.hypot(nose_x - x, nose_y - y)))
    size = max(frame.width, frame.height) / 40
    dx, dy = (nose_x - x) / long * size, (nose_y - y) / long * size
    arrow = f"M{x + dx:.1f} {y + dy:.1f}L{x - dy / 2:.1f} {y + dx / 2:.1f}L{x + dy / 2:.1f} {y - dx / 2:.1f}z"
    return f'<path class="start" d="{across}"/><path class="arrow" d="{arrow}"><title>Start</title></path>'


def _keys(ground: Ground, left: Sequence[tuple[float, float]]) -> str:
    keys = []
    if left:
        cross = '<svg viewBox="0 0 12 12" class="key" aria-hidden="true"><path class="left" d="M2 2l8 8m-8 0l8-8"/></svg>'
        keys.append(f"<span>{cross}ended beside the track</span>")
    if ground.best is not None:
        line = '<svg viewBox="0 0 24 12" class="key" aria-hidden="true"><path class="best" d="M2 6h20"/></svg>'
        keys.append(f"<span>{line}{text(best_told(ground.best))}</span>")
    if ground.borders is None:
        keys.append("<span>Its borders are not known here.</span>")
    return f'<p class="keys">{" ".join(keys)}</p>' if keys else ""
