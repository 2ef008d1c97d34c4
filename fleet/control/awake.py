"""The minute's schedule of a function: on while something lives, off while nothing does, so that nothing costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fleet.control.controller import Controller
from fleet.core.rhythm import lively
from fleet.model.base import Seconds

RECHECK: Seconds = 3600
"""What is known of the schedule is believed for so long: others turn it on as well."""


class Turning(Protocol):
    """What calls the function each minute."""

    def on(self) -> bool | None:
        """Whether it does; None: that cannot be told, or only a part of it does."""
        ...

    def turn(self, on: bool, /) -> bool:
        """Have it do so, or not. True if that changed something."""
        ...


@dataclass
class Awake:
    """Has the schedule as the state wants it, and asks about it no more than needed."""

    schedule: Turning
    now: Callable[[], Seconds]
    _known: bool | None = None
    _at: Seconds = float("-inf")

    def keep(self, controller: Controller) -> str:
        """After a tick. What the schedule is now, in a word. Raises ProviderError, StoreError.

        Whoever makes a run live records that first, and turns the schedule on then. So after it was turned off the journal
        is read again: a run that came before that is seen now, and one that comes after turns it on itself. What is lost
        nevertheless (this process may die here), the call of the hour finds.
        """
        wanted = lively(controller.state)
        if self._is(on=wanted):
            return "on" if wanted else "off"
        if wanted:
            self._turn(on=True)
            return "turned on"
        again = False
        try:
            self._turn(on=False)
        finally:  # where it failed, some of it may be off nevertheless
            controller.catch_up()
            again = lively(controller.state)
            if again:
                self._turn(on=True)
        return "on again" if again else "turned off"

    def _is(self, *, on: bool) -> bool:
        now = self.now()
        if self._known is None or not 0 <= now - self._at < RECHECK:
            self._known, self._at = self.schedule.on(), now
        return self._known == on

    def _turn(self, *, on: bool) -> None:
        self._known = None  # if it fails, nothing is known
        self.schedule.turn(on)
        self._known, self._at = on, self.now()
