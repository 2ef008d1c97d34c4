"""Charts as SVG for a page and as PNG for a mail."""

from __future__ import annotations

import io
import re
from html import escape
from typing import TYPE_CHECKING

from fleet.report.charts import GRID, GROUND, INK, SOFT, figures
from fleet.report.palette import COLOURS
from fleet.report.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from matplotlib.figure import Figure

_VARIABLES = {INK: "--ink", SOFT: "--soft", GRID: "--grid", GROUND: "--ground"} | {
    colour: f"--c{number}" for number, colour in enumerate(COLOURS)
}
_COLOUR = re.compile("|".join(_VARIABLES), re.IGNORECASE)
_IDS = re.compile(r'(\bid="|\bxlink:href="#|url\(#)')
_STYLE = re.compile(r"<style\b.*?</style>", re.DOTALL)
"""Would hold for the whole page."""
_FAMILY = re.compile(r"font-family: [^;\"]*; ?")
_DIGITS = re.compile(r"(?<![\w.#-])(-?\d+\.\d\d)\d+")
"""Nobody sees a thousandth of a point."""
_TAG = re.compile(r"<[^>]+>")
_ROOT = re.compile(r"<svg\b[^>]*>")
_LINES = "stroke-linejoin:round;stroke-linecap:butt"
DOTS = 144
"""Per inch, of a PNG: sharp on screens with two dots for one."""


def svgs(s: Statement, alts: dict[str, str]) -> dict[str, str]:
    """Each chart as an element for a page, with what it shows in words."""
    with drawing():
        return {name: _svg(figure, name, alts.get(name, "")) for name, figure in figures(s)}


def pngs(s: Statement) -> dict[str, bytes]:
    """Each chart as a picture on white."""
    with drawing():
        return {name: png(figure) for name, figure in figures(s)}


def drawing() -> AbstractContextManager[None]:
    """matplotlib's own settings, whatever the user's are; the same drawing gives the same bytes."""
    from matplotlib import rc_context, rcParamsDefault

    kept = {key: value for key, value in rcParamsDefault.items() if not key.startswith(("backend", "toolbar"))}
    ours = {"svg.fonttype": "none", "svg.hashsalt": "fleet", "hatch.linewidth": 0.7, "font.family": "sans-serif"}
    found: AbstractContextManager[None] = rc_context({**kept, **ours})
    return found


def _svg(figure: Figure, name: str, alt: str) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    begin = _ROOT.search(text)
    assert begin is not None
    box = re.search(r'viewBox="([^"]*)"', begin[0])
    inner = re.sub(r"<metadata>.*?</metadata>", "", text[begin.end() :], flags=re.DOTALL)
    inner = _STYLE.sub("", inner)
    inner = _TAG.sub(lambda tag: _DIGITS.sub(r"\1", tag[0]), inner)  # never in what people read
    inner = _IDS.sub(rf"\1{name}-", inner)
    inner = _COLOUR.sub(lambda found: f"var({_VARIABLES[found[0].lower()]})", inner)
    inner = "\n".join(_words(inner))
    view = box[1] if box else "0 0 620 220"
    return f'<svg viewBox="{view}" role="img" aria-label="{escape(alt)}" class="chart" style="{_LINES}">{inner}'


def _words(inner: str) -> Iterator[str]:
    """Lines, the text in them by the page's own font."""
    for line in inner.splitlines():
        if line.strip():
            yield _FAMILY.sub("", line)


def png(figure: Figure) -> bytes:
    """As its bytes."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=DOTS, metadata={"Software": None})
    return out.getvalue()
