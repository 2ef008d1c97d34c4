"""Commands about a DeepRacer model's export; declarations only."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from fleet.cli.app import BucketOption, Output, OutputOption
from fleet.cli.complete import run_names
from fleet.cli.deepracer_commands import deepracer


class Taker(str, Enum):
    """Who takes the model."""

    CONSOLE = "console"
    DROA = "droa"
    CAR = "car"
    FOLDER = "folder"


class Form(str, Enum):
    """Whose format a folder has."""

    OLD = "2019"
    TODAY = "today"


@deepracer.command("export")
def deepracer_export(
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="[MODEL] DEST",
            help="A run, a folder that holds model/, a job's folder, s3://… (else this folder); and where it goes: a "
            "folder, s3://bucket/prefix, for the car also FILE.tar.gz.",
            show_default=False,
            autocompletion=run_names,
        ),
    ],
    to: Annotated[
        Taker,
        typer.Option(
            "--to",
            help="console: a bucket to import from; droa: DeepRacer on AWS; car: its archive; folder.",
            show_default=False,
        ),
    ],
    best: Annotated[bool, typer.Option("--best", help="The set that evaluations call the best.")] = False,
    last: Annotated[bool, typer.Option("--last", help="The last set that was committed: the default.")] = False,
    checkpoint: Annotated[
        int | None, typer.Option("--checkpoint", min=0, metavar="N", help="The set N_Step-Y.", show_default=False)
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="Of a folder: today's, or the five files of 2019.")] = Form.TODAY,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Hand a model on: one set of it, checked for NaN, sent, and read back; into no place that holds something else.

    Broken off, the same command goes on with it. Example: fleet deepracer export shanghai-1 --best --to car carfile.tar.gz
    """
    if len(places) > 2:
        raise typer.BadParameter(f"one model and one place, not {len(places)} words", param_hint="'[MODEL] DEST'")
    if best + last + (checkpoint is not None) > 1:
        raise typer.BadParameter("--best, --last and --checkpoint: one of them", param_hint="'--checkpoint'")
    if form is Form.OLD and to is not Taker.FOLDER:
        raise typer.BadParameter("only of a folder", param_hint="'--format'")
    from fleet.cli.deepracer_export import Asked, export
    from fleet.workloads.deepracer.chosen import Wanted

    wanted: Wanted = checkpoint if checkpoint is not None else "best" if best else "last"
    model = places[0] if len(places) == 2 else None
    asked = Asked(model, places[-1], wanted, to.value, form.value, bucket)
    raise typer.Exit(export(asked, as_json=output is Output.JSON))
