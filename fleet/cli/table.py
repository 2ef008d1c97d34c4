"""Tables for people: columns as wide as they need to be, and lines that fit the terminal if they can."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from fleet.cli.plain import plain


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows under the first; where the terminal is too narrow for that, each as a block of its own."""
    rows = [[plain(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    if sum(widths) + 2 * (len(widths) - 1) <= shutil.get_terminal_size((200, 24)).columns:
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    head, *rest = rows
    width = max(len(name) for name in head)
    for number, row in enumerate(rest):
        if number:
            print()
        for name, cell in zip(head, row, strict=True):
            print(f"{name.ljust(width)}  {cell}".rstrip())
