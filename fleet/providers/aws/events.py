"""EC2's events as EventBridge hands them on: a hint that something is to be seen, never what is to be believed. Pure.

Events are sent "on a best effort basis": late, twice, in another order, or not at all. So nothing is read from one but where
to look.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from fleet.model.base import FURTHEST, Seconds

Kind = Literal["interruption", "rebalance", "state"]

INTERRUPTION = "EC2 Spot Instance Interruption Warning"
REBALANCE = "EC2 Instance Rebalance Recommendation"
STATE = "EC2 Instance State-change Notification"
DETAIL_TYPES: Mapping[str, Kind] = {INTERRUPTION: "interruption", REBALANCE: "rebalance", STATE: "state"}
"""What the rules hand on, and what it is called here."""
ENDING = ("stopping", "stopped", "shutting-down", "terminated")
"""The states that the rules hand on: of a machine that does not train on."""
SOURCE = "aws.ec2"

_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")


@dataclass(frozen=True, slots=True)
class Hint:
    """Where something is to be seen."""

    kind: Kind
    region: str
    instance_id: str
    state: str
    """What the machine became, or what the cloud will do to it; empty: it does not say."""
    at: Seconds
    """When the event happened, as it says; 0: it does not say."""


def hint_of(event: object) -> Hint | None:
    """What an event hints at; None for anything else: a schedule's own, a stranger's, a broken one."""
    if not isinstance(event, Mapping) or event.get("source") != SOURCE:
        return None
    told, detail = event.get("detail-type"), event.get("detail")
    kind = DETAIL_TYPES.get(told) if isinstance(told, str) else None
    if kind is None or not isinstance(detail, Mapping):
        return None
    instance_id, region = detail.get("instance-id"), event.get("region")
    if not isinstance(instance_id, str) or not isinstance(region, str):
        return None
    if not _INSTANCE.fullmatch(instance_id) or not _REGION.fullmatch(region):
        return None
    return Hint(kind, region, instance_id, _word(detail, kind), _moment(event.get("time")))


def _word(detail: Mapping[Any, Any], kind: Kind) -> str:
    found = detail.get({"interruption": "instance-action", "state": "state"}.get(kind, ""))
    return found if isinstance(found, str) and re.fullmatch(r"[a-z-]{1,20}", found) else ""


def _moment(told: object) -> Seconds:
    """``2021-11-11T21:29:54Z`` in seconds since 1970; 0 for what is no time."""
    if not isinstance(told, str):
        return 0.0
    try:
        found = datetime.fromisoformat(told.replace("Z", "+00:00"))
        at = (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return at if abs(at) <= FURTHEST else 0.0
