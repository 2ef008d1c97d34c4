"""``fleet volumes``."""

from __future__ import annotations

import json

from fleet.cli.ask import confirm
from fleet.cli.table import print_table
from fleet.cli.views import dollars
from fleet.control.inventory import delete_volume, volumes
from fleet.control.opened import opened
from fleet.model.errors import FleetError
from fleet.model.units import format_money


def show(bucket: str | None, *, as_json: bool) -> int:
    """List them."""
    found = [kept for controller in opened(bucket) for kept in volumes(controller)]
    if as_json:
        rows = [
            {
                "volume": k.volume.volume_id,
                "provider": k.provider,
                "zone": k.volume.zone,
                "size_gb": k.volume.size_gb,
                "state": k.volume.state.value,
                "attached_to": k.volume.attached_to,
                "run": k.run,
                "live": k.live,
                "usd_per_month": dollars(k.monthly),
            }
            for k in found
        ]
        print(json.dumps(rows, indent=2))
        return 0
    if not found:
        print("No volumes.")
        return 0
    table = [("VOLUME", "RUN", "ZONE", "SIZE", "STATE", "PER MONTH")]
    for k in found:
        size = f"{k.volume.size_gb} GB"
        table.append((k.volume.volume_id, k.run or "-", k.volume.zone, size, k.volume.state.value, format_money(k.monthly)))
    print_table(table)
    print("\nDelete one: fleet volumes delete VOLUME")
    return 0


def delete(volume_id: str, bucket: str | None, *, yes: bool) -> int:
    """Delete one for good."""
    for controller in opened(bucket):
        for kept in volumes(controller):
            if kept.volume.volume_id != volume_id:
                continue
            what = f"{volume_id} ({kept.volume.size_gb} GB, run {kept.run or 'unknown'})"
            confirm(f"Delete {what} and everything on it?", yes=yes, otherwise="nothing was deleted")
            delete_volume(controller, volume_id)
            print(f"Deleted {what}; it cost {format_money(kept.monthly)} a month.")
            return 0
    raise FleetError(f"there is no volume {volume_id}", "`fleet volumes list` shows which there are.")
