"""``fleet ami prune``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fleet.cli.app import EXIT_INTERRUPTED
from fleet.cli.ask import confirm
from fleet.cli.output import CHOSEN, emit, say
from fleet.cli.table import print_table
from fleet.cli.views import dollars
from fleet.control.home import open_home
from fleet.model.errors import FleetError
from fleet.model.units import format_money, parse_duration

if TYPE_CHECKING:
    from fleet.cli.objects import PrunedImageObject
    from fleet.control.image_prune import Pruning
    from fleet.providers.aws.image_pruning import Limits


def limits_of(keep: int, older_than: str | None, *, everything: bool) -> Limits:
    """What the command line says. Raises FleetError."""
    from fleet.providers.aws.image_pruning import Limits

    if everything and older_than is not None:
        raise FleetError("--all and --older-than contradict each other", "--older-than keeps what is younger.")
    try:
        return Limits(keep, parse_duration(older_than) if older_than is not None else None, everything)
    except ValueError as error:
        raise FleetError(f"--older-than: {error}") from None


def prune(limits: Limits, bucket: str | None, regions: Sequence[str], *, yes: bool, as_json: bool) -> int:
    """Look, show, ask, remove."""
    from fleet.control.image_places import image_place
    from fleet.control.image_prune import carry_out_pruning, prepare_pruning

    place = image_place(open_home(), bucket, regions)
    now = place.objects.now() if place.objects is not None else time.time()
    pruning = prepare_pruning(place, limits, now)
    _show(pruning)
    if pruning.idle:
        say("Nothing to remove.")
    else:
        say("")
        confirm("Remove this?", yes=yes, otherwise="nothing was removed")
        try:
            carry_out_pruning(pruning, lambda what: say(f"  {what}"))
        except KeyboardInterrupt:
            import typer

            say("\nfleet: left in the middle. The same command removes the rest.")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        say(f"Removed: {format_money(pruning.freed)} a month less, at most.")
    if as_json:
        emit(list(_objects(pruning)))
    return 0


def _show(pruning: Pruning) -> None:
    if CHOSEN.as_json:
        return
    table = [("DO", "WHAT", "ID", "REGION", "PER MONTH", "WHY")]
    for one in _objects(pruning):
        price = format_money(round(one["usd_per_month"] * 1_000_000))
        table.append((one["action"], one["kind"], one["id"], one["region"] or "-", price, one["why"]))
    if len(table) > 1:
        print_table(table, ("REGION",))


def _objects(pruning: Pruning) -> Iterator[PrunedImageObject]:
    for judged in pruning.judged:
        yield {
            "action": judged.action,
            "kind": "image",
            "id": judged.image.image_id,
            "region": judged.image.region,
            "why": judged.why,
            "usd_per_month": dollars(judged.image.monthly),
        }
    for left in pruning.snapshots:
        yield {
            "action": "remove",
            "kind": "snapshot",
            "id": left.id,
            "region": left.region,
            "why": "its image is gone",
            "usd_per_month": dollars(left.monthly),
        }
    for one in pruning.leftovers:
        yield {
            "action": "remove",
            "kind": one.kind,
            "id": one.id,
            "region": one.region,
            "why": one.why,
            "usd_per_month": dollars(one.monthly),
        }
    for name in pruning.forgotten:
        yield {
            "action": "remove",
            "kind": "record",
            "id": name,
            "region": "",
            "why": "its image is gone",
            "usd_per_month": 0.0,
        }
