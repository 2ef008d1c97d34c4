"""Commands that try things out on the past."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.app import Output, OutputOption, app
from fleet.cli.complete import market_names, policy_names


@app.command()
def simulate(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="A job file, or a folder with a fleet.yaml.")] = Path(
        "fleet.yaml"
    ),
    market: Annotated[
        str,
        typer.Option(
            "--market",
            help="calm, average or stormy; or a file: traces, a table of prices, an exported history.",
            autocompletion=market_names,
        ),
    ] = "average",
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", help="Only these, may be given several times.", autocompletion=policy_names),
    ] = None,
    runs: Annotated[int, typer.Option("--runs", help="How often each is tried.")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the first run: the same seeds give the same figures.")] = 0,
    estimate: Annotated[str | None, typer.Option("--estimate", help="In place of the job's: 6h.")] = None,
    deadline: Annotated[str | None, typer.Option("--deadline", help="In place of the job's: 12h.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw costs and finishing times into this .html file.")] = None,
    timeline: Annotated[bool, typer.Option("--timeline", help="Tell one run, from its launch to its end.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Try a job on past or drawn prices and capacity, through the same decisions as in the cloud. Nothing is launched.

    Example: fleet simulate fleet.yaml --market stormy --estimate 6h --plot costs.html
    """
    from fleet.cli.simulate_job import Wish, run

    wish = Wish(job, market, tuple(policy or ()), runs, seed, estimate, deadline)
    raise typer.Exit(run(wish, plot=plot, timeline=timeline, as_json=output is Output.JSON))
