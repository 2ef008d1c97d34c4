"""Commands that go to a run's machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fleet.cli.app import BucketOption, RunArgument, app

IdentityOption = Annotated[
    Path | None, typer.Option("--identity", "-i", help="Your private key; else your ssh-agent's, and those in ~/.ssh.")
]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="CIDR",
        help="Who is let in to port 22 meanwhile; else your own address, found out. iap: through Google's proxy (gcloud).",
    ),
]


@app.command()
def ssh(
    run: RunArgument, identity: IdentityOption = None, come_from: FromOption = None, bucket: BucketOption = None
) -> None:
    """Log in to the run's machine; its host key is known beforehand, and no other is accepted.

    On local a shell where the training runs. A shell ends with its machine: it says then where the run goes on.
    Example: fleet ssh racer
    """
    from fleet.cli.ssh import log_in

    raise typer.Exit(log_in(run, bucket, identity=identity, come_from=come_from))


@app.command()
def forward(
    run: RunArgument,
    ports: Annotated[list[str], typer.Argument(metavar="PORT[:PORT]...", help="Here, and on the machine if it differs.")],
    identity: IdentityOption = None,
    come_from: FromOption = None,
    bucket: BucketOption = None,
) -> None:
    """Let ports of this computer lead to the run's machine, and to the next one when it is replaced. Ctrl-C ends it.

    Example: fleet forward racer 8080:80
    """
    from fleet.cli.forward import forward as carry

    raise typer.Exit(carry(run, ports, bucket, identity=identity, come_from=come_from))
