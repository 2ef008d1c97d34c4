"""Faults on order, of any interface: the next calls of a method fail, or their answers are lost on the way."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from tests.gce.wire import Json, Refused

LOST = 444
"""An answer with this status never arrives: the connection closes without a word."""


@dataclass
class Order:
    """For the next ``times`` calls."""

    method: str
    """By its id, ``*`` for any part: ``compute.instances.*``."""
    kind: str
    """``fail``: it is not done, and refused. ``lose``: it is done, and the answer lost. ``drop``: it never arrives."""
    times: int = 1
    skip: int = 0
    """Leaves so many calls in peace first."""
    status: int = 503
    reason: str = "backendError"
    message: str = "Backend Error"
    status_text: str = ""
    details: list[Json] | None = None

    def refusal(self) -> Refused:
        """What is answered to a call that fails."""
        return Refused(self.status, self.reason, self.message, self.status_text, self.details)


class Orders:
    """Those of one interface, the oldest first."""

    def __init__(self) -> None:
        self.waiting: list[Order] = []

    def take(self, method: str) -> Order | None:
        """The order that this call falls under; it counts as one of its times."""
        for order in self.waiting:
            if not fnmatch.fnmatchcase(method, order.method):
                continue
            if order.skip:
                order.skip -= 1
                continue
            order.times -= 1
            if not order.times:
                self.waiting.remove(order)
            return order
        return None

    def add(self, kind: str, telling: Json) -> None:
        """``{"method": …, "times": …, "status": …, "reason": …, "message": …}``. Raises TypeError for another word."""
        self.waiting.append(Order(kind=kind, **{"method": "*", **telling}))
