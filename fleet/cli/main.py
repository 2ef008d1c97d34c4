"""The command line. Commands only parse here: what they do is imported when they are called, so that help is quick."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from fleet import __version__
from fleet.model.errors import FleetError, JobError

EXIT_FAILED = 1
"""Something that was asked for could not be done; the message says what."""
EXIT_JOB = 3
"""The job file is wrong."""
EXIT_RUN = 4
"""The command did its work, and the run that it followed did not succeed."""
EXIT_INTERRUPTED = 130
"""Ctrl-C."""

app = typer.Typer(
    name="fleet",
    help="Cheap training on spot machines that survives every interruption.\n\nExit codes: 0 done · 1 not done "
    "· 2 wrong usage · 3 wrong job file · 4 the run did not succeed · 130 Ctrl-C.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
controllers = typer.Typer(help="Run the loop that keeps runs alive.", no_args_is_help=True)
app.add_typer(controllers, name="controller")
journals = typer.Typer(help="Look after the journal.", no_args_is_help=True)
app.add_typer(journals, name="journal")


class Output(str, Enum):
    """How to print."""

    TEXT = "text"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="text for people, json for programs.")]
BucketOption = Annotated[
    str | None, typer.Option("--bucket", help="The bucket's URL; else every bucket that runs were made in from here.")
]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's name (its newest run) or id.")]


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


@app.command()
def up(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="A job file, or a folder that holds fleet.yaml.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once the machine is launched.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Start a job and follow it. Ctrl-C leaves it running.

    Example: fleet up examples/racer/fleet.yaml
    """
    from fleet.cli.up import start

    raise typer.Exit(start(job, yes=yes, detach=detach, as_json=output is Output.JSON))


@app.command()
def ps(bucket: BucketOption = None, output: OutputOption = Output.TEXT) -> None:
    """List runs: state, attempt, interruptions, where, step, spent.

    Example: fleet ps -o json
    """
    from fleet.cli.ps import show

    raise typer.Exit(show(bucket, as_json=output is Output.JSON))


@app.command()
def logs(
    run: RunArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing until the run ends.")] = False,
    attempt: Annotated[int | None, typer.Option("--attempt", help="Only this attempt.")] = None,
    bucket: BucketOption = None,
) -> None:
    """Print what the training printed.

    Example: fleet logs -f racer
    """
    from fleet.cli.logs import show

    raise typer.Exit(show(run, follow=follow, attempt=attempt, bucket=bucket))


@app.command()
def stop(run: RunArgument, bucket: BucketOption = None, output: OutputOption = Output.TEXT) -> None:
    """Checkpoint a run, then end it. The volume and the checkpoints are kept.

    Example: fleet stop racer
    """
    from fleet.cli.stop import end

    raise typer.Exit(end(run, "stop", bucket, as_json=output is Output.JSON))


@app.command()
def down(run: RunArgument, bucket: BucketOption = None, output: OutputOption = Output.TEXT) -> None:
    """End every machine of a run at once, without waiting for a checkpoint.

    Example: fleet down racer
    """
    from fleet.cli.stop import end

    raise typer.Exit(end(run, "down", bucket, as_json=output is Output.JSON))


@controllers.command("run")
def controller_run(
    once: Annotated[bool, typer.Option("--once", help="One round, then return.")] = False,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Keep every run alive until Ctrl-C: relaunch what was interrupted, end what is over.

    Any number may run, in several terminals and on several computers. Example: fleet controller run --once
    """
    from fleet.cli.controller import run

    raise typer.Exit(run(bucket, once=once, as_json=output is Output.JSON))


@journals.command("repair")
def journal_repair(bucket: BucketOption = None) -> None:
    """Set a torn last entry aside, as a power cut can leave one. Nothing else is touched.

    Example: fleet journal repair
    """
    from fleet.cli.journal import repair

    raise typer.Exit(repair(bucket))


@app.command()
def demo(
    output: OutputOption = Output.TEXT,
    iterations: Annotated[int | None, typer.Option(help="Train for fewer iterations than usual.", min=10)] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep everything in this folder, to look at afterwards.")] = None,
) -> None:
    """Train a small racing car on this computer while its machines are taken away, and prove that nothing was lost.

    Example: fleet demo -o json
    """
    from fleet.cli.demo import run

    raise typer.Exit(run(as_json=output is Output.JSON, iterations=iterations, keep=keep))


def main() -> None:
    """The console script: no traceback reaches a user unless ``--debug`` asks for it."""
    debug = "--debug" in sys.argv[1:]
    try:
        app()
    except JobError as error:
        _fail(error, EXIT_JOB, debug)
    except FleetError as error:
        _fail(error, EXIT_FAILED, debug)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(EXIT_FAILED)
    except Exception as error:  # the last line of defence: a message, not a traceback
        if debug:
            raise
        sys.stderr.write(
            f"fleet: {type(error).__name__}: {error}\nThis is a fault of fleet's; `fleet --debug …` shows where.\n"
        )
        sys.exit(EXIT_FAILED)


def _fail(error: FleetError, code: int, debug: bool) -> None:
    if debug:
        raise error
    sys.stderr.write(f"fleet: {error}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
