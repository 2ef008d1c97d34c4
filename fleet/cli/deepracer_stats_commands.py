"""Commands about a DeepRacer model's numbers: stats; declarations only."""

from __future__ import annotations

from typing import Annotated

import typer

from fleet.cli.app import BucketOption, Output, OutputOption
from fleet.cli.deepracer_commands import RecordsArgument, deepracer


@deepracer.command("stats")
def deepracer_stats(
    paths: RecordsArgument,
    last: Annotated[int, typer.Option("--last", min=1, help="Show so many iterations, the newest.")] = 20,
    every: Annotated[bool, typer.Option("--all", help="Show all iterations.")] = False,
    details: Annotated[
        bool, typer.Option("--details", help="Also the use of actions, where cars leave the track, and more numbers.")
    ] = False,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Sum up a training by iteration (reward, completion, laps, entropy, real time) and say what there is to act on.

    Several files are one training. Example: fleet deepracer stats robomaker.log metrics/TrainingMetrics.json
    """
    from fleet.cli.deepracer_stats import show

    raise typer.Exit(show(paths, bucket, last=None if every else last, details=details, as_json=output is Output.JSON))
