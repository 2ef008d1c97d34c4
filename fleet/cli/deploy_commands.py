"""``fleet controller deploy`` and ``remove``: a controller that goes on when the laptop is closed."""

from __future__ import annotations

from typing import Annotated

import typer

from fleet.cli.app import Commands, Output, OutputOption
from fleet.cli.group_commands import controllers

deployers = typer.Typer(cls=Commands, help="Let a controller run where it outlives this terminal.", no_args_is_help=True)
removers = typer.Typer(cls=Commands, help="Remove a controller that was deployed.", no_args_is_help=True)
controllers.add_typer(deployers, name="deploy")
controllers.add_typer(removers, name="remove")


@deployers.command("aws")
def deploy_aws(
    email: Annotated[
        str | None, typer.Option("--email", help="Whom AWS tells by mail when it fails; it asks there first.")
    ] = None,
    bucket: Annotated[str | None, typer.Option("--bucket", help="The bucket's name; else the remembered one.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Let a function in the AWS account keep runs alive while this computer sleeps; shown with its price first.

    It is called each minute while a run lives, and by EC2's own warnings. Example: fleet controller deploy aws
    """
    from fleet.cli.deploy_aws import deploy

    raise typer.Exit(deploy(email, bucket, yes=yes, as_json=output is Output.JSON))


@removers.command("aws")
def remove_aws(
    bucket: Annotated[str | None, typer.Option("--bucket", help="The bucket's name; else the remembered one.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Remove the function from the AWS account with all that belongs to it; shown and asked about first.

    Example: fleet controller remove aws
    """
    from fleet.cli.deploy_aws import remove

    raise typer.Exit(remove(bucket, yes=yes, as_json=output is Output.JSON))
