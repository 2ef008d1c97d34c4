"""``fleet controller deploy`` and ``remove``: a controller that goes on when the laptop is closed."""

from __future__ import annotations

import typer

from fleet.cli.app import Commands
from fleet.cli.group_commands import controllers

deployers = typer.Typer(cls=Commands, help="Let a controller run where it outlives this terminal.", no_args_is_help=True)
removers = typer.Typer(cls=Commands, help="Remove a controller that was deployed.", no_args_is_help=True)
controllers.add_typer(deployers, name="deploy")
controllers.add_typer(removers, name="remove")
