"""Commands about what a fleet has learned of its pools by using them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.app import BucketOption, Commands, Output, OutputOption, app
from fleet.cli.output import CHOSEN

histories = typer.Typer(
    cls=Commands, help="What this fleet has met: launches, refusals, interruptions, by pool.", invoke_without_command=True
)
app.add_typer(histories, name="history")


class Form(str, Enum):
    """How an export is written."""

    JSON = "json"
    CSV = "csv"


def _chosen(value: Form) -> Form:
    CHOSEN.as_json = value is Form.JSON
    return value


@histories.callback()
def history(context: typer.Context) -> None:
    """What this fleet has met: launches, refusals, interruptions, by pool."""
    if context.invoked_subcommand is None:
        from fleet.cli.history import show

        raise typer.Exit(show(None, None, as_json=False))


@histories.command("show")
def history_show(
    since: Annotated[str | None, typer.Option("--since", help="Only what is younger: 30d.")] = None,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show launches, refusals, interruptions and machine time by pool. `fleet history` alone does the same.

    Example: fleet history show --since 30d
    """
    from fleet.cli.history import show

    raise typer.Exit(show(bucket, since, as_json=output is Output.JSON))


@histories.command("export")
def history_export(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to write it; else to standard output.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only what is younger: 30d.")] = None,
    with_runs: Annotated[bool, typer.Option("--with-runs", help="Tell whose machine each was, too.")] = False,
    bucket: BucketOption = None,
    output: Annotated[
        Form, typer.Option("--output", "-o", help="json for `fleet simulate`, csv for tables.", callback=_chosen)
    ] = Form.JSON,
) -> None:
    """Write what was learned, a record for each launch, refusal, warning and end: for `fleet simulate --market`, and others.

    Example: fleet history export history.json --since 30d
    """
    from fleet.cli.history import export

    raise typer.Exit(export(file, bucket, since, with_runs=with_runs, as_csv=output is Form.CSV))
