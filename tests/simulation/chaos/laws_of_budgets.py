"""The law of budgets for days and months: what the cloud bills in one stays within its cap, of a run and of the fleet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fleet.core.state import FleetState, RunState
from fleet.model import events as ev
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span, day_of, month_of
from tests.simulation.chaos import invoice
from tests.simulation.chaos.more_laws import Part

if TYPE_CHECKING:
    from fleet.providers.sim.things import SimInstance
    from tests.simulation.chaos.laws import Laws

LAW = "no day and no month passes its budget"
HEARD_WITHIN: Seconds = 86_400
"""After the user gave a fleet less, or another time zone: somebody comes by, and every machine hears of its new lease."""


class Budgets(Part):
    """Judged each hour, of the day and month that it is and of those before."""

    def __init__(self, laws: Laws) -> None:
        super().__init__(laws)
        self._judged_from: Seconds = 0.0
        """Of the whole fleet, days that begin earlier had another cap when their money was spent."""
        self._run_of: dict[str, str] = {}
        """Instance → the run of this fleet that it is for; empty: of another."""

    def recorded(self, entry: dict[str, Any], before: FleetState, events: Sequence[ev.Event]) -> None:
        for event in events:
            had = before.budget
            if isinstance(event, ev.BudgetSet) and (event.day is not None or event.month is not None) and before.runs:
                less = had is None or had.time_zone != event.time_zone or _less(event.day, had.day)
                if less or (had is not None and _less(event.month, had.month)):
                    self._judged_from = self.world.clock() + HEARD_WITHIN

    def look_around(self) -> None:
        state = self.laws.state
        for run in state.runs.values():
            own = run.job.budget
            if (own.day is not None or own.month is not None) and not run.over:
                self._judge(run.run_id, own.day, own.month, own.time_zone or "UTC", [run], 0.0)
        whole = state.budget
        if whole is not None:
            everyone, since = state.runs.values(), self._judged_from
            self._judge("the fleet", whole.day, whole.month, whole.time_zone, everyone, since)

    def _judge(
        self, who: str, day: Micros | None, month: Micros | None, zone: str, runs: Iterable[RunState], since: Seconds
    ) -> None:
        runs, now = list(runs), self.world.clock()
        for cap, of in ((day, day_of), (month, month_of)):
            if cap is not None:
                present = of(now, zone)
                for span in (present, of(present.start - 1, zone)):
                    if span.start < since:
                        continue
                    billed, slack = self._billed(runs, span)
                    if billed > cap + slack:
                        self.laws.broken(LAW, f"{who}: {billed} of {cap} micro-dollars from {span.start:.0f} on")

    def _billed(self, runs: list[RunState], span: Span) -> tuple[Micros, Micros]:
        """Of a span until now, and a minute of the machines that run. A span without a machine is its user's word."""
        cloud, now = self.world.cloud, self.world.clock()
        names = {run.run_id for run in runs}
        made = [one for one in cloud.instances.values() if self._ours(one, names) and self._lived(one, span, now)]
        if not made:
            return 0, 0
        total = sum(invoice.machine_by_the_hour(cloud, one, span.start, span.end) for one in made)
        slack = sum(one.offer.on_demand_price // 60 for one in made if one.ended_by is None) + len(made)
        slack += sum(self.laws.never_told(one) for one in made)
        for run in runs:
            for record in run.volumes.values():
                disk = cloud.volumes.get(record.volume_id)
                until = min(now, span.end, record.passed_at if record.passed_at is not None else now)
                for since, end in [*record.earlier, (record.since, until)] if disk is not None else ():
                    if disk is not None and min(end, span.end) > max(since, span.start):
                        total += invoice.disk(cloud, disk, max(since, span.start), min(end, span.end))
                        slack += 1
        return total, slack

    def _ours(self, made: SimInstance, names: set[str]) -> bool:
        if made.instance_id not in self._run_of:
            tags = made.request.tags
            self._run_of[made.instance_id] = tags.get("run", "") if tags.get("fleet") == self.world.fleet_id else ""
        return self._run_of[made.instance_id] in names

    def _lived(self, made: SimInstance, span: Span, now: Seconds) -> bool:
        ended = made.ended_at(now)
        return span.shared(made.launched_at, ended if ended is not None else now) > 0


def _less(now: Micros | None, before: Micros | None) -> bool:
    """Whether a cap allows less than the one before it; None: there is none."""
    return now is not None and (before is None or now < before)
