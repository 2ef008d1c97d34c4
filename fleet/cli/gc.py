"""``fleet gc``."""

from __future__ import annotations

import json

from fleet.cli.ask import confirm
from fleet.cli.table import print_table
from fleet.cli.views import dollars
from fleet.control.inventory import collect as collect_one
from fleet.control.inventory import unowned
from fleet.control.opened import opened
from fleet.model.units import format_money


def collect(bucket: str | None, *, delete: bool, yes: bool, as_json: bool) -> int:
    """Show what nobody owns; with ``delete`` end it."""
    found = [(controller, one) for controller in opened(bucket) for one in unowned(controller)]
    if as_json:
        rows = [
            {
                "kind": o.kind,
                "id": o.id,
                "provider": o.provider,
                "region": o.region,
                "why": o.why,
                "usd_per_month": dollars(o.monthly),
            }
            for _, o in found
        ]
        print(json.dumps(rows, indent=2))
    elif not found:
        print("Every machine and volume belongs to a run.")
    else:
        table = [("KIND", "ID", "WHERE", "PER MONTH", "WHY")]
        table += [(o.kind, o.id, f"{o.provider}/{o.region}", format_money(o.monthly), o.why) for _, o in found]
        print_table(table)
        print(
            f"\nTogether {format_money(sum(o.monthly for _, o in found))} a month."
            + ("" if delete else " End it: fleet gc --delete")
        )
    if not delete or not found:
        return 0
    confirm(f"End and delete these {len(found)}?", yes=yes, otherwise="nothing was deleted")
    for controller, one in found:
        collect_one(controller, one)
    return 0
