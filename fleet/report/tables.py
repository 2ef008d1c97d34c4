"""What pages are made of: sections with sentences, a chart's place, and the figures as a table."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Table:
    """Figures for people. A row's first cell names it."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    """Columns that are set to the right."""
    long: bool = False
    """A row for each night: folded away where a chart shows it, a week of it where there is little room."""


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a page."""

    key: str
    title: str
    told: tuple[str, ...] = ()
    table: Table | None = None
    chart: str = ""
    """The name of the chart that shows the table; empty: none does."""
    alt: str = ""
    """What the chart shows, in words."""
    quoted: tuple[tuple[str, str], ...] = ()
    """Whose words, and the words themselves, as they were printed: lines of logs among them."""
    level: int = 2
    """Of its title."""


LATEST = 7
"""Of the rows of a long table."""


def shortened(table: Table) -> Table:
    """For where there is little room."""
    return replace(table, rows=table.rows[-LATEST:]) if table.long else table
