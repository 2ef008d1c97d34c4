"""Commands about runs: starting, looking, ending."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.app import BucketOption, Output, OutputOption, RunArgument, app
from fleet.cli.complete import kinds, run_names
from fleet.cli.reach_commands import FromOption


@app.command()
def init(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="[KIND]",
            help="racer, command, stack or deepracer; or aws, gcp: set an account up.",
            autocompletion=kinds,
        ),
    ] = "command",
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="deepracer: the run's name, and that of a new folder.")
    ] = None,
    into: Annotated[Path, typer.Option("--into", help="The folder to write to.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace a job file that is there.")] = False,
    region: Annotated[
        list[str] | None, typer.Option("--region", help="aws, gcp: a region for machines; may be given several times.")
    ] = None,
    bucket: Annotated[
        str | None,
        typer.Option("--bucket", help="aws, gcp: the bucket, s3://NAME or gs://NAME, of either cloud; else one is made up."),
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", help="gcp: the project's id; else the one that the login names.")
    ] = None,
    vpc: Annotated[
        list[str] | None, typer.Option("--vpc", help="aws: a network's id, at most one for each region; else the default.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="aws, gcp: the public key that you log in with; else the one in ~/.ssh.")
    ] = None,
    public_ip: Annotated[
        bool | None,
        typer.Option("--public-ip/--no-public-ip", help="aws, gcp: whether machines get a public address."),
    ] = None,
    iap: Annotated[
        bool | None, typer.Option("--iap/--no-iap", help="gcp: machines are reached through Identity-Aware Proxy only.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="aws, gcp: do not ask.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write a job file with comments (a command, the racing car, a docker stack, DeepRacer), or set a cloud account up.

    Example: fleet init command. Example: fleet init deepracer shanghai-1. Example: fleet init aws --region us-east-1
    """
    as_json = output is Output.JSON
    given = {"--region": region, "--bucket": bucket, "--vpc": vpc, "--key": key, "--public-ip": public_ip}
    _refuse_strange(kind, name, {**given, "--project": project, "--iap": iap})
    if kind == "aws":
        from fleet.cli.init_aws import set_up

        raise typer.Exit(set_up(region or [], bucket, vpc or [], key, public_ip=public_ip, yes=yes, as_json=as_json))
    if kind == "gcp":
        from fleet.cli.init_gcp import set_up_project

        raise typer.Exit(
            set_up_project(project, region or [], bucket, key, public_ip=public_ip, iap=iap, yes=yes, as_json=as_json)
        )
    from fleet.cli.init import write

    raise typer.Exit(write(kind, into, name, force=force, as_json=as_json))


OF_AWS, OF_GCP = ("--vpc",), ("--project", "--iap")
"""Options of `fleet init` that only one cloud takes."""


def _refuse_strange(kind: str, name: str | None, given: Mapping[str, object]) -> None:
    """An option that means nothing here is a mistake: nobody is to believe that it was heeded."""
    if kind in ("aws", "gcp") and name is not None:
        raise typer.BadParameter(f"{name!r}: `fleet init {kind}` takes no name")
    strange = {"aws": OF_GCP, "gcp": OF_AWS}.get(kind, tuple(given))
    for option in (one for one in strange if given[one] is not None):
        takes = [cloud for cloud, others in (("aws", OF_GCP), ("gcp", OF_AWS)) if option not in others]
        told = " and ".join(f"`fleet init {cloud}`" for cloud in takes)
        raise typer.BadParameter(f"{option}: only {told} take{'s' if len(takes) == 1 else ''} this")


JobArgument = Annotated[
    Path | None, typer.Argument(metavar="[JOB]", help="A job file, or a folder that holds fleet.yaml; else this folder.")
]


def _this_or(job: Path | None) -> Path:
    """The job file that is named, or this folder's."""
    if job is not None:
        return job
    here = Path("fleet.yaml")
    if not here.is_file():
        raise typer.BadParameter("there is no fleet.yaml in this folder: name a job file, or its folder")
    return here


@app.command()
def plan(
    job: JobArgument = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what a job could run on, at which price, and what would be chosen. Nothing is started.

    Example: fleet plan examples/racer/fleet.yaml
    """
    from fleet.cli.plan import show

    raise typer.Exit(show(_this_or(job), as_json=output is Output.JSON))


@app.command()
def up(
    job: JobArgument = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once the machine is launched.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Start a job and follow it. Ctrl-C leaves it running.

    Example: fleet up examples/racer/fleet.yaml
    """
    from fleet.cli.up import start

    raise typer.Exit(start(_this_or(job), yes=yes, detach=detach, as_json=output is Output.JSON))


@app.command()
def ps(
    everything: Annotated[bool, typer.Option("--all", "-a", help="Every run, not only the last ten that ended.")] = False,
    last: Annotated[int | None, typer.Option("--last", min=0, help="So many runs that ended, beside the live ones.")] = None,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List runs: state, attempt, recoveries, where, step and rate, spent, and what they cost now.

    Live runs and the last ten that ended; with -o json all of them. Example: fleet ps --last 3
    """
    from fleet.cli.ps import show

    raise typer.Exit(show(bucket, everything=everything, last=last, as_json=output is Output.JSON))


@app.command()
def logs(
    run: RunArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing until the run ends.")] = False,
    attempt: Annotated[int | None, typer.Option("--attempt", help="Only this attempt.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Every byte as it was printed, also to a terminal.")] = False,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print what the training printed.

    Example: fleet logs -f racer
    """
    from fleet.cli.logs import show

    raise typer.Exit(show(run, follow=follow, attempt=attempt, bucket=bucket, raw=raw, as_json=output is Output.JSON))


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


@app.command()
def status(run: RunArgument, bucket: BucketOption = None, output: OutputOption = Output.TEXT) -> None:
    """Show one run: where it is and why, what happened, what comes next.

    Example: fleet status racer
    """
    from fleet.cli.status import show

    raise typer.Exit(show(run, bucket, as_json=output is Output.JSON))


@app.command()
def events(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="A run's name or id; without it every event.", autocompletion=run_names),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing until the run has ended.")] = False,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print what the journal holds, oldest first.

    Example: fleet events racer
    """
    from fleet.cli.events import show

    raise typer.Exit(show(run, bucket, follow=follow, as_json=output is Output.JSON))


@app.command()
def resume(
    run: RunArgument,
    budget: Annotated[str | None, typer.Option("--budget", help="A new cap for the whole run, for example $10.")] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once the machine is launched.")] = False,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Let a run that ended go on from its newest checkpoint, and follow it.

    Example: fleet resume racer
    """
    from fleet.cli.resume import go_on

    raise typer.Exit(go_on(run, budget, bucket, detach=detach, as_json=output is Output.JSON))


@app.command("exec", context_settings={"ignore_unknown_options": True})
def execute(
    run: RunArgument,
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="What to run, after --.")],
    identity: Annotated[Path | None, typer.Option("--identity", help="Your private key, on EC2.")] = None,
    come_from: FromOption = None,
    bucket: BucketOption = None,
) -> None:
    """Run a command on the run's machine, beside its training; its exit code is passed on.

    Example: fleet exec racer -- sh -c 'ls -l $FLEET_CHECKPOINTS'
    """
    from fleet.cli.exec import run_there

    raise typer.Exit(run_there(run, command, bucket, identity=identity, come_from=come_from))


@app.command()
def note(
    run: RunArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Your own words.")],
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Keep a word of yours with a run; `fleet status` shows it.

    Example: fleet note racer "reward for speed doubled"
    """
    from fleet.cli.note import add

    raise typer.Exit(add(run, text, bucket, as_json=output is Output.JSON))
