"""``fleet ami build``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet.cli.app import EXIT_INTERRUPTED
from fleet.cli.ask import confirm
from fleet.cli.output import emit, say
from fleet.cli.plain import plain
from fleet.cli.views import dollars
from fleet.control.home import open_home
from fleet.model.errors import FleetError
from fleet.model.units import format_money, parse_size_gb

if TYPE_CHECKING:
    from fleet.cli.objects import BuiltImageObject
    from fleet.control.image_build import Build
    from fleet.control.image_wish import Wish
    from fleet.model.image import ImageRecord

SHOWN = ("kernel", "python", "docker", "compose", "driver", "toolkit")
"""Of what the image says of itself."""


def wish_of(
    words: Mapping[str, Any], driver: str | None, region: str | None, pulls: Sequence[str] | None,
    instance_type: str | None, disk: str | None, come_from: str | None,
) -> Wish:  # fmt: skip
    """What the command line asks for. Raises FleetError."""
    from fleet.control.image_wish import Wish

    try:
        disk_gb = parse_size_gb(disk) if disk is not None else None
    except ValueError as error:
        raise FleetError(f"--disk: {error}") from None
    return Wish(
        **words, driver=driver, region=region, pulls=tuple(pulls or ()), instance_type=instance_type, disk_gb=disk_gb,
        come_from=come_from,
    )  # fmt: skip


def build(wish: Wish, bucket: str | None, *, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Look, show, ask, build; say how it will be chosen."""
    from fleet.boot.packer import PackerError
    from fleet.control.image_build import carry_out_build, prepare_build
    from fleet.control.image_places import image_place

    prepared = prepare_build(image_place(open_home(), bucket, ()), wish)
    _show(prepared)
    if dry_run:
        say("\nNothing was built.")
        if as_json:
            emit(_object(prepared, None))
        return 0
    say("")
    confirm("Build it?", yes=yes, otherwise="nothing was built", default=True)
    try:
        record = carry_out_build(prepared, lambda line: say(f"  {plain(line)}"))
    except PackerError as error:
        if not error.interrupted:
            raise
        import typer

        say(f"\nfleet: {error.message}. {error.hint}")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    _tell(prepared, record)
    if as_json:
        emit(_object(prepared, record))
    return 0


def _show(build_: Build) -> None:
    """What is built, how, and what that costs."""
    driver = f"with driver {build_.driver}" if build_.driver else "without a GPU's driver"
    say(f"builds   an image of {build_.base}, {build_.arch}, {driver}, in {build_.region}")
    for name in build_.pulls:
        say(f"pulls    {name}")
    say(f"on       {build_.instance_type} with {build_.disk_gb} GB, reached from {build_.ssh_from}, by {build_.packer.told}")
    say(f"runs     {' '.join(_command(build_))}")
    if build_.spent is None:
        say(f"costs    20 to 40 minutes of {build_.instance_type}, whose price here is not known;")
    else:
        least, most = map(format_money, build_.spent)
        hourly = format_money(build_.hourly or 0)
        say(f"costs    {least} to {most}: 20 to 40 minutes at {hourly} an hour, and $0.005 an hour for its address;")
    say(f"         then at most {format_money(build_.monthly)} a month for its snapshot, until `fleet ami prune` removes it")


def _command(build_: Build) -> list[str]:
    from fleet.boot.packer import command_of

    return command_of(build_.packer, Path("ami"), Path("fleet.pkrvars.json"))


def _taken_by(build_: Build) -> str:
    """Which launches take it from now on."""
    machines = f"with driver {build_.driver}" if build_.driver else "without a GPU"
    return f"machines {machines} ({build_.arch}) in {build_.region} whose job names no image_id, or {build_.base}"


def _tell(build_: Build, record: ImageRecord) -> None:
    say(f"\n{record.image_id}: {record.name}, made from {record.source or 'a stock image'}")
    known = {**record.facts, **_inner(record.facts.get("versions"))}
    told = ", ".join(f"{name} {known[name]}" for name in SHOWN if known.get(name))
    if told:
        say(f"  {told}")
    say(f"It is taken by {_taken_by(build_)}; `image_id: stock` goes without.")


def _inner(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _object(build_: Build, record: ImageRecord | None) -> BuiltImageObject:
    least, most = build_.spent or (None, None)
    return {
        "built": record is not None,
        "image": record.image_id if record is not None else None,
        "name": record.name if record is not None else None,
        "region": build_.region,
        "base": build_.base,
        "variant": build_.variant,
        "driver": build_.driver,
        "arch": build_.arch,
        "source": record.source if record is not None else None,
        "pulls": list(build_.pulls),
        "instance_type": build_.instance_type,
        "disk_gb": build_.disk_gb,
        "packer": build_.packer.told,
        "least_usd": dollars(least) if least is not None else None,
        "most_usd": dollars(most) if most is not None else None,
        "usd_per_month": dollars(build_.monthly),
        "taken_by": _taken_by(build_),
        "facts": dict(record.facts) if record is not None else None,
    }
