"""A machine of Compute Engine: known by Google's metadata server, which says at once when it is taken back.

A Spot VM is told by ``instance/preempted`` and by the power button in the same moment, 30 seconds before its end
(https://cloud.google.com/compute/docs/instances/spot, "Preemption process"). Maintenance that it does not survive is told by
``instance/maintenance-event``, a minute before, an hour before on machines with GPUs: training is asked to save then, and
the end itself comes as a shutdown (https://cloud.google.com/compute/docs/metadata/getting-live-migration-notice).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from fleet.agent.google_metadata import GoogleMetadata, Watched
from fleet.agent.prepared import METADATA_TIMEOUT, PreparedMachine, metadata_url, settled, the_root
from fleet.model.base import Seconds

NOTICE: Seconds = 30.0
"""From the word to the end, at most."""
LATE: Seconds = 1.0
"""The word itself takes some of it."""
PREEMPTED, MAINTENANCE = "instance/preempted", "instance/maintenance-event"


class GceMachine(PreparedMachine):
    """An instance, called ``NAME.ZONE``."""

    def __init__(
        self, metadata: GoogleMetadata, root: Path = Path("/"), monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(_id(metadata), root, monotonic)
        self.metadata = metadata
        self.now: Callable[[], Seconds] = time.time
        """The time that ends are told in: the bucket's, once it is known."""
        self._preempted_at: float | None = None
        """By the monotonic clock."""
        self._until: Seconds | None = None
        self._maintained = False
        self._watched = (Watched(metadata, PREEMPTED, self._hear), Watched(metadata, MAINTENANCE, self._hear_maintenance))

    def notice(self) -> Seconds | None:
        """When the cloud takes the machine back, once it says so. What was heard once holds."""
        if self._until is None and self._preempted_at is not None:
            self._until = self.now() + NOTICE - LATE - (self._monotonic() - self._preempted_at)
        return self._until

    def rebalance(self) -> bool:
        """Whether maintenance will end the machine; once said, it stays so: a checkpoint early costs little."""
        return self._maintained

    def close(self) -> None:
        """Follow its metadata no longer: for those who play many machines in one process."""
        for one in self._watched:
            one.stop()

    def _hear(self, text: str) -> None:
        if text.strip().upper() == "TRUE" and self._preempted_at is None:
            self._preempted_at = self._monotonic()

    def _hear_maintenance(self, text: str) -> None:
        self._maintained |= text.strip().upper().startswith("TERMINATE")


def _id(metadata: GoogleMetadata) -> str:
    """Compute Engine's names for machines and zones; empty if it does not say."""
    name, zone = metadata.get("instance/name"), metadata.get("instance/zone")
    return f"{name}.{zone.rpartition('/')[2]}" if name and zone else ""


def gce_machine() -> GceMachine:
    """The machine that we are on. Raises OSError if its metadata server does not answer, or cloud-init left nothing."""
    return settled(GceMachine(GoogleMetadata(metadata_url(), METADATA_TIMEOUT), the_root()))
