"""Commands about DeepRacer models: declarations only."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.app import Commands, Output, OutputOption, app

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
        bool, typer.Option("--after-nan", help="Go two whole sets back: the newest may hold weights that are no numbers.")
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
