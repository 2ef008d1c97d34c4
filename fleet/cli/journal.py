"""``fleet journal repair``."""

from __future__ import annotations

from fleet.control.home import open_home
from fleet.store.journal import repair_torn_tail
from fleet.store.opening import open_objects


def repair(bucket: str | None) -> int:
    """Set a torn last entry aside, and say so."""
    url = bucket or open_home().bucket
    aside = repair_torn_tail(open_objects(url))
    print(f"The torn entry now lies at {aside}." if aside else f"The journal in {url} needs no repair.")
    return 0
