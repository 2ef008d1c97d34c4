"""Commands about an AWS account: what ``fleet init aws`` made there, and who may do what."""

from __future__ import annotations

from typing import Annotated

import typer

from fleet.cli.app import Commands, Output, OutputOption, app

destroyers = typer.Typer(cls=Commands, help="Remove from a cloud what `fleet init` made there.", no_args_is_help=True)
policies = typer.Typer(cls=Commands, help="Print who may do what in a cloud.", no_args_is_help=True)
app.add_typer(destroyers, name="destroy")
app.add_typer(policies, name="policy")


@destroyers.command("aws")
def destroy_aws(
    delete_volumes: Annotated[
        bool, typer.Option("--delete-volumes", help="Delete volumes and snapshots too, with everything on them.")
    ] = False,
    delete_bucket: Annotated[
        bool, typer.Option("--delete-bucket", help="Delete the bucket too, with every checkpoint and model in it.")
    ] = False,
    bucket: Annotated[str | None, typer.Option("--bucket", help="The bucket's name; else the remembered one.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Remove from the AWS account what `fleet init aws` made; shown and asked about first. Data stays unless you say so.

    Example: fleet destroy aws
    """
    from fleet.cli.destroy_aws import remove

    as_json = output is Output.JSON
    code = remove(bucket, delete_volumes=delete_volumes, delete_bucket=delete_bucket, yes=yes, as_json=as_json)
    raise typer.Exit(code)


@policies.command("aws")
def policy_aws(
    role: Annotated[bool, typer.Option("--role", help="What machines may do, instead of the controller.")] = False,
    setup: Annotated[
        bool, typer.Option("--setup", help="What `fleet init`, `destroy` and `controller deploy aws` need.")
    ] = False,
    images: Annotated[bool, typer.Option("--images", help="What `fleet ami` needs beside the controller's.")] = False,
    bucket: Annotated[str | None, typer.Option("--bucket", help="The bucket's name; else the remembered one.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print an IAM policy: what a controller needs in the AWS account, and no more.

    Example: fleet policy aws > controller.json
    """
    from fleet.cli.policy_aws import show

    raise typer.Exit(show(bucket, role=role, setup=setup, images=images, as_json=output is Output.JSON))
