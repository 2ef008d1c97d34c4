"""The credentials of the instance's role, as the metadata service gives them: renewed before they expire, kept in memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime

from fleet.agent.metadata import Metadata
from fleet.agent.sigv4 import Credentials
from fleet.model.base import Seconds

FOLDER = "/latest/meta-data/iam/security-credentials/"
EARLY: Seconds = 300.0
"""New ones are there at least so long before the old ones expire."""


class Role:
    """Asked at every use; asks the service only now and then."""

    def __init__(self, metadata: Metadata, wall: Callable[[], Seconds] = time.time) -> None:
        self._metadata, self._wall = metadata, wall
        self._held: Credentials | None = None

    def credentials(self) -> Credentials:
        """Good for some minutes. Raises OSError if there are none, or the service does not answer."""
        if self._held is None or self._wall() >= self._held.until - EARLY:
            self._held = self._ask()
        return self._held

    def forget(self) -> None:
        """They were refused: ask anew at the next use."""
        self._held = None

    def _ask(self) -> Credentials:
        names = (self._metadata.get(FOLDER) or "").split()
        if not names:
            raise OSError("this instance has no role: it was launched without an instance profile")
        try:
            found = json.loads(self._metadata.get(FOLDER + names[0]) or "null")
            until = datetime.fromisoformat(found["Expiration"].replace("Z", "+00:00")).timestamp()
            return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["Token"], until)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise OSError(f"the metadata service gives no credentials of the role {names[0]}") from None
