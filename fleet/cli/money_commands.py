"""What is asked about money: declarations only, what a command does is imported when it is called."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from fleet.cli.app import BucketOption, Commands, Output, OutputOption, app
from fleet.cli.complete import run_names

reports = typer.Typer(cls=Commands, help="What a night cost and bought: shown, sent, and sent every night.")
app.add_typer(reports, name="report")

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@reports.callback(invoke_without_command=True)
def report(
    context: typer.Context,
    night: Annotated[bool, typer.Option("--night", help="Yesterday, in your time zone.")] = False,
    send: Annotated[bool, typer.Option("--send", help="Send it, with those that could not be sent; once a night.")] = False,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what yesterday cost, bought and wasted; or send it, and let it be sent every night.

    Example: fleet report --night --send
    """
    if context.invoked_subcommand is not None:
        return
    if not night:
        raise typer.BadParameter("say which: --night is yesterday")
    if send:
        from fleet.cli.report_send import send_night

        raise typer.Exit(send_night(bucket, as_json=output is Output.JSON))


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
