"""Commands that try a policy before anything is spent."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.app import Output, OutputOption, app
from fleet.cli.complete import policy_names


class Model(str, Enum):
    """What is simulated."""

    TICK = "tick"


@app.command()
def simulate(
    model: Annotated[
        Model | None, typer.Option("--model", help="tick: the public benchmark's model of one job, tick by tick.")
    ] = None,
    traces: Annotated[
        Path | None,
        typer.Option("--traces", metavar="DIR", help="A folder of traces; each file is a window, from its first tick."),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", metavar="NAME", help="May be given several times; else all.", autocompletion=policy_names),
    ] = None,
    work: Annotated[str | None, typer.Option("--work", metavar="TIME", help="Training at full speed, as 48h.")] = None,
    deadline: Annotated[
        str | None, typer.Option("--deadline", metavar="TIME", help="From the first tick on, as 52h; else there is none.")
    ] = None,
    overhead: Annotated[
        str, typer.Option("--overhead", metavar="TIME", help="From a launch to training, again at each launch.")
    ] = "3m",
    restore: Annotated[
        str | None,
        typer.Option("--restore", metavar="TIME", help="Of it, lost even if a machine booted beside; else 1m at most."),
    ] = None,
    spot_price: Annotated[
        list[str] | None,
        typer.Option(
            "--spot-price", metavar="[ZONE=]USD", help="Per hour, 0.9731 if not given; for a zone: us-east-1a=0.95."
        ),
    ] = None,
    on_demand_price: Annotated[float, typer.Option("--on-demand-price", metavar="USD", help="Per hour.")] = 3.06,
    zones: Annotated[
        bool, typer.Option("--zones", help="The files are zones of one clock that a run may move between: one window.")
    ] = False,
    transfer: Annotated[
        float, typer.Option("--transfer", metavar="USD", help="For each change of region; with --zones.")
    ] = 0.0,
    nodes: Annotated[int, typer.Option("--nodes", min=1, help="Machines that must be available together.")] = 1,
    output: OutputOption = Output.TEXT,
) -> None:
    """Try policies on measured traces of spot's availability: cost, lateness, launches. Nothing is spent.

    Example: fleet simulate --model tick --traces DIR --policy greedy --policy omniscient --work 48h --deadline 52h
    """
    from fleet.cli.simulate_ticks import Wish, show
    from fleet.model.errors import FleetError

    if model is not Model.TICK:
        raise FleetError("what to simulate is not said", "For example: fleet simulate --model tick --traces DIR --work 48h")
    wish = Wish.of(traces, policy, work, deadline, overhead, restore, spot_price, on_demand_price, transfer, nodes)
    raise typer.Exit(show(wish, zones=zones, as_json=output is Output.JSON))
