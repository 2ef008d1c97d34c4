"""How long a run has been trained, over all its attempts: what is left of its work until a deadline is reckoned by it."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.model.base import Seconds


@dataclass
class Worked:
    """Seconds of training that led to where it is. ``before``: to the checkpoint resumed from; None: nobody counted."""

    before: Seconds | None
    _since: Seconds | None = None
    """Since when it trains, by this machine's own clock."""
    _until: Seconds | None = None

    def goes_on(self, wall: Seconds) -> None:
        """Training begins."""
        if self._since is None:
            self._since = wall

    def restarts(self, saved: Seconds | None, wall: Seconds) -> None:
        """It begins anew, from what is saved: the rest has to be done again."""
        self.before, self._since = saved, wall

    def ends(self, wall: Seconds) -> None:
        """Training is told to end. What it does until then is not counted, nor is what follows."""
        self._until = wall if self._until is None else self._until

    def clock_set(self, by: Seconds) -> None:
        """The clock went back."""
        self._since = self._since + by if self._since is not None else None
        self._until = self._until + by if self._until is not None else None

    def at(self, wall: Seconds) -> Seconds | None:
        """What had been done at a time."""
        if self.before is None:
            return None
        if self._since is None:
            return self.before
        end = wall if self._until is None else min(wall, self._until)
        return round(self.before + max(0.0, end - self._since), 3)

    @property
    def from_nothing(self) -> Seconds | None:
        """Nothing is saved, if this attempt began from nothing; else that is not known."""
        return 0.0 if self.before == 0.0 else None
