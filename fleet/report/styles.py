"""What a page looks like: each style by its name, and the dark colours of each."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.report.palette import COLOURS, DARK

PANEL = 720
"""Pixels: as wide as the page's text."""
_INK, _SOFT, _GRID, _GROUND, TINT = "#1f1e1d", "#5c5b59", "#dedcda", "#ffffff", "#f3f1ee"
_DARK_INK, _DARK_SOFT, _DARK_GRID, _DARK_GROUND, DARK_TINT = "#eceae7", "#b3b0ab", "#44423f", "#191817", "#262523"
FONT = "system-ui,-apple-system,'Segoe UI',sans-serif"
_FIXED = "ui-monospace,Menlo,Consolas,monospace"
_CELL = f"padding:4px 12px 4px 0;border-bottom:1px solid {_GRID}"
_RIGHT = "text-align:right;white-space:nowrap"

STYLES: Mapping[str, str] = {
    "body": f"margin:0;padding:0;background:{_GROUND};color:{_INK};font:15px/1.5 {FONT}",
    "main": f"max-width:{PANEL}px;margin:0 auto;padding:20px 16px 40px;background:{_GROUND};color:{_INK}",
    "h1": f"font-size:22px;line-height:1.25;margin:0 0 4px;color:{_INK}",
    "h2": f"font-size:17px;line-height:1.3;margin:32px 0 6px;color:{_INK}",
    "h2-in": f"font-size:15px;line-height:1.3;margin:0 0 4px;color:{_INK}",
    "h3": f"font-size:15px;line-height:1.3;margin:20px 0 6px;color:{_INK}",
    "lead": f"font-size:17px;margin:14px 0 4px;color:{_INK}",
    "p": f"margin:4px 0;color:{_INK}",
    "soft": f"margin:2px 0;color:{_SOFT};font-size:13px",
    "advice": f"margin:18px 0;padding:12px 16px;background:{TINT};color:{_INK};border-left:4px solid {_INK}",
    "ul": "margin:0;padding:0 0 0 18px",
    "li": f"margin:2px 0;color:{_INK}",
    "code": f"font-family:{_FIXED};font-size:13px;color:{_INK}",
    "figure": "margin:8px 0;overflow-x:auto",
    "img": f"display:block;width:100%;max-width:{PANEL}px;height:auto;border:0",
    "summary": f"margin:4px 0;color:{_SOFT};font-size:13px;cursor:pointer",
    "scroll": "overflow-x:auto;margin:6px 0",
    "table": (
        f"border-collapse:collapse;font-size:13px;line-height:1.4;color:{_INK};min-width:40%;"
        "font-variant-numeric:tabular-nums"
    ),
    "caption": f"text-align:left;color:{_SOFT};font-size:13px;padding:0 0 4px",
    "head": f"color:{_SOFT};text-align:left;vertical-align:bottom",
    "row": "text-align:left;vertical-align:top",
    "th": f"{_CELL};font-weight:600",
    "th-n": f"{_CELL};font-weight:600;{_RIGHT}",
    "td": _CELL,
    "td-n": f"{_CELL};{_RIGHT}",
    "pre": (
        f"margin:4px 0;padding:8px 12px;background:{TINT};color:{_INK};font:12px/1.45 {_FIXED};"
        "white-space:pre-wrap;overflow-wrap:anywhere"
    ),
}
"""By the name of what they are for: in each element, since mail programs drop the head. Cells are many: theirs are short,
since what comes after the first 100 KB is dropped as well."""


def _variables(ink: str, soft: str, grid: str, ground: str, colours: tuple[str, ...]) -> str:
    series = "".join(f"--c{number}:{colour};" for number, colour in enumerate(colours))
    return f":root{{--ink:{ink};--soft:{soft};--grid:{grid};--ground:{ground};{series}}}"


def _dark() -> str:
    """Each style that has a light colour, in dark ones: over what stands in the element."""
    turned = {_INK: _DARK_INK, _SOFT: _DARK_SOFT, _GRID: _DARK_GRID, _GROUND: _DARK_GROUND, TINT: DARK_TINT}
    rules = []
    for name, style in STYLES.items():
        kept = [part for part in style.split(";") if any(colour in part for colour in turned)]
        for light, dark in turned.items():
            kept = [part.replace(light, dark) for part in kept]
        if kept:
            rules.append(f".{name}{{{';'.join(f'{part}!important' for part in kept)}}}")
    return "".join(rules)


LIGHT_ROOT = _variables(_INK, _SOFT, _GRID, _GROUND, COLOURS)
DARK_ROOT = _variables(_DARK_INK, _DARK_SOFT, _DARK_GRID, _DARK_GROUND, DARK)
"""The colours as variables, on a light ground and on a dark one."""
HEAD = (
    ":root{color-scheme:light dark}"
    + LIGHT_ROOT
    + ".td{min-width:6em;max-width:24em;overflow-wrap:break-word}"
    + ".th-row{min-width:5em;max-width:18em;overflow-wrap:break-word}.th-short{white-space:nowrap}"
    + ".chart{display:block;width:100%;min-width:540px;height:auto}"
    + ".scroll:focus-visible,.figure:focus-visible{outline:2px solid var(--ink)}"
    + "@media(prefers-color-scheme:dark){"
    + DARK_ROOT
    + _dark()
    + "}"
    + "@media print{details>div{display:block}}"
)
"""What only programs read that keep the head of a page."""
