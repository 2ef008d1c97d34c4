"""The command about a DeepRacer model's weights: declarations only."""

from __future__ import annotations

from typing import Annotated

import typer

from fleet.cli.app import BucketOption, Output, OutputOption
from fleet.cli.complete import run_names
from fleet.cli.deepracer_commands import deepracer


@deepracer.command("weights")
def deepracer_weights(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A run, a folder that holds model/, a job's folder, or s3://bucket/prefix.",
            autocompletion=run_names,
            show_default=False,
        ),
    ],
    checkpoint: Annotated[
        str, typer.Option("--checkpoint", metavar="SET", help="best, last, or a set's number N.")
    ] = "last",
    everything: Annotated[bool, typer.Option("--all", help="Also the optimiser's tensors, counters, and texts.")] = False,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Look into a set's weights, without TensorFlow: NaN, infinities, weights that grow beyond all measure; 1 if not finite.

    Example: fleet deepracer weights shanghai-1 --checkpoint 12
    """
    from fleet.cli.deepracer_weights import show

    raise typer.Exit(show(model, checkpoint, bucket, everything=everything, as_json=output is Output.JSON))
