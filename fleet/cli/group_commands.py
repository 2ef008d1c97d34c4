"""Commands about what lies around runs: controllers, the journal, checkpoints, volumes, the job file, this computer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.app import BucketOption, Commands, Output, OutputOption, RunArgument, app
from fleet.cli.complete import checkpoint_refs, looks, schema_names, shells, volume_ids

controllers = typer.Typer(cls=Commands, help="Run the loop that keeps runs alive.", no_args_is_help=True)
journals = typer.Typer(cls=Commands, help="Look after the journal.", no_args_is_help=True)
saved = typer.Typer(cls=Commands, help="Look at a run's checkpoints, and get them.", no_args_is_help=True)
disks = typer.Typer(cls=Commands, help="Look at volumes, and delete them.", no_args_is_help=True)
jobs = typer.Typer(cls=Commands, help="What a job file may hold.", no_args_is_help=True)
app.add_typer(controllers, name="controller")
app.add_typer(journals, name="journal")
app.add_typer(saved, name="checkpoints")
app.add_typer(disks, name="volumes")
app.add_typer(jobs, name="job")


@controllers.command("run")
def controller_run(
    once: Annotated[bool, typer.Option("--once", help="One round, then return.")] = False,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log", help="With --once, for cron: nothing is printed but to this file, and never two rounds at once."
        ),
    ] = None,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Keep every run alive until Ctrl-C: relaunch what was interrupted, end what is over.

    Any number may run, in several terminals and on several computers. Example: fleet controller run --once
    """
    from fleet.cli.controller import run

    raise typer.Exit(run(bucket, once=once, as_json=output is Output.JSON, log=log))


@controllers.command("install")
def controller_install(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False, output: OutputOption = Output.TEXT
) -> None:
    """Let the session manager (systemd, launchd) run the loop; what is written is shown first.

    Example: fleet controller install
    """
    from fleet.cli.service import install

    raise typer.Exit(install(yes=yes, as_json=output is Output.JSON))


@controllers.command("uninstall")
def controller_uninstall(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False, output: OutputOption = Output.TEXT
) -> None:
    """Stop the installed controller and remove it. Runs go on, without anybody to relaunch them.

    Example: fleet controller uninstall
    """
    from fleet.cli.service import uninstall

    raise typer.Exit(uninstall(yes=yes, as_json=output is Output.JSON))


@controllers.command("list")
def controller_list(bucket: BucketOption = None, output: OutputOption = Output.TEXT) -> None:
    """List the controllers that live, wherever they are: their versions, when each last acted, and what keeps one from it.

    Example: fleet controller list
    """
    from fleet.cli.controller_list import show

    raise typer.Exit(show(bucket, as_json=output is Output.JSON))


@controllers.command("status")
def controller_status(output: OutputOption = Output.TEXT) -> None:
    """Tell whether a controller is installed on this computer and runs; exit code 1 if not. `list` tells of all, everywhere.

    Example: fleet controller status
    """
    from fleet.cli.service import status

    raise typer.Exit(status(as_json=output is Output.JSON))


@journals.command("repair")
def journal_repair(bucket: BucketOption = None, output: OutputOption = Output.TEXT) -> None:
    """Set a torn last entry aside, as a power cut can leave one. Nothing else is touched.

    Example: fleet journal repair
    """
    from fleet.cli.journal import repair

    raise typer.Exit(repair(bucket, as_json=output is Output.JSON))


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


@saved.command("list")
def checkpoints_list(run: RunArgument, bucket: BucketOption = None, output: OutputOption = Output.TEXT) -> None:
    """List a run's committed checkpoints, newest first.

    Example: fleet checkpoints list racer
    """
    from fleet.cli.checkpoints import show

    raise typer.Exit(show(run, bucket, as_json=output is Output.JSON))


@saved.command("verify")
def checkpoints_verify(
    run: RunArgument,
    everything: Annotated[bool, typer.Option("--all", help="Every checkpoint, not only the newest.")] = False,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Fetch checkpoints and compare every byte with what was committed; exit code 1 if one is broken.

    Example: fleet checkpoints verify racer --all
    """
    from fleet.cli.checkpoints import verify

    raise typer.Exit(verify(run, bucket, everything=everything, as_json=output is Output.JSON))


@saved.command("pull")
def checkpoints_pull(
    run: RunArgument,
    ref: Annotated[
        str | None,
        typer.Argument(metavar="[REF]", help="attempt/number as listed; else the newest.", autocompletion=checkpoint_refs),
    ] = None,
    into: Annotated[Path, typer.Option("--into", help="A new folder.")] = Path("checkpoint"),
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Bring a checkpoint into a folder here, verified.

    Example: fleet checkpoints pull racer --into racer-checkpoint
    """
    from fleet.cli.checkpoints import pull

    raise typer.Exit(pull(run, ref, into, bucket, as_json=output is Output.JSON))


@saved.command("prune")
def checkpoints_prune(
    run: RunArgument,
    keep: Annotated[int, typer.Option("--keep", min=1, help="So many of the newest stay.")] = 2,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Remove old checkpoints: whole sets, never the one that the run resumes from.

    Example: fleet checkpoints prune racer --keep 2
    """
    from fleet.cli.checkpoints import prune

    raise typer.Exit(prune(run, keep, bucket, yes=yes, as_json=output is Output.JSON))


@disks.command("list")
def volumes_list(bucket: BucketOption = None, output: OutputOption = Output.TEXT) -> None:
    """List volumes: whose they are, where, and what they cost a month.

    Example: fleet volumes list
    """
    from fleet.cli.volumes import show

    raise typer.Exit(show(bucket, as_json=output is Output.JSON))


@disks.command("delete")
def volumes_delete(
    volume: Annotated[str, typer.Argument(metavar="VOLUME", help="A volume's id.", autocompletion=volume_ids)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Delete a volume and everything on it.

    Example: fleet volumes delete vol-0123456789abcdef0
    """
    from fleet.cli.volumes import delete

    raise typer.Exit(delete(volume, bucket, yes=yes, as_json=output is Output.JSON))


@app.command()
def gc(
    delete: Annotated[bool, typer.Option("--delete", help="End and delete what is shown.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show machines, volumes and whatever else no run owns, with what it costs a month; on AWS in every region.

    Example: fleet gc --delete
    """
    from fleet.cli.gc import collect

    raise typer.Exit(collect(bucket, delete=delete, yes=yes, as_json=output is Output.JSON))


@jobs.command("schema")
def job_schema() -> None:
    """Print the JSON Schema of the job file, for editors.

    Example: fleet job schema
    """
    from fleet.cli.job import schema

    raise typer.Exit(schema())


@app.command("schema")
def object_schema(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="As listed without it.", autocompletion=schema_names)
    ] = None,
) -> None:
    """Print the JSON Schema of something that -o json prints; without a name, which there are.

    Example: fleet schema run
    """
    from fleet.cli.schemas import show

    raise typer.Exit(show(name))


@app.command()
def doctor(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[WHAT]", help="aws or gcp: an account, not this computer.", autocompletion=looks),
    ] = None,
    job: Annotated[Path | None, typer.Argument(metavar="[JOB]", help="A job file: is there what it asks for?")] = None,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Check what fleet needs on this computer and of the bucket, or of an account; exit code 1 if something is missing.

    Example: fleet doctor aws train.yaml
    """
    from fleet.cli.doctor import check

    if what not in (None, "aws", "gcp"):
        told = f"{what!r} is nothing that can be looked at; write `fleet doctor`, `fleet doctor aws` or `fleet doctor gcp`"
        raise typer.BadParameter(told)
    raise typer.Exit(check(bucket, what, job, as_json=output is Output.JSON))


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.", autocompletion=shells)],
) -> None:
    """Print the completion script of a shell: names of runs, checkpoints and volumes complete too.

    Example: fleet completion bash >> ~/.bashrc
    """
    from fleet.cli.completion import script

    raise typer.Exit(script(shell))
