"""``fleet gc``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.cli.ask import confirm
from fleet.cli.output import emit, say
from fleet.cli.table import print_table
from fleet.cli.views import dollars
from fleet.control.inventory import Unowned, unowned
from fleet.control.inventory import collect as collect_one
from fleet.control.opened import opened
from fleet.model.errors import FleetError
from fleet.model.units import format_money

if TYPE_CHECKING:
    from fleet.cli.objects import UnownedObject
    from fleet.control.controller import Controller


def collect(bucket: str | None, *, delete: bool, yes: bool, as_json: bool) -> int:
    """Show what nobody owns; with ``delete`` end exactly that."""
    found = [(controller, one) for controller in opened(bucket) for one in unowned(controller)]
    if not as_json:
        _print([one for _, one in found], delete=delete)
    if delete and found:
        confirm(f"End and delete these {len(found)}?", yes=yes, otherwise="nothing was deleted")
        _collect_all(found)
    if as_json:
        emit([_object(one, deleted=delete) for _, one in found])
    return 0


def _collect_all(found: list[tuple[Controller, Unowned]]) -> None:
    """One that cannot be ended keeps no other; the first such error is raised once all were tried."""
    failed: list[FleetError] = []
    for controller, one in found:
        try:
            collect_one(controller, one)
        except FleetError as error:
            failed.append(error)
            say(f"{one.kind} {one.id} is left: {error.message}")
    if failed:
        raise failed[0]


def _print(found: list[Unowned], *, delete: bool) -> None:
    if not found:
        print("Every machine and volume belongs to a run.")
        return
    table = [("KIND", "ID", "WHERE", "PER MONTH", "WHY")]
    table += [(o.kind, o.id, f"{o.provider}/{o.region}", format_money(o.monthly), o.why) for o in found]
    print_table(table)
    total = format_money(sum(o.monthly for o in found))
    print(f"\nTogether {total} a month." + ("" if delete else " End it: fleet gc --delete"))


def _object(one: Unowned, *, deleted: bool) -> UnownedObject:
    return {
        "kind": one.kind,
        "id": one.id,
        "provider": one.provider,
        "region": one.region,
        "why": one.why,
        "usd_per_month": dollars(one.monthly),
        "deleted": deleted,
    }
