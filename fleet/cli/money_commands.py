"""What is asked about money: declarations only, what a command does is imported when it is called."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fleet.cli.app import BucketOption, Commands, Output, OutputOption, app
from fleet.cli.complete import run_names, told_kinds
from fleet.cli.output import CHOSEN


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


YESTERDAY = "yesterday"


class ReportCommands(Commands):
    """``--night`` stands alone for yesterday, or before a date."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """An option takes a value or none, never both: where there is none, say which is meant."""
        told = list(args)
        for place, word in enumerate(told):
            if word == "--night" and (place + 1 == len(told) or told[place + 1].startswith("-")):
                told[place] = f"--night={YESTERDAY}"
        return super().parse_args(ctx, told)


class Form(str, Enum):
    """How a report is written."""

    TEXT = "text"
    MARKDOWN = "md"
    JSON = "json"
    CSV = "csv"


reports = typer.Typer(cls=ReportCommands)
app.add_typer(reports, name="report")

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


On = Literal["systemd", "launchd", "cron", "account"]
QuietNightsOption = Annotated[
    Literal["line", "silent"], typer.Option("--quiet-nights", help="Of a night without runs: one line, or nothing.")
]


def _form(value: Form) -> Form:
    CHOSEN.as_json = CHOSEN.as_json or value is Form.JSON
    return value


@reports.callback(invoke_without_command=True)
def report(
    context: typer.Context,
    night: Annotated[
        str | None,
        typer.Option("--night", metavar="[DATE]", help="Which day, in your time zone: 2026-11-25, today; alone: yesterday."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write it as one page with charts, that needs nothing else."),
    ] = None,
    form: Annotated[
        Form, typer.Option("--format", help="How to print it: text, md (Markdown), json or csv.", callback=_form)
    ] = Form.TEXT,
    send: Annotated[bool, typer.Option("--send", help="Send it, with those that could not be sent; once a night.")] = False,
    quiet_nights: QuietNightsOption = "line",
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what yesterday, or another day, cost, bought and wasted; or send it, and let it be sent every night.

    Example: fleet report --night. Example: fleet report --night 2026-11-25 --html report.html.
    Example: fleet report --night --format csv. Example: fleet report --night --send
    """
    if context.invoked_subcommand is not None:
        return
    if send:
        if html is not None or form is not Form.TEXT or night not in (None, YESTERDAY):
            raise typer.BadParameter(
                "--send sends yesterday's, in every form: it goes with neither --html, --format nor a date"
            )
        from fleet.cli.report_send import send_night

        raise typer.Exit(send_night(bucket, quiet_nights, as_json=output is Output.JSON))
    from fleet.cli.report import show

    chosen = Form.JSON if output is Output.JSON else form
    raise typer.Exit(show(None if night in (None, YESTERDAY) else night, html, chosen.value, bucket))


@reports.command("install")
def report_install(
    at: Annotated[str, typer.Option("--at", metavar="HH:MM", help="When, in your time zone.")] = "02:00",
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="URL",
            help="Whom to tell, once or more often: mailto://… slack://… and all that Apprise knows, ses:FROM>TO, sns:ARN; "
            "- reads them from standard input. Else those that are known.",
        ),
    ] = None,
    on: Annotated[
        On | None, typer.Option("--on", help="Who calls it; else what this computer has. account: the controller there.")
    ] = None,
    quiet_nights: QuietNightsOption = "line",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be made, and make nothing.")] = False,
    bucket: BucketOption = None,
    yes: YesOption = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Let the report be sent every night, with this computer's timers or by the account; shown and asked about first.

    Example: fleet report install --at 02:00 --to 'ses:fleet@example.com>me@example.com'
    """
    from fleet.cli.report_install import install

    as_json = output is Output.JSON
    raise typer.Exit(install(at, to or (), on, quiet_nights, bucket, yes=yes, as_json=as_json, dry=dry_run))


@reports.command("uninstall")
def report_uninstall(
    on: Annotated[On | None, typer.Option("--on", help="Only from there; else from everywhere.")] = None,
    bucket: BucketOption = None,
    yes: YesOption = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Send no report every night any more, and forget whom to tell. Reports that were kept stay in the bucket.

    Example: fleet report uninstall
    """
    from fleet.cli.report_install import uninstall

    raise typer.Exit(uninstall(on, bucket, yes=yes, as_json=output is Output.JSON))


@reports.command("status")
def report_status(bucket: BucketOption = None, output: OutputOption = Output.TEXT) -> None:
    """Tell whether the report is sent every night, to whom, and who still waits for one; exit code 1 if it is not installed.

    Example: fleet report status
    """
    from fleet.cli.report_status import status

    raise typer.Exit(status(bucket, as_json=output is Output.JSON))


@reports.command("test")
def report_test(output: OutputOption = Output.TEXT) -> None:
    """Send a test message to everybody whom the report is sent to; exit code 1 if somebody is not reached.

    Example: fleet report test
    """
    from fleet.cli.report_send import send_test

    raise typer.Exit(send_test(as_json=output is Output.JSON))


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


notifications = typer.Typer(
    cls=Commands, help="Be told what happens to a fleet: interruptions, budgets, ends.", no_args_is_help=True
)
app.add_typer(notifications, name="notify")

KindsArgument = Annotated[
    list[str],
    typer.Argument(metavar="KIND...", help="As `fleet notify list` shows them, or all.", autocompletion=told_kinds),
]
ToOption = Annotated[
    list[str] | None,
    typer.Option(
        "--to",
        help="Apprise's URL, 'ses:from@x>to@y' or sns:arn:…; - reads URLs from standard input, which no history keeps. "
        "May be given several times; else every destination that is known.",
    ),
]


@notifications.command("on")
def notify_on(
    kinds: KindsArgument,
    to: ToOption = None,
    after: Annotated[
        str | None, typer.Option("--after", help="no-capacity: once a run has had no machine for so long, as 10m.")
    ] = None,
    every: Annotated[
        str | None, typer.Option("--every", help="At most one message of a kind and run in so long, as 15m.")
    ] = None,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Be told of some kinds of things from now on, by every controller that can reach the destination, each once.

    Example: fleet notify on failed budget-80 --to 'mailto://me:password@mail.example.com?to=me@example.com'
    """
    from fleet.cli.notify import turn_on

    raise typer.Exit(turn_on(kinds, to, after, every, bucket, as_json=output is Output.JSON))


@notifications.command("off")
def notify_off(
    kinds: KindsArgument, to: ToOption = None, bucket: BucketOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Be told of some kinds no more. A destination that nothing is told is forgotten, its URL too.

    Example: fleet notify off recovery finished
    """
    from fleet.cli.notify import turn_off

    raise typer.Exit(turn_off(kinds, to, bucket, as_json=output is Output.JSON))


@notifications.command("list")
def notify_list(bucket: BucketOption = None, output: OutputOption = Output.TEXT) -> None:
    """List what can be told, what is, whom, and what was told last.

    Example: fleet notify list
    """
    from fleet.cli.notify import show

    raise typer.Exit(show(bucket, as_json=output is Output.JSON))


@notifications.command("test")
def notify_test(to: ToOption = None, bucket: BucketOption = None, output: OutputOption = Output.TEXT) -> None:
    """Send a message to see whether it arrives; exit code 1 if somebody was not reached.

    Example: fleet notify test --to ntfy://ntfy.sh/my-fleet
    """
    from fleet.cli.notify import test

    raise typer.Exit(test(to, bucket, as_json=output is Output.JSON))
