"""Commands about DeepRacer models: declarations only."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.app import BucketOption, Commands, Output, OutputOption, RunArgument, app
from fleet.cli.complete import run_names
from fleet.cli.reach_commands import FromOption, IdentityOption

deepracer = typer.Typer(cls=Commands, help="Check, repair and look after DeepRacer trainings.", no_args_is_help=True)
app.add_typer(deepracer, name="deepracer")


class Format(str, Enum):
    """Whose pointers a prefix has."""

    OLD = "2019"
    TODAY = "today"
    AUTO = "auto"


@deepracer.command("check")
def deepracer_check(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The folder that holds fleet.yaml; else this one.", show_default=False)
    ] = Path(),
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the reward over the track into this file (.png, .svg, .pdf).")
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", help="Compare with this model (a folder, s3://…), not with `pretrained`.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Fetch no track; a circuit stands in for one.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Try the reward function, and check actions, hyperparameters and tracks, before any money is spent; 1 if not ready.

    Example: fleet deepracer check shanghai-1 --plot reward.png
    """
    from fleet.cli.deepracer_check import check

    raise typer.Exit(check(folder, plot, against, offline=offline, as_json=output is Output.JSON))


@deepracer.command("repair")
def deepracer_repair(
    prefix: Annotated[
        str,
        typer.Argument(metavar="PREFIX", help="The folder that holds model/, or s3://bucket/prefix.", show_default=False),
    ],
    apply: Annotated[bool, typer.Option("--apply", help="Do it; else it is only said. The trainer must be dead.")] = False,
    after_nan: Annotated[
        bool, typer.Option("--after-nan", help="Go back to the newest set without NaN; where that cannot be told, two.")
    ] = False,
    form: Annotated[
        Format, typer.Option("--format", help="Whose pointers to write; auto: those that are there, else today's.")
    ] = Format.AUTO,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, should the trainer's lock be fresh.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Find the newest whole set after a crash of the trainer, and make a model load from it; nothing is deleted.

    Example: fleet deepracer repair s3://bucket/shanghai-1 --apply
    """
    from fleet.cli.deepracer_repair import repair

    as_json = output is Output.JSON
    raise typer.Exit(repair(prefix, apply=apply, after_nan=after_nan, form=form.value, yes=yes, as_json=as_json))


@deepracer.command("status")
def deepracer_status(run: RunArgument, bucket: BucketOption = None, output: OutputOption = Output.TEXT) -> None:
    """Show how far a training is, over all its machines: iterations, reward, progress, checkpoints, what was lost, the disk.

    Example: fleet deepracer status shanghai-1
    """
    from fleet.cli.deepracer_status import show

    raise typer.Exit(show(run, bucket, as_json=output is Output.JSON))


@deepracer.command("doctor")
def deepracer_doctor(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="Look at its machine; else at this computer.", autocompletion=run_names),
    ] = None,
    paste: Annotated[
        bool, typer.Option("--paste", help="One block of text to ask for help with; secrets are taken out.")
    ] = False,
    identity: IdentityOption = None,
    come_from: FromOption = None,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Check docker, GPU, containers, files, progress and disk, here or on a run's machine; each line with what to do.

    Exit code 1 if something is not ok. Example: fleet deepracer doctor shanghai-1 --paste
    """
    from fleet.cli.deepracer_doctor import check

    as_json = output is Output.JSON
    raise typer.Exit(check(run, bucket, paste=paste, as_json=as_json, identity=identity, come_from=come_from))


@deepracer.command("clean")
def deepracer_clean(
    prefix: Annotated[
        str,
        typer.Argument(
            metavar="PREFIX",
            help="The folder that holds model/, s3://bucket/prefix, or a folder of such.",
            show_default=False,
        ),
    ],
    apply: Annotated[bool, typer.Option("--apply", help="Do it; else it is only shown.")] = False,
    keep: Annotated[
        int, typer.Option("--keep", min=2, help="Whole sets that stay, beside the best and what pointers name.")
    ] = 4,
    docker: Annotated[
        bool,
        typer.Option(
            "--docker", help="Also what the stack left on this computer: docker's logs, old images, /tmp/sagemaker."
        ),
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what of a model's files nobody needs any more, and remove it with --apply; what a resume needs always stays.

    Example: fleet deepracer clean s3://bucket/shanghai-1 --apply
    """
    from fleet.cli.deepracer_clean import clean

    raise typer.Exit(clean(prefix, apply=apply, keep=keep, docker=docker, as_json=output is Output.JSON))
