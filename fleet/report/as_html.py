"""A statement as one page that needs nothing from elsewhere: no script, no font, no picture but its own.

Every style also stands at the element that it is for, since mail programs drop what stands at the head; the head has what
they may drop: the dark colours. Everything that somebody else wrote is escaped, in one place.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape
from typing import Literal, Protocol, TypeVar

from fleet.core.plain import plain
from fleet.report.charts import drawable
from fleet.report.pictures import pngs, svgs
from fleet.report.sections import heading, sections
from fleet.report.statement import Statement
from fleet.report.styles import HEAD, PANEL, STYLES
from fleet.report.tables import Section, Table, shortened
from fleet.report.words import subject

log = logging.getLogger("fleet.control")
Drawing = TypeVar("Drawing", str, bytes)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src cid:; base-uri 'none'; form-action 'none'"
SHORT = 14
"""Characters of a row's name that stay on one line."""
_CODE = re.compile(r"`([^`]+)`")
_NO_CHARTS = "Charts are drawn by matplotlib, which is missing or broken where this was made: pip install 'fleet[report]'."


def as_html(s: Statement, images: Literal["inline", "cid"] = "inline") -> tuple[str, dict[str, bytes]]:
    """The page, and with ``cid`` the pictures that it names: mail programs show no drawing that stands in the text."""
    made = sections(s)
    alts = {section.chart: section.alt for section in made if section.chart}
    pictures = {f"{name}.png": data for name, data in _drawn(lambda: pngs(s)).items()} if images == "cid" else {}
    drawn = _drawn(lambda: svgs(s, alts)) if images == "inline" else {}
    charts = drawn or {name.removesuffix(".png"): _image(name, alts) for name in pictures}
    head = heading(s)
    told = "".join(_p(line, "lead" if not number else "p") for number, line in enumerate(head.told))
    if images == "cid":  # a mail
        made = [replace(one, table=shortened(one.table)) if one.table is not None else one for one in made]
    body = "".join(_section(section, charts) for section in made)
    missing = "" if charts or not alts else _p(_NO_CHARTS, "soft")
    about = f"{s.fleet}, {s.zone}"
    page = f"<h1{_style('h1')}>{text(head.title)}</h1>{_p(about, 'soft')}{told}{_advice(head.advice)}{missing}{body}"
    return _document(subject(s), page), pictures


def _drawn(draw: Callable[[], dict[str, Drawing]]) -> dict[str, Drawing]:
    """The charts; none if they cannot be drawn: a page without them is better than none."""
    if not drawable():
        return {}
    try:
        return draw()
    except Exception as error:  # noqa: BLE001 - a matplotlib that is there and broken (its NumPy is another) is not rare
        log.warning("fleet: charts could not be drawn: %s: %s", type(error).__name__, str(error)[:200])
        return {}


def text(words: str) -> str:
    """Words for a page: no markup, and no control characters."""
    return escape(plain(words), quote=True)


def _document(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{text(title)}</title>
<style>{HEAD}</style>
</head>
<body{_style("body")}>
<main{_style("main")}>
{body}
</main>
</body>
</html>
"""


def _style(name: str, also: str = "") -> str:
    """Both the name, for the head, and the style itself, for who drops the head."""
    return f' class="{name}{" " if also else ""}{also}" style="{STYLES[name]}"'


def _p(words: str, name: str = "p") -> str:
    return f"<p{_style(name)}>{text(words)}</p>\n"


def _advice(advice: tuple[str, ...]) -> str:
    if not advice:
        return ""
    lines = "".join(f"<li{_style('li')}>{_with_code(line)}</li>" for line in advice)
    return f"<section{_style('advice')}><h2{_style('h2-in')}>What to do</h2><ul{_style('ul')}>{lines}</ul></section>\n"


def _with_code(line: str) -> str:
    """What stands between backticks is a command."""
    return _CODE.sub(rf"<code{_style('code')}>\1</code>", text(line))


def _section(section: Section, charts: Mapping[str, str]) -> str:
    chart = charts.get(section.chart, "") if section.chart else ""
    if section.chart and not chart and section.table is None:
        return ""
    level = section.level
    parts = [f"<h{level}{_style(f'h{level}')}>{text(section.title)}</h{level}>\n", *(_p(line) for line in section.told)]
    if chart:
        label = text(f"Chart: {section.title}")
        # Reached by the keyboard, where it is wider than the screen.
        parts.append(f'<div role="region" aria-label="{label}" tabindex="0"{_style("figure")}>{chart}</div>\n')
    if section.table is not None:
        folded = section.table.long and chart
        table = table_in(section.table)
        summary = f"<summary{_style('summary')}>The figures as a table</summary>"
        parts.append(f"<details>{summary}{table}</details>\n" if folded else table)
    for whose, words in section.quoted:
        parts.append(f"{_p(f'{whose}:')}<pre{_style('pre')}>{text(words)}</pre>\n")
    return "".join(parts)


class Styled(Protocol):
    """What an element looks like, by the name of its style."""

    def __call__(self, name: str, also: str = "") -> str:
        """Attributes, with a blank before them; empty: none."""
        ...


def table_in(of: Table, style: Styled = _style) -> str:
    """A table, in a region of its own."""
    head = "".join(
        f'<th scope="col"{style("th-n" if index in of.numbers else "th")}>{text(words)}</th>'
        for index, words in enumerate(of.head)
    )
    rows = "".join(f"<tr{style('row')}>{_cells(of, row, style)}</tr>\n" for row in of.rows)
    table = f"<thead><tr{style('head')}>{head}</tr></thead>\n<tbody>\n{rows}</tbody>"
    label = text(of.caption)
    caption = f"<caption{style('caption')}><span>{label}</span></caption>"
    # Reached by the keyboard, where it is wider than the screen.
    region = f'<div role="region" aria-label="{label}" tabindex="0"{style("scroll")}>'
    return f"{region}<table{style('table')}>{caption}{table}</table></div>\n"


def _cells(of: Table, row: tuple[str, ...], style: Styled) -> str:
    name, *rest = row
    first = f'<th scope="row"{style("th", "th-short" if len(name) <= SHORT else "th-row")}>{text(name)}</th>'
    cells = (
        f"<td{style('td-n' if index in of.numbers else 'td')}>{text(words) or '-'}</td>"
        for index, words in enumerate(rest, 1)
    )
    return first + "".join(cells)


def _image(name: str, alts: Mapping[str, str]) -> str:
    alt = text(alts.get(name.removesuffix(".png"), ""))
    return f'<img src="cid:{name}" alt="{alt}" width="{PANEL}"{_style("img")}>'
