"""Commands about images that machines boot fast from."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from fleet.cli.app import Commands, Output, OutputOption, app
from fleet.cli.complete import driver_names, image_ids, instance_types, region_names

images = typer.Typer(
    cls=Commands, help="Prepare images that machines boot fast from, and look after them.", no_args_is_help=True
)
app.add_typer(images, name="ami")


class Base(str, Enum):
    """What images are made from."""

    NOBLE = "ubuntu-24.04"
    JAMMY = "ubuntu-22.04"


class Kind(str, Enum):
    """Without, or with a GPU's driver."""

    CPU = "cpu"
    GPU = "gpu"


class Arch(str, Enum):
    """Processors."""

    X86 = "x86_64"
    ARM = "aarch64"


RegionsOption = Annotated[
    list[str] | None,
    typer.Option("--region", help="May be given several times; else those of the AWS set-up.", autocompletion=region_names),
]
BucketOption = Annotated[str | None, typer.Option("--bucket", help="The fleet's bucket; else the remembered one.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ImageArgument = Annotated[str, typer.Argument(metavar="IMAGE", help="An image's id.", autocompletion=image_ids)]


@images.command("build")
def ami_build(
    base: Annotated[
        Base | None, typer.Option("--base", help="What it is made from; else what machines of its kind boot from.")
    ] = None,
    variant: Annotated[Kind, typer.Option("--variant", help="gpu: with NVIDIA's driver.")] = Kind.CPU,
    driver: Annotated[
        str | None, typer.Option("--driver", help="The driver's branch; else the newest.", autocompletion=driver_names)
    ] = None,
    arch: Annotated[Arch, typer.Option("--arch", help="The processor.")] = Arch.X86,
    region: Annotated[
        str | None, typer.Option("--region", help="Images belong to one; else the bucket's.", autocompletion=region_names)
    ] = None,
    pull: Annotated[
        list[str] | None,
        typer.Option("--pull", metavar="IMAGE@sha256:…", help="A docker image to pull ahead; may be given several times."),
    ] = None,
    instance_type: Annotated[
        str | None,
        typer.Option("--instance-type", help="To build on; it needs no GPU.", autocompletion=instance_types),
    ] = None,
    disk: Annotated[str | None, typer.Option("--disk", metavar="SIZE", help="Of the root disk, for example 60GB.")] = None,
    come_from: Annotated[
        str | None, typer.Option("--from", metavar="CIDR", help="The address that you come from; else it is found out.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be built, and build nothing.")] = False,
    bucket: BucketOption = None,
    yes: YesOption = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Build an image with Packer; what it costs is shown and asked about first. Later launches take it by themselves.

    Example: fleet ami build --variant gpu --region us-east-1
    """
    from fleet.cli.ami_build import build, wish_of

    chosen = {"base": base, "variant": variant, "arch": arch}
    words = {name: value.value for name, value in chosen.items() if value is not None}
    wish = wish_of(words, driver, region, pull, instance_type, disk, come_from)
    raise typer.Exit(build(wish, bucket, dry_run=dry_run, yes=yes, as_json=output is Output.JSON))


@images.command("list")
def ami_list(region: RegionsOption = None, bucket: BucketOption = None, output: OutputOption = Output.TEXT) -> None:
    """List the images that fleet made: what is in them, how old they are, what they cost, which of them a launch takes.

    Example: fleet ami list
    """
    from fleet.cli.ami_list import show

    raise typer.Exit(show(bucket, region or (), as_json=output is Output.JSON))


@images.command("share")
def ami_share(
    image: ImageArgument,
    accounts: Annotated[
        list[str] | None, typer.Argument(metavar="[ACCOUNT]...", help="AWS accounts, each by its 12 digits.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Everybody. Think twice.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="No longer, instead.")] = False,
    region: RegionsOption = None,
    bucket: BucketOption = None,
    yes: YesOption = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Let other AWS accounts launch machines from an image; they name it in `resources.image_id`.

    Example: fleet ami share ami-0123456789abcdef0 210987654321
    """
    from fleet.cli.ami_share import share

    as_json = output is Output.JSON
    code = share(image, accounts or (), bucket, region or (), public=public, stop=stop, yes=yes, as_json=as_json)
    raise typer.Exit(code)


@images.command("prune")
def ami_prune(
    keep: Annotated[int, typer.Option("--keep", min=1, help="So many of each kind stay, the newest.")] = 1,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Younger ones stay, for example 90d.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove every image that is not in use.")] = False,
    region: RegionsOption = None,
    bucket: BucketOption = None,
    yes: YesOption = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Remove images that newer ones replace, with their snapshots; shown and asked about first. What is in use stays.

    Example: fleet ami prune --older-than 90d
    """
    from fleet.cli.ami_prune import limits_of, prune

    limits = limits_of(keep, older_than, everything=everything)
    raise typer.Exit(prune(limits, bucket, region or (), yes=yes, as_json=output is Output.JSON))
