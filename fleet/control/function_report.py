"""The nightly report by the function in the account: a schedule's event asks for it, and says whom to tell."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.control.controller import Controller
from fleet.model.errors import FleetError
from fleet.report.send import Account, Failure, Rendered, send_each
from fleet.report.send.nights import Make, Night, QuietNights, deliver

LEFT_OVER = 10.0
"""Seconds of the call that are kept for writing down what came of it."""
SHORTEST = 5.0
"""Seconds that sending gets in any case."""
LOOKING = 20.0
"""Seconds that clouds get in a call to say what lies about and what prices were, for all its nights together; without their
answer it is told from the journal."""


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
    from fleet.control.night import last_night

    wish = asked(event)
    controller.catch_up()
    night = last_night(controller.objects.now(), wish.zone)
    account = Account(region=os.environ.get("AWS_REGION", ""))

    def sender(message: Rendered, to: Sequence[str]) -> Sequence[Failure | None]:
        return send_each(message, to, max(SHORTEST, left() - LEFT_OVER), account)  # what making it took is gone by then

    told = deliver(
        controller.objects,
        night,
        wish.to,
        within(LOOKING, controller, wish.zone),
        quiet_nights=wish.quiet_nights,
        gaps=True,
        sender=sender,
    )
    failed = [str(one) for each in told for one in each.failed]
    if failed:
        raise FleetError(f"the report of {night} was not told to {'; '.join(failed)}")
    return {"night": night, "told": {one.night: list(one.reached) for one in told}}


def within(seconds: float, controller: Controller, zone: str) -> Make:
    """Makes nights with what clouds say of them, if they say it in time: a report without that is better than none.

    Who was too slow for one night is not asked about the next.
    """
    from fleet.control.night import maker

    remains = [seconds]

    def made(night: str) -> Night:
        found: list[Night] = []

        def look() -> None:
            with contextlib.suppress(Exception):  # what really fails does so again below
                found.append(maker(controller, zone, whole=False)(night))

        if remains[0] > 0:
            began = time.monotonic()
            looking = threading.Thread(target=look, daemon=True)
            looking.start()
            looking.join(remains[0])
            remains[0] -= time.monotonic() - began
        return found[0] if found else maker(controller, zone, look=False)(night)

    return made
