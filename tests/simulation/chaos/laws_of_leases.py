"""The law of leases: until when a machine may live, as it can know it.

A lease that is granted is in the launch, or longer than the one before: whoever has not heard of it ends sooner. One that is
shortened holds from when the machine can hear of it: its controller writes it into the run's wishes, which the agent reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fleet.core.pace import CLOUD
from fleet.core.state import AttemptState, FleetState
from fleet.model import events as ev
from fleet.model import layout
from fleet.model.base import Seconds
from fleet.model.documents import Desired
from tests.simulation.chaos.more_laws import Part

if TYPE_CHECKING:
    from tests.simulation.chaos.laws import Laws

HEARD_WITHIN: Seconds = CLOUD.intervals.cut_off + 120
"""A machine that reads no wishes for so long ends because it is alone."""
WRITTEN_WITHIN: Seconds = 1800
"""What was decided is written by whoever is awake, whatever became of the one that decided it."""


class Leases(Part):
    """Judged each hour for every machine that runs."""

    def __init__(self, laws: Laws) -> None:
        super().__init__(laws)
        self._before: dict[tuple[str, int], tuple[Seconds, Seconds]] = {}
        """When a lease was shortened, and until when the machine may live as long as it has not heard of it."""
        self._written: dict[tuple[str, int], Seconds] = {}
        """Since when the run's wishes say so."""

    def recorded(self, entry: dict[str, Any], before: FleetState, events: Sequence[ev.Event]) -> None:
        for event in events:
            if not isinstance(event, ev.LeaseExtended) or event.run_id not in before.runs:
                continue
            attempt = before.runs[event.run_id].attempts.get(event.attempt)
            key = (event.run_id, event.attempt)
            if attempt is None or attempt.lease_until is None or event.lease_until >= attempt.lease_until:
                continue
            unheard = self._before[key][1] if key in self._before and key not in self._written else 0.0
            self._before[key] = self.world.clock(), max(attempt.lease_until, unheard)
            self._written.pop(key, None)

    def changed(self, key: str, data: bytes | None) -> None:
        parts = key.split("/")
        if parts[0] != "runs" or data is None or key != layout.desired(parts[1]):
            return
        for number, until in Desired.model_validate_json(data).leases.items():
            run = self.laws.state.runs.get(parts[1])
            attempt = run.attempts.get(number) if run is not None else None
            if attempt is not None and attempt.lease_until is not None and until <= attempt.lease_until:
                self._written.setdefault((parts[1], number), self.world.clock())

    def judge(self, instance_id: str, run_id: str, attempt: AttemptState, armed: Seconds | None) -> None:
        """``armed``: when the machine powers itself off."""
        assert attempt.lease_until is not None
        until = max(attempt.lease_until, self._unheard(run_id, attempt.number)) + 1
        if armed is None or armed > until:
            self.laws.broken("every machine ends by its lease", f"{instance_id}: {armed} after {until}")

    def _unheard(self, run_id: str, number: int) -> Seconds:
        """Until when it may live since it may not have heard otherwise."""
        key = (run_id, number)
        if key not in self._before:
            return 0.0
        at, until = self._before[key]
        watched = self.laws.healthy_since
        if key in self._written:
            return min(until, self._written[key] + HEARD_WITHIN)
        if watched is not None and self.world.clock() - max(at, watched) > WRITTEN_WITHIN + 2 * self.world.seldom:
            return 0.0
        return until
