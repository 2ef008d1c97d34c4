"""``fleet report --night``."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from fleet.cli.output import emit, say
from fleet.cli.plain import plain
from fleet.control.controller import uncollected
from fleet.control.night import named_night, statement_of
from fleet.control.opened import opened
from fleet.control.zone import local_zone
from fleet.model.errors import FleetError
from fleet.report.statement import Statement

WIDEST = 140
"""Columns: a longer line is read badly."""


def show(night: str | None, html: Path | None, form: str, bucket: str | None) -> int:
    """Print a night of every fleet known here (None: yesterday), or write it as a page. Reads only."""
    if html is not None and html.suffix.lower() not in (".html", ".htm"):
        raise FleetError(f"--html writes .html, not {html.suffix or html.name!r}", "For example: --html report.html")
    with uncollected():  # much is made here, and all of it kept
        made = _statements(night, bucket)
    if html is not None:
        write_page(made, html)
    if form == "json":
        from fleet.report.as_json import night_object

        emit([night_object(one) for one in made])
    elif form == "csv":
        from fleet.report.as_csv import as_csv

        sys.stdout.write("".join(as_csv(one, head=not number) for number, one in enumerate(made)))
    elif form == "md":
        from fleet.report.as_markdown import as_markdown

        sys.stdout.write("\n".join(as_markdown(one) for one in made))
    elif html is None:
        from fleet.report.as_text import as_text

        width = min(shutil.get_terminal_size((100, 24)).columns, WIDEST)
        sys.stdout.write("\n\n".join(as_text(one, width) for one in made))
    return 0


def _statements(night: str | None, bucket: str | None) -> list[Statement]:
    """Of every fleet in which something happened; of the first alone where nothing did in any."""
    zone = local_zone()
    found = []
    for controller in opened(bucket):
        asked = named_night(night or "yesterday", controller.objects.now(), zone)
        found.append(statement_of(controller, asked, zone))
    if not found:
        raise FleetError("there is no fleet yet, and so no night of one", "`fleet up` starts a run.")
    return [one for one in found if not one.quiet] or found[:1]


def write_page(made: Sequence[Statement], path: Path) -> None:
    """One page is one fleet's."""
    from fleet.report.as_html import as_html

    if len(made) > 1:
        urls = " and ".join(one.fleet for one in made)
        raise FleetError(f"a page is one fleet's, and there are {len(made)}: {urls}", "Add --bucket with one of them.")
    path.write_text(as_html(made[0])[0], encoding="utf-8", errors="replace")
    say(plain(f"{made[0].date} is in {path}"))
