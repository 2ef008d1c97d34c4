"""The nightly report by the function in the account: a schedule's event asks for it, and says whom to tell."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fleet.control.controller import Controller
from fleet.model.errors import FleetError
from fleet.report.send import Account
from fleet.report.send.nights import QuietNights, deliver

LEFT_OVER = 10.0
"""Seconds of the call that are kept for writing down what came of it."""
SHORTEST = 5.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What an event asks for."""

    to: tuple[str, ...]
    zone: str
    quiet_nights: QuietNights


def asked(event: Mapping[str, Any]) -> Asked:
    """Raises FleetError for one that asks for nothing that can be made."""
    detail = event.get("detail")
    to = detail.get("to") if isinstance(detail, Mapping) else None
    if not isinstance(detail, Mapping) or not isinstance(to, list) or not all(isinstance(one, str) for one in to):
        raise FleetError("the schedule of the report says nothing of whom to tell", "fleet report install --on account")
    quiet: QuietNights = "silent" if detail.get("quiet_nights") == "silent" else "line"
    return Asked(tuple(to), str(detail.get("zone") or "UTC"), quiet)


def tell(controller: Controller, event: Mapping[str, Any], left: Callable[[], float]) -> dict[str, Any]:
    """Send the night's report. Raises FleetError if somebody was not reached: the call then counts as failed."""
    from fleet.control.night import last_night, maker

    wish = asked(event)
    controller.catch_up()
    night = last_night(controller.objects.now(), wish.zone)
    told = deliver(
        controller.objects,
        night,
        wish.to,
        maker(controller, wish.zone),
        quiet_nights=wish.quiet_nights,
        gaps=True,
        account=Account(region=os.environ.get("AWS_REGION", "")),
        seconds=max(SHORTEST, left() - LEFT_OVER),
    )
    failed = [str(one) for each in told for one in each.failed]
    if failed:
        raise FleetError(f"the report of {night} was not told to {'; '.join(failed)}")
    return {"night": night, "told": {one.night: list(one.reached) for one in told}}
