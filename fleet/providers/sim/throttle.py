"""The account's allowance of calls: every controller in it shares one per region, as they do in the real clouds."""

from __future__ import annotations

from fleet.model.base import Seconds


class Allowance:
    """A token bucket per region."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[Seconds, float]] = {}
        self.refused = 0
        """Calls that were one too many."""

    def take(self, region: str, now: Seconds, burst: float, per_second: float) -> bool:
        """Whether one more call may be made; it is then counted."""
        at, left = self._left.get(region, (now, burst))
        left = min(burst, left + (now - at) * per_second)
        allowed = left >= 1
        self._left[region] = (now, left - 1 if allowed else left)
        self.refused += not allowed
        return allowed
