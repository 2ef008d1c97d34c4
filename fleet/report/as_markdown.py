"""A statement as Markdown: for chats, issues and notebooks. Nothing in it is read as HTML, whatever runs are called."""

from __future__ import annotations

import re

from fleet.core.plain import plain
from fleet.report.sections import heading, sections
from fleet.report.statement import Statement
from fleet.report.tables import Section, Table

_MARKS = re.compile(r"([\\`*_\[\]~|#])")
"""What Markdown reads as more than itself, within a line."""


def as_markdown(s: Statement) -> str:
    """The whole report."""
    head = heading(s)
    parts = [f"# {escaped(head.title)}", f"{escaped(s.fleet)}, {escaped(s.zone)}", *(escaped(line) for line in head.told)]
    if head.advice:
        parts.append("**What to do**\n\n" + "\n".join(f"- {escaped(line)}" for line in head.advice))
    for section in sections(s):
        parts += _section(section)
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> list[str]:
    if not (section.told or section.table or section.quoted):
        return []
    parts = [f"## {escaped(section.title)}", *(escaped(line) for line in section.told)]
    if section.table is not None:
        parts.append(_table(section.table))
    for whose, words in section.quoted:
        # Indented lines are shown as they are, and nothing in them ends that.
        parts.append(f"{escaped(whose)}:")
        parts.append("\n".join(f"    {line}" for line in plain(words).splitlines()))
    return parts


def _table(of: Table) -> str:
    rule = [" ---: " if i in of.numbers else " --- " for i in range(len(of.head))]
    rows = [_row(of.head), f"|{'|'.join(rule)}|", *(_row(row) for row in of.rows)]
    return "\n".join(rows)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(escaped(cell) for cell in cells)} |"


def escaped(text: str) -> str:
    """Words that stay words: no markup, no HTML, and no line of their own."""
    text = " ".join(plain(text).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # What looks like an address would become a link in some readers.
    return re.sub(r"(?i)\b(https?|ftp|mailto|javascript|file|data):", r"\1&#58;", _MARKS.sub(r"\\\1", text))
