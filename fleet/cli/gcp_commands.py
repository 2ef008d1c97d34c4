"""Commands about a Google Cloud project: what ``fleet init gcp`` made there, and who may do what."""

from __future__ import annotations

from typing import Annotated

import typer

from fleet.cli.app import Output, OutputOption
from fleet.cli.aws_commands import destroyers, policies

ProjectOption = Annotated[
    str | None, typer.Option("--project", help="The project's id; else the remembered one, else the login's.")
]
NamedBucket = Annotated[
    str | None, typer.Option("--bucket", help="The bucket: gs://NAME, or s3://NAME; else the remembered one.")
]


@destroyers.command("gcp")
def destroy_gcp(
    project: ProjectOption = None,
    delete_volumes: Annotated[
        bool, typer.Option("--delete-volumes", help="Delete disks too, with everything on them.")
    ] = False,
    delete_bucket: Annotated[
        bool, typer.Option("--delete-bucket", help="Delete the bucket too, with every checkpoint and model in it.")
    ] = False,
    bucket: NamedBucket = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Remove from the project what `fleet init gcp` made; shown and asked about first. Data stays unless you say so.

    Example: fleet destroy gcp
    """
    from fleet.cli.destroy_gcp import remove

    as_json = output is Output.JSON
    code = remove(project, bucket, delete_volumes=delete_volumes, delete_bucket=delete_bucket, yes=yes, as_json=as_json)
    raise typer.Exit(code)


@policies.command("gcp")
def policy_gcp(
    role: Annotated[bool, typer.Option("--role", help="What machines may do, instead of the controller.")] = False,
    setup: Annotated[bool, typer.Option("--setup", help="What `fleet init` and `destroy gcp` need.")] = False,
    project: ProjectOption = None,
    bucket: NamedBucket = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print a custom role: what a controller needs in the Google Cloud project, and no more.

    Example: fleet policy gcp > controller.json
    """
    from fleet.cli.policy_gcp import show

    raise typer.Exit(show(project, bucket, role=role, setup=setup, as_json=output is Output.JSON))
