"""Commands that show a DeepRacer training: plot, watch; declarations only."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.app import BucketOption, Output, OutputOption
from fleet.cli.deepracer_commands import RecordsArgument, deepracer

TrackOption = Annotated[
    str, typer.Option("--track", metavar="WORLD", help="The track, where the records do not name it.", show_default=False)
]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Fetch no track: its borders are left out if unknown here.")]


class What(str, Enum):
    """What a picture shows."""

    SPEED = "speed"
    TIME = "time"
    REWARD = "reward"
    OFF_TRACK = "off-track"
    LAPS = "laps"
    CURVES = "curves"


@deepracer.command("plot")
def deepracer_plot(
    paths: RecordsArgument,
    file: Annotated[Path, typer.Option("--file", "-f", help="Where to draw: a name that ends in .html or .png.")],
    what: Annotated[
        list[What] | None,
        typer.Option("--what", help="Of a picture, repeatable; else speed, off-track, laps, curves.", show_default=False),
    ] = None,
    iterations: Annotated[
        str | None, typer.Option("--iterations", metavar="A-B", help="Maps of these alone: 7, 10-20, 10-.")
    ] = None,
    track: TrackOption = "",
    offline: OfflineOption = False,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Draw a training: the track by speed, time and reward, where cars leave it, laps, curves; a picture or a page.

    The page is one file that fetches nothing. Example: fleet deepracer plot shanghai-1 -f shanghai-1.html
    """
    from fleet.cli.deepracer_draw import draw

    wanted = [one.value for one in what or ()]
    as_json = output is Output.JSON
    raise typer.Exit(draw(paths, file, wanted, iterations, bucket, world=track, offline=offline, as_json=as_json))


@deepracer.command("watch")
def deepracer_watch(
    paths: RecordsArgument,
    page: Annotated[bool, typer.Option("--page", help="Also serve a live page, to this computer alone.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Of the page; 0: any that is free.")] = 0,
    every: Annotated[str, typer.Option("--every", help="Look so often; less often where a look is dear.")] = "10s",
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    track: TrackOption = "",
    offline: OfflineOption = False,
    bucket: BucketOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Watch a training live, in the terminal or as a page, until its run ends; takes less than 1 % of a core.

    Exit code 4 if the run did not succeed; Ctrl-C leaves it going. Example: fleet deepracer watch shanghai-1 --page
    """
    from fleet.cli.deepracer_watch import Wish, watch

    as_json = output is Output.JSON
    wish = Wish(page=page, port=port, every=every, once=once, world=track, offline=offline, as_json=as_json)
    raise typer.Exit(watch(paths, bucket, wish))
