"""Curves as SVG: colours are variables of the page's, so that the same drawing does for light and dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from fleet.report.as_html import text
from fleet.report.racing.curves import Curve, Point, Series, marks

WIDTH, HEIGHT = 400, 206
"""In units of the drawing: about pixels on a phone, where a letter is then still read."""
LEFT, RIGHT, TOP, BOTTOM = 50, 10, 10, 38
_STRETCHES = 150
"""Of the axis, that are told apart."""
_DASH = {"line": "", "dashed": ' stroke-dasharray="6 4"', "dots": ""}

Scale = Callable[[float], float]


def chart(curve: Curve) -> str:
    """The figure, with its legend and what it shows in words."""
    label = text(curve.told)
    body = "".join(_drawing(curve))
    legend = "".join(_key(one) for one in curve.series) if len(curve.series) > 1 else ""
    caption = f"<figcaption><h3>{text(curve.title)}</h3>{f'<p class=keys>{legend}</p>' if legend else ''}</figcaption>"
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" class="chart">{body}</svg>'
    return f'<figure id="chart-{curve.key}">{caption}{svg}</figure>'


def _key(one: Series) -> str:
    form = f'<path d="M2 6h20"{_DASH[one.form]}/>' if one.form != "dots" else '<path class="dots" d="M12 6h0"/>'
    swatch = f'<svg viewBox="0 0 24 12" class="key line l{one.colour}" aria-hidden="true">{form}</svg>'
    return f"<span>{swatch}{text(one.name)}</span> "


def _drawing(curve: Curve) -> Iterator[str]:
    low, high, ys = _axis(curve)
    first, last = curve.span

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((at - first) / (last - first) if last > first else 0.5)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low)

    for value in ys:
        yield f'<path class="grid" d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{text(_number(value, ys) + curve.unit)}</text>'
    for at in _iterations(first, last):
        yield f'<text x="{x(at):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{at:.0f}</text>'
    yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 5}" text-anchor="middle">iteration</text>'
    for one in curve.series:
        yield _series(one, x, y, first, last)


def _axis(curve: Curve) -> tuple[float, float, list[float]]:
    values = [value for one in curve.series for _, value in one.points]
    low, high = min(values), max(values)
    if curve.floor is not None:
        low = min(low, curve.floor)
    if curve.top is not None:
        high = max(high, curve.top)
    found = marks(low, high)
    return found[0], found[-1], found


def _iterations(first: float, last: float) -> list[float]:
    """Whole ones within the axis."""
    if last <= first:
        return [first]
    return [at for at in marks(first, last, 6) if at == int(at) and first <= at <= last]


def _number(value: float, among: Sequence[float]) -> str:
    """As many digits as tell the marks apart."""
    step = among[1] - among[0] if len(among) > 1 else 1.0
    digits = next((n for n in range(7) if abs(step * 10**n - round(step * 10**n)) < 1e-6 * max(1.0, step * 10**n)), 7)
    return f"{value:,.{digits}f}"


def _series(one: Series, x: Scale, y: Scale, first: float, last: float) -> str:
    name = f"<title>{text(one.name)}</title>"
    if one.form == "dots":
        path = "".join(f"M{x(at):.1f} {y(value):.1f}h0" for at, value in one.points)
        return f'<path class="line dots l{one.colour}" d="{path}">{name}</path>'
    points = [(x(at), y(value)) for at, value in thinned(one.points, first, last)]
    if len(points) == 1:  # a line of one point is not seen
        return f'<path class="line dots l{one.colour}" d="M{points[0][0]:.1f} {points[0][1]:.1f}h0">{name}</path>'
    path = "L".join(f"{across:.1f} {up:.1f}" for across, up in points)
    return f'<path class="line l{one.colour}"{_DASH[one.form]} d="M{path}">{name}</path>'


def thinned(points: Sequence[Point], first: float, last: float) -> Sequence[Point]:
    """As many as can be seen: of each short stretch the lowest, the highest and the last."""
    if len(points) <= 3 * _STRETCHES:
        return points
    width, kept = (last - first) / _STRETCHES, dict[float, Point]()
    for _, some in groupby(points, key=lambda one: (one[0] - first) // width):
        here = list(some)
        for one in (min(here, key=lambda p: p[1]), max(here, key=lambda p: p[1]), here[-1]):
            kept[one[0]] = one
    return sorted(kept.values())
