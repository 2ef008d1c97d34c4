"""Commands that try a job or a policy before anything is spent."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.app import Output, OutputOption, app
from fleet.cli.complete import market_names, policy_names


class Model(str, Enum):
    """What is simulated."""

    TICK = "tick"


@app.command()
def simulate(
    job: Annotated[
        Path | None, typer.Argument(metavar="[JOB]", help="A job file, or a folder that holds a fleet.yaml.")
    ] = None,
    market: Annotated[
        str,
        typer.Option(
            "--market",
            help="Of the job: calm, average or stormy; or a file: traces, prices, an exported history.",
            autocompletion=market_names,
        ),
    ] = "average",
    runs: Annotated[int, typer.Option("--runs", help="How often the job is tried under each policy.")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of its first run: the same seeds give the same figures.")] = 0,
    estimate: Annotated[str | None, typer.Option("--estimate", metavar="TIME", help="In place of the job's, as 6h.")] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the job's costs and finishing times into this .html file.")
    ] = None,
    timeline: Annotated[bool, typer.Option("--timeline", help="Tell one run of the job from beginning to end.")] = False,
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
        str | None, typer.Option("--deadline", metavar="TIME", help="As 52h: of the traces, or in place of the job's.")
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
    """Try a job on past or drawn prices and capacity, through the decisions that are made in the cloud; or, with
    `--model tick`, policies on measured traces. Nothing is spent.

    Example: fleet simulate fleet.yaml --market stormy --estimate 6h --deadline 9h --plot costs.html
    """
    from fleet.model.errors import FleetError

    as_json = output is Output.JSON
    if model is Model.TICK:
        from fleet.cli.simulate_ticks import Wish, show

        if job is not None:
            raise FleetError("the tick model knows no jobs", "Leave JOB out, or leave --model out.")
        wish = Wish.of(traces, policy, work, deadline, overhead, restore, spot_price, on_demand_price, transfer, nodes)
        raise typer.Exit(show(wish, zones=zones, as_json=as_json))
    if job is None:
        raise FleetError(
            "what to simulate is not said",
            "For example: fleet simulate fleet.yaml; or fleet simulate --model tick --traces DIR --work 48h",
        )
    from fleet.cli import simulate_job

    tried = simulate_job.Wish(job, market, tuple(policy or ()), runs, seed, estimate, deadline)
    raise typer.Exit(simulate_job.run(tried, plot=plot, timeline=timeline, as_json=as_json))
