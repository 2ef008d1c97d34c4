"""Commands about what clouds ask for their machines, and what training on them comes to."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.app import Output, OutputOption, app
from fleet.cli.complete import gpu_names, infra_names, instance_types, region_names


@app.command()
def prices(
    types: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TYPE]...",
            help="Instance types; 'g6.*' and 'g2-*' mean all of a kind.",
            autocompletion=instance_types,
        ),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            "--region", help="May be given several times; else those that were set up.", autocompletion=region_names
        ),
    ] = None,
    gpu: Annotated[
        str | None, typer.Option("--gpu", help="Every type with this accelerator, for example T4.", autocompletion=gpu_names)
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=90, help="Show prices over so many days.")] = 7,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw them into a file: .html, or .png (needs fleet[plot]).")
    ] = None,
    scores: Annotated[
        bool, typer.Option("--scores", help="Ask EC2 how likely one of these types is had now, from 1 to 10.")
    ] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask for everything anew, however young it is.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show spot prices by type and zone beside on-demand's; EC2's also over time, and how often machines are taken back.

    Example: fleet prices g4dn.xlarge g6.xlarge --region us-east-1 --days 30 --plot prices.html
    Example: fleet prices --gpu T4 --region us-central1 --region us-east-1
    """
    from fleet.cli.prices import show
    from fleet.providers.priced import Wish

    wish = Wish(tuple(region or ()), tuple(types or ()), gpu, days, scores)
    raise typer.Exit(show(wish, plot=plot, refresh=refresh, as_json=output is Output.JSON))


class Market(str, Enum):
    """As in a job."""

    SPOT = "spot"
    SPOT_FIRST = "spot-first"
    ON_DEMAND = "on-demand"


@app.command()
def offers(
    job: Annotated[
        Path | None, typer.Argument(metavar="[JOB]", help="A job file, or a folder that holds fleet.yaml; else the options.")
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option("--gpu", help="An accelerator, and how many: T4, or K80:2.", autocompletion=gpu_names),
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="An instance type; may be given several times.", autocompletion=instance_types),
    ] = None,
    infra: Annotated[
        str | None,
        typer.Option("--infra", help="provider, provider/region or provider/region/zone.", autocompletion=infra_names),
    ] = None,
    market: Annotated[Market, typer.Option("--market", help="What may be bought.")] = Market.SPOT_FIRST,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Every offer, not only the best 40.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Rank what training could run on by what an hour of it is expected to cost: price, interruptions, overheads, speed.

    Example: fleet offers examples/racer/fleet.yaml. Example: fleet offers --gpu T4 --infra aws/us-east-1
    """
    if job is not None and (gpu or types or infra or market is not Market.SPOT_FIRST):
        raise typer.BadParameter("a job says itself what it wants: give either JOB or --gpu, --type, --infra, --market")
    from fleet.cli.offers import Words, show

    wish = Words(gpu, tuple(types or ()), infra, market.value)
    raise typer.Exit(show(job, wish, everything=everything, as_json=output is Output.JSON))
