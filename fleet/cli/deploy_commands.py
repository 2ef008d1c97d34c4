"""``fleet controller deploy`` and ``remove``: a controller that goes on when the laptop is closed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.app import Commands, Output, OutputOption
from fleet.cli.complete import ssh_hosts
from fleet.cli.group_commands import controllers

deployers = typer.Typer(cls=Commands, help="Let a controller run where it outlives this terminal.", no_args_is_help=True)
removers = typer.Typer(cls=Commands, help="Remove a controller that was deployed.", no_args_is_help=True)
controllers.add_typer(deployers, name="deploy")
controllers.add_typer(removers, name="remove")


HostArgument = Annotated[
    str,
    typer.Argument(metavar="USER@HOST", help="As `ssh` takes it: your SSH configuration counts.", autocompletion=ssh_hosts),
]
IdentityOption = Annotated[Path | None, typer.Option("--identity", "-i", help="The private key to log in with.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


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


@deployers.command("ssh")
def deploy_ssh(
    host: HostArgument,
    bucket: Annotated[
        list[str] | None,
        typer.Option("--bucket", help="A bucket's URL, or several; else all in a cloud that are known here."),
    ] = None,
    cron: Annotated[
        bool, typer.Option("--cron", help="Let cron make a round each minute, where there is no systemd.")
    ] = False,
    profile: Annotated[
        str | None, typer.Option("--profile", help="The AWS profile to use, of those that the host has by itself.")
    ] = None,
    identity: IdentityOption = None,
    yes: YesOption = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Put a controller on a small Linux host, which needs Python 3.10 and its own AWS credentials; shown and asked first.

    Example: fleet controller deploy ssh pi@raspberrypi.local
    """
    from fleet.cli.deploy_host import deploy_ssh as deploy

    as_json = output is Output.JSON
    raise typer.Exit(deploy(host, bucket or (), profile, identity, cron=cron, yes=yes, as_json=as_json))


@deployers.command("cron")
def deploy_cron(yes: YesOption = False, output: OutputOption = Output.TEXT) -> None:
    """Let this computer's cron make a round each minute, where neither systemd nor launchd can run the loop.

    Example: fleet controller deploy cron
    """
    from fleet.cli.deploy_host import deploy_cron as deploy

    raise typer.Exit(deploy(yes=yes, as_json=output is Output.JSON))


@removers.command("ssh")
def remove_ssh(
    host: HostArgument, identity: IdentityOption = None, yes: YesOption = False, output: OutputOption = Output.TEXT
) -> None:
    """Stop the controller on a host, and remove what was put there. Runs go on, without anybody to relaunch them.

    Example: fleet controller remove ssh pi@raspberrypi.local
    """
    from fleet.cli.deploy_host import remove_ssh as remove

    raise typer.Exit(remove(host, identity, yes=yes, as_json=output is Output.JSON))


@removers.command("cron")
def remove_cron(yes: YesOption = False, output: OutputOption = Output.TEXT) -> None:
    """Take fleet's line out of this computer's crontab; the others stay as they are.

    Example: fleet controller remove cron
    """
    from fleet.cli.deploy_host import remove_cron as remove

    raise typer.Exit(remove(yes=yes, as_json=output is Output.JSON))
