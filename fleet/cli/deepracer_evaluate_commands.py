"""Commands that let DeepRacer models drive: declarations only."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from fleet.cli.app import BucketOption, Output, OutputOption
from fleet.cli.complete import run_names
from fleet.cli.deepracer_commands import deepracer


class Race(str, Enum):
    """What a race is about."""

    TIME_TRIAL = "TIME_TRIAL"
    OBJECT_AVOIDANCE = "OBJECT_AVOIDANCE"
    HEAD_TO_BOT = "HEAD_TO_BOT"


@deepracer.command("evaluate")
def deepracer_evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="[MODEL]",
            help="A run, a folder that holds model/, a job's folder, s3://bucket/prefix; else this folder.",
            autocompletion=run_names,
            show_default=False,
        ),
    ] = ".",
    track: Annotated[
        list[str] | None, typer.Option("--track", help="A world's name; may be given several times. Else the model's own.")
    ] = None,
    laps: Annotated[int, typer.Option("--laps", min=1, max=1000, help="On each track.")] = 5,
    come_from: Annotated[str, typer.Option("--from", help="Which set drives: best, last, or its number N.")] = "last",
    race: Annotated[Race | None, typer.Option("--race", help="Else the model's own.")] = None,
    resets: Annotated[
        int,
        typer.Option(
            "--resets", min=0, help="Put the car back so often in a lap, with a penalty; 0: a lap ends off the track."
        ),
    ] = 0,
    infra: Annotated[
        str | None,
        typer.Option("--infra", help="local, aws, gcp, with a region if you like; else where the model is trained."),
    ] = None,
    instance_type: Annotated[
        list[str] | None,
        typer.Option("--instance-type", help="Else the cheapest with eight CPUs; may be repeated."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The run's name; else MODEL-eval.")] = None,
    budget: Annotated[str | None, typer.Option("--budget", help="At most, as $2; else by the number of laps.")] = None,
    max_duration: Annotated[
        str | None, typer.Option("--max-duration", help="At most, as 2h; else by the number of laps.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end, or leave it once it runs.")] = True,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Let a model drive laps on any track, on a cheap machine without a GPU; the laps are told as they come, and kept.

    Ctrl-C leaves it running. Example: fleet deepracer evaluate shanghai-1 --track reinvent_base --laps 5
    """
    from fleet.cli.deepracer_evaluate import evaluate
    from fleet.cli.deepracer_evaluation_job import Wish
    from fleet.workloads.deepracer.chosen import parse_wanted

    wish = Wish(
        tracks=tuple(track or ()),
        laps=laps,
        wanted=parse_wanted(come_from),
        race=race.value if race is not None else None,
        resets=resets,
        infra=infra,
        instance_types=tuple(instance_type or ()),
        name=name,
        budget=budget,
        max_duration=max_duration,
        bucket=bucket,
    )
    raise typer.Exit(evaluate(model, wish, wait=wait, yes=yes, as_json=output is Output.JSON))


@deepracer.command("evaluations")
def deepracer_evaluations(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Only of these; else of all.", autocompletion=run_names),
    ] = None,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Compare evaluations: model, set, track, laps, completion, lap times, off tracks, when, and what they cost.

    Example: fleet deepracer evaluations shanghai-1 shanghai-2
    """
    from fleet.cli.deepracer_evaluations import show

    raise typer.Exit(show(models or [], bucket, as_json=output is Output.JSON))
