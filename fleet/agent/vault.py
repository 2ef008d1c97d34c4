"""What every cloud's store of secrets has in common: it is asked for all names at once, and with patience."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from fleet.model.base import Seconds
from fleet.model.errors import FleetError, StoreError

ANSWER_WITHIN: Seconds = 8.0
MOST_BYTES = 1 << 20
PATIENCE: Seconds = 1800.0
"""A service that cannot be reached for so long is out of the machine's reach: to wait on costs more than to say so."""


class MissingSecretError(FleetError):
    """The job names a secret that this machine cannot have; trying again does not help."""


class Patient(ABC):
    """A store of secrets; a subclass says how it is looked into, and what to make where it has nothing."""

    def __init__(self, monotonic: Callable[[], Seconds] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._began: Seconds | None = None

    def find(self, names: Sequence[str]) -> dict[str, str]:
        """The value of each. Raises MissingSecretError that says what to make; StoreError if a later try may succeed."""
        self._began = self._monotonic() if self._began is None else self._began
        try:
            found = self.look(names)
        except StoreError as error:
            if self._monotonic() - self._began < PATIENCE:
                raise
            raise MissingSecretError(f"for {PATIENCE / 60:.0f} minutes {error.message}", error.hint) from None
        absent = [name for name in names if name not in found]
        if absent:
            raise self.missing(absent)
        return found

    @abstractmethod
    def look(self, names: Sequence[str]) -> dict[str, str]:
        """Those that are there. Raises MissingSecretError or StoreError as ``find`` does."""

    @abstractmethod
    def missing(self, names: Sequence[str]) -> MissingSecretError:
        """What to say of those that are not."""
