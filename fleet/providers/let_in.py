"""What a firewall's rules say of themselves, on any cloud: whose they are, and until when. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fleet.model.base import Seconds
from fleet.model.cloud import AccessRule


def description(fleet_id: str, until: int) -> str:
    """What a rule says of itself."""
    return f"fleet:{fleet_id} until {until}"


def until_said(text: str, fleet_id: str) -> int | None:
    """Until when a rule of this fleet lets somebody in; None: it is another's, and none of its business."""
    said = re.fullmatch(r"fleet:(\S+) until (\d{1,12})", text)
    return int(said[2]) if said is not None and said[1] == fleet_id else None


def forgotten(rules: Iterable[AccessRule], now: Seconds) -> list[AccessRule]:
    """Those past their time: whoever opened them is not connected any more, or would have renewed them."""
    return [rule for rule in rules if rule.until < now]
