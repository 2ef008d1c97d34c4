"""The application, and what all commands share. Declarations only parse: what a command does is imported when it is called,
so that help is quick.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fleet import __version__
from fleet.cli.complete import run_names
from fleet.cli.output import CHOSEN

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_JOB = 3
EXIT_RUN = 4
EXIT_INTERRUPTED = 130

EXIT_CODES = {
    EXIT_DONE: "done",
    EXIT_FAILED: "not done, or what was looked for is not so; the message says what",
    EXIT_USAGE: "wrong usage: no such command, option or value",
    EXIT_JOB: "the job file is wrong; nothing was started",
    EXIT_RUN: "the command did its work, and the run that it followed did not succeed",
    EXIT_INTERRUPTED: "Ctrl-C; what goes on is said",
}
"""Every exit code of every command but ``exec`` and ``ssh``, which pass on their command's or shell's own."""


class Commands(TyperGroup):
    """A group whose help tells its commands' first sentences in full: they wrap where they are long."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """A name and a sentence each."""
        rows = [(name, command.get_short_help_str(limit=1000)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


app = typer.Typer(
    name="fleet",
    cls=Commands,
    help="Cheap training on spot machines that survives every interruption.\n\nExit codes: 0 done · 1 not done "
    "· 2 wrong usage · 3 wrong job file · 4 the run did not succeed · 130 Ctrl-C.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich would take longer than everything else together
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Output(str, Enum):
    """How to print."""

    TEXT = "text"
    JSON = "json"


def _choose(value: Output) -> Output:
    CHOSEN.as_json = value is Output.JSON
    return value


OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="text for people, json for programs.", callback=_choose)
]
BucketOption = Annotated[
    str | None, typer.Option("--bucket", help="The bucket's URL; else every bucket that runs were made in from here.")
]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's name (its newest run) or id.", autocompletion=run_names)
]


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Options that stand before the command."""
    context.obj = {"debug": debug}
    if version:
        typer.echo(f"fleet {__version__}")
        raise typer.Exit
