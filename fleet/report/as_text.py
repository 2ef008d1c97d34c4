"""A statement as plain text: for terminals, for chats, and for mail programs that show no HTML."""

from __future__ import annotations

import textwrap

from fleet.core.plain import plain
from fleet.report.sections import heading, sections
from fleet.report.statement import Statement
from fleet.report.tables import Section, Table, shortened

WIDTH = 100
NARROWEST = 40


def as_text(s: Statement, width: int = WIDTH) -> str:
    """The whole report; tables that do not fit into ``width`` become a block for each row."""
    width = max(width, NARROWEST)
    head = heading(s)
    parts = [f"{head.title}\n{s.fleet}, {s.zone}", "\n".join(_wrapped(line, width) for line in head.told)]
    if head.advice:
        parts.append("\n".join(["What to do", *(_wrapped(f"- {line}", width, "  ") for line in head.advice)]))
    parts += [_section(section, width) for section in sections(s) if section.told or section.table or section.quoted]
    return plain("\n\n".join(parts)) + "\n"


def _section(section: Section, width: int) -> str:
    lines = [section.title, "-" * len(section.title), *(_wrapped(line, width) for line in section.told)]
    if section.table is not None:
        lines.append(table(shortened(section.table), width))
    for whose, words in section.quoted:
        lines += ["", f"{whose}:", *(f"  | {line}" for line in plain(words).splitlines())]
    return "\n".join(lines)


def _wrapped(text: str, width: int, indent: str = "") -> str:
    return textwrap.fill(plain(text).replace("\n", " "), width, subsequent_indent=indent, break_long_words=False)


def table(of: Table, width: int) -> str:
    """Columns as wide as they need to be; where that is too wide, a block for each row."""
    rows = [tuple(plain(cell).replace("\n", " ") for cell in row) for row in (of.head, *of.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(of.head))]
    if sum(widths) + 2 * (len(widths) - 1) > width:
        return _blocks(rows, width)
    made = []
    for row in rows:
        cells = [
            cell.rjust(size) if i in of.numbers else cell.ljust(size)
            for i, (cell, size) in enumerate(zip(row, widths, strict=True))
        ]
        made.append("  ".join(cells).rstrip())
    return "\n".join(made)


def _blocks(rows: list[tuple[str, ...]], width: int) -> str:
    head, *rest = rows
    room = max(len(name) for name in head)
    blocks = []
    for row in rest:
        lines = []
        for name, cell in zip(head, row, strict=True):
            filled = textwrap.wrap(cell, max(width - room - 2, 20), break_long_words=False) or [""]
            lines.append(f"{name.ljust(room)}  {filled[0]}".rstrip())
            lines += [f"{'':{room}}  {more}" for more in filled[1:]]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)
