"""Commands about DeepRacer models: declarations only."""

from __future__ import annotations

import typer

from fleet.cli.app import Commands, app

deepracer = typer.Typer(cls=Commands, help="Check, repair and look after DeepRacer trainings.", no_args_is_help=True)
app.add_typer(deepracer, name="deepracer")
