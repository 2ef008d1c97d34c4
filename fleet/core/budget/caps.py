"""What is capped: for whom, how much, and in whose days and months."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.core.budget.books import Accounts, whole_fleet
from fleet.core.state import FleetState, RunState
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span, clock_text, day_of, month_of, zone
from fleet.model.errors import FleetError
from fleet.model.events import BudgetScope
from fleet.model.units import format_money


@dataclass(frozen=True, slots=True)
class Cap:
    """A hard cap on what a run or the whole fleet spends in each day or each month."""

    scope: BudgetScope
    limit: Micros
    zone: str
    run_id: str | None = None
    """None: it is the whole fleet's."""

    @property
    def monthly(self) -> bool:
        """It counts by the month, not by the day."""
        return self.scope in ("month", "fleet-month")

    def period(self, at: Seconds) -> Span:
        """The day or month that a moment lies in."""
        return month_of(at, self.zone) if self.monthly else day_of(at, self.zone)

    def accounts(self, state: FleetState, run: RunState | None = None) -> Accounts:
        """Of those whose spending counts; ``run``, if given, as it is there and not as the state has it."""
        if self.run_id is not None:
            return Accounts((run if run is not None else state.runs[self.run_id],))
        if run is None or state.runs.get(run.run_id) is run:
            return whole_fleet(state)
        return Accounts(tuple({**state.runs, run.run_id: run}.values()))

    @property
    def words(self) -> str:
        """As people read it."""
        whose = "the budget" if self.run_id is not None else "the fleet's budget"
        return f"{whose} of {format_money(self.limit)} for a {'month' if self.monthly else 'day'}"

    def begins(self, at: Seconds) -> str:
        """A moment as the user's clock shows it."""
        return f"{clock_text(at, self.zone)} ({self.zone})"


def caps_of(state: FleetState, run: RunState) -> tuple[Cap, ...]:
    """Every cap on days and months that a run's machines count in; most runs have none."""
    own = run.job.budget
    if state.budget is None and own.day is None and own.month is None:
        return ()
    return (*own_caps(run), *fleet_caps(state))


def own_caps(run: RunState) -> tuple[Cap, ...]:
    """Those of the run's own job."""
    own = run.job.budget
    if own.day is None and own.month is None:
        return ()
    return _caps("day", own.day, "month", own.month, _known(own.time_zone), run.run_id)


def fleet_caps(state: FleetState) -> tuple[Cap, ...]:
    """Those of the whole fleet."""
    whole = state.budget
    if whole is None:
        return ()
    return _caps("fleet-day", whole.day, "fleet-month", whole.month, _known(whole.time_zone), None)


def _caps(
    day: BudgetScope, daily: Micros | None, month: BudgetScope, monthly: Micros | None, name: str, run_id: str | None
) -> tuple[Cap, ...]:
    found = ((day, daily), (month, monthly))
    return tuple(Cap(scope, limit, name, run_id) for scope, limit in found if limit is not None)


def _known(name: str | None) -> str:
    """A zone that this computer does not know, as an older one may not, is no reason to stop: its days are UTC's."""
    try:
        return zone(name).key if name else "UTC"
    except FleetError:
        return "UTC"
