"""``fleet journal repair``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet import api
from fleet.cli.output import emit, say
from fleet.control.home import open_home

if TYPE_CHECKING:
    from fleet.cli.objects import RepairObject


def repair(bucket: str | None, *, as_json: bool) -> int:
    """Set a torn last entry aside, and say so."""
    url = bucket or open_home().bucket
    aside = api.repair_journal(bucket=url)
    say(f"The torn entry now lies at {aside}." if aside else f"The journal in {url} needs no repair.")
    if as_json:
        told: RepairObject = {"bucket": url, "repaired": aside is not None, "set_aside": aside}
        emit(told)
    return 0
