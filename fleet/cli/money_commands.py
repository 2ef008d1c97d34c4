"""What is asked about money: declarations only, what a command does is imported when it is called."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from fleet.cli.app import BucketOption, Output, OutputOption, app
from fleet.cli.complete import run_names


class By(str, Enum):
    """What costs are put together by."""

    RUN = "run"
    DAY = "day"
    TYPE = "type"
    ZONE = "zone"
    KIND = "kind"
    ATTEMPT = "attempt"


@app.command()
def cost(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="A run's name or id; else the whole fleet.", autocompletion=run_names),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="7d, 24h, yesterday, month, 2026-11-01; else from the beginning."),
    ] = None,
    by: Annotated[
        By | None, typer.Option("--by", help="A row for each of these; else by run, and of one run by attempt.")
    ] = None,
    lines: Annotated[bool, typer.Option("--lines", help="Every line of the ledger, and how it is known.")] = False,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Every row, not only the newest 30.")] = False,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what was paid, and what the same machines would have cost on demand.

    Example: fleet cost --since month --by day. Example: fleet cost racer --lines -o json
    """
    from fleet.cli.cost import Wish, show

    wish = Wish(run, since, by.value if by is not None else None, lines, everything)
    raise typer.Exit(show(wish, bucket, as_json=output is Output.JSON))


class BudgetAction(str, Enum):
    """What to do with budgets."""

    SHOW = "show"
    SET = "set"
    CLEAR = "clear"


@app.command()
def budget(
    action: Annotated[
        BudgetAction, typer.Argument(metavar="[show|set|clear]", help="Look (the usual), cap the whole fleet, or uncap it.")
    ] = BudgetAction.SHOW,
    day: Annotated[
        str | None, typer.Option("--day", metavar="MONEY", help="What all runs and disks may cost in a day: 5, or '$5'.")
    ] = None,
    month: Annotated[str | None, typer.Option("--month", metavar="MONEY", help="And in a calendar month.")] = None,
    time_zone: Annotated[
        str | None,
        typer.Option("--time-zone", metavar="ZONE", help="Whose days and months: Europe/Berlin; else this computer's."),
    ] = None,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what is left of every budget and what it will come to; cap what the whole fleet spends in a day and a month.

    Example: fleet budget set --day 5 --month 60. Example: fleet budget -o json. Example: fleet budget clear
    """
    from fleet.cli.budget import run

    raise typer.Exit(run(action.value, day, month, time_zone, bucket, as_json=output is Output.JSON))
