"""The volume's way out of a machine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.model.base import Seconds

if TYPE_CHECKING:
    from fleet.agent.logic import Agent

RELEASE_MOST: Seconds = 120.0
"""A volume that cannot be let go within this stays with the machine until its end, which frees it as well."""


@dataclass
class Release:
    """The volume's way out of the machine. ``released`` is said only once it is gone: then others take it."""

    agent: Agent
    begun_at: Seconds | None = None
    stuck: bool = False
    """It could not be let go: the machine ends without having said so."""

    def done(self, now: Seconds, until: Seconds | None = None) -> bool:
        """One round; True once nothing more can be done."""
        agent = self.agent
        if self.begun_at is None:
            self.begun_at = now
            if agent.disk.is_volume:
                shutil.rmtree(agent.disk.staging, ignore_errors=True)
        try:
            if agent.machine.release_volume():
                return True
        except OSError as error:
            agent.message = f"the volume is not free yet: {error}"
        most = self.begun_at + RELEASE_MOST
        self.stuck = now >= (most if until is None else min(most, until))
        return self.stuck

    def clock_set(self, by: Seconds) -> None:
        """The clock went back."""
        if self.begun_at is not None:
            self.begun_at += by
