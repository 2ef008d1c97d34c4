"""Commands about versions of DeepRacer models: declarations only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.app import BucketOption, Output, OutputOption
from fleet.cli.complete import run_names
from fleet.cli.deepracer_commands import deepracer

MODEL_HELP = "A run, a folder that holds model/, a job's folder, or s3://bucket/prefix."


@deepracer.command("clone")
def deepracer_clone(
    source: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP, autocompletion=run_names, show_default=False)],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="The new version, as shanghai-1.3; else the next of MODEL's.", show_default=False
        ),
    ] = None,
    begin: Annotated[
        str, typer.Option("--from", metavar="SET", help="best, last, a set's number N, or nothing: begin anew.")
    ] = "last",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A hyperparameter, or what the job says; as often as you like."),
    ] = None,
    track: Annotated[
        list[str] | None, typer.Option("--track", metavar="TRACK", help="The track; several: as often as you like.")
    ] = None,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Why, to be kept with it.")] = None,
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="DIR", help="Where it is made; else beside MODEL's folder, or here."),
    ] = None,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make a new version of a model: a job of its own that goes on from one of its sets; the source is only read.

    Example: fleet deepracer clone shanghai-1 shanghai-2 --from best --set learning_rate=0.0001
    """
    from fleet.cli.deepracer_clone import clone

    done = clone(
        source,
        name,
        begin=begin,
        sets=settings or (),
        tracks=track or (),
        note=note,
        into=into,
        bucket=bucket,
        as_json=output is Output.JSON,
    )
    raise typer.Exit(done)


@deepracer.command("tree")
def deepracer_tree(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The folder of the versions' folders; else this one.", show_default=False)
    ] = Path(),
    results: Annotated[bool, typer.Option("--results/--no-results", help="Look at runs and metrics, too.")] = True,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show the versions of models below a folder: what each came from and changed, how far it came, your notes.

    Example: fleet deepracer tree
    """
    from fleet.cli.deepracer_tree import tree

    raise typer.Exit(tree(folder, bucket, results=results, as_json=output is Output.JSON))


@deepracer.command("diff")
def deepracer_diff(
    first: Annotated[str, typer.Argument(metavar="A", help=MODEL_HELP, autocompletion=run_names, show_default=False)],
    second: Annotated[
        str | None,
        typer.Argument(
            metavar="[B]", help="Another; else what A was cloned from.", autocompletion=run_names, show_default=False
        ),
    ] = None,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what two models differ in: reward function, hyperparameters, tracks, race, actions, images.

    Example: fleet deepracer diff shanghai-1 shanghai-2
    """
    from fleet.cli.deepracer_diff import diff

    raise typer.Exit(diff(first, second, bucket, as_json=output is Output.JSON))


@deepracer.command("note")
def deepracer_note(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP, autocompletion=run_names, show_default=False)],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to remember.", show_default=False)],
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Keep a note with a version, in the lineage.json of its folder; `fleet deepracer tree` shows it.

    Example: fleet deepracer note shanghai-2 "brakes too late in the hairpin"
    """
    from fleet.cli.deepracer_diff import note

    raise typer.Exit(note(model, text, bucket, as_json=output is Output.JSON))
