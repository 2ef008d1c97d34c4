"""Tables that were solved, remembered: as many as fit."""

from __future__ import annotations

from fleet.core.deadlines.chances import Learned
from fleet.core.deadlines.model import Terms
from fleet.core.deadlines.solve import LEVELS, Table, solved
from fleet.core.deadlines.weather import LEARNED
from fleet.model.base import Seconds

KEPT = 48_000_000
"""Bytes of all tables together; the newest stays in any case. A controller's has some 3 MB, the benchmark's 20 to 60. The
function in the account has 256 MB for everything."""

Key = tuple[Terms, Seconds, Seconds, int, Learned]


class Shelf:
    """What ``solved`` finds, remembered; what was not asked for longest goes first."""

    def __init__(self, kept: int = KEPT) -> None:
        self.kept = kept
        self._tables: dict[Key, Table] = {}

    def __call__(
        self, terms: Terms, horizon: Seconds, slack: Seconds, levels: int = LEVELS, learned: Learned = LEARNED
    ) -> Table:
        """The table for these terms, up to ``horizon`` seconds before the deadline and ``slack`` seconds of slack."""
        key = terms, horizon, slack, levels, learned
        found = self._tables.pop(key, None)
        if found is None:
            found = solved(terms, horizon, slack, levels, learned)
            self._forget(self.kept - found.values.nbytes)
        self._tables[key] = found
        return found

    def _forget(self, most: int) -> None:
        """Until the others take no more than so many bytes."""
        left = sum(table.values.nbytes for table in self._tables.values())
        for key in list(self._tables):
            if left <= most:
                return
            gone = self._tables.pop(key, None)
            left -= gone.values.nbytes if gone is not None else 0

    def cache_clear(self) -> None:
        """Forget all."""
        self._tables.clear()


table = Shelf()
