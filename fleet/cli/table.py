"""Tables for people: columns as wide as they need to be, and lines that fit the terminal if they can."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from fleet.cli.plain import plain


def print_table(rows: Sequence[Sequence[str]], spare: Sequence[str] = ()) -> None:
    """Print rows under the first. Where the terminal is too narrow, the ``spare`` columns are left out one after the other;
    where that does not do, each row is a block of its own, with all columns.
    """
    rows = [[plain(cell).replace("\n", " ") for cell in row] for row in rows]
    width = shutil.get_terminal_size((200, 24)).columns
    for left_out in range(len(spare) + 1):
        kept = [i for i, name in enumerate(rows[0]) if name not in spare[:left_out]]
        widths = {i: max(len(row[i]) for row in rows) for i in kept}
        if sum(widths.values()) + 2 * (len(kept) - 1) <= width:
            for row in rows:
                print("  ".join(row[i].ljust(widths[i]) for i in kept).rstrip())
            return
    _print_blocks(rows)


def _print_blocks(rows: Sequence[Sequence[str]]) -> None:
    head, *rest = rows
    width = max(len(name) for name in head)
    for number, row in enumerate(rest):
        if number:
            print()
        for name, cell in zip(head, row, strict=True):
            print(f"{name.ljust(width)}  {cell}".rstrip())
