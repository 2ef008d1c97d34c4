"""``fleet volumes``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet import api
from fleet.cli.ask import confirm
from fleet.cli.output import emit, say
from fleet.cli.table import print_table
from fleet.cli.views import dollars
from fleet.control.inventory import KeptVolume, delete_volume, find_volume
from fleet.control.opened import opened
from fleet.model.units import format_money

if TYPE_CHECKING:
    from fleet.cli.objects import DeletedVolumeObject, VolumeObject


def show(bucket: str | None, *, as_json: bool) -> int:
    """List them."""
    found = api.volumes(bucket=bucket)
    if as_json:
        emit([_object(kept) for kept in found])
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


def _object(kept: KeptVolume) -> VolumeObject:
    return {
        "volume": kept.volume.volume_id,
        "provider": kept.provider,
        "zone": kept.volume.zone,
        "size_gb": kept.volume.size_gb,
        "state": kept.volume.state.value,
        "attached_to": kept.volume.attached_to,
        "run": kept.run,
        "live": kept.live,
        "usd_per_month": dollars(kept.monthly),
    }


def delete(volume_id: str, bucket: str | None, *, yes: bool, as_json: bool) -> int:
    """Delete one for good."""
    controller, kept = find_volume(opened(bucket), volume_id)
    what = f"{volume_id} ({kept.volume.size_gb} GB, run {kept.run or 'unknown'})"
    confirm(f"Delete {what} and everything on it?", yes=yes, otherwise="nothing was deleted")
    delete_volume(controller, volume_id)
    say(f"Deleted {what}; it cost {format_money(kept.monthly)} a month.")
    if as_json:
        told: DeletedVolumeObject = {
            "volume": volume_id,
            "run": kept.run,
            "size_gb": kept.volume.size_gb,
            "usd_per_month": dollars(kept.monthly),
        }
        emit(told)
    return 0
