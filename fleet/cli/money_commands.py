"""What is asked about money: declarations only, what a command does is imported when it is called."""

from __future__ import annotations

from typing import Annotated

import typer

from fleet.cli.app import BucketOption, Commands, Output, OutputOption, app

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
