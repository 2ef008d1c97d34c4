"""What a user does with budgets: cap the whole fleet, look at how they stand."""

from __future__ import annotations

from fleet.control.controller import Controller
from fleet.control.rates import billing_of
from fleet.control.zone import local_zone
from fleet.core.budget.standing import Standing, caps_to_tell, standing
from fleet.core.state import FleetBudget
from fleet.model.base import Micros
from fleet.model.calendar import zone
from fleet.model.errors import FleetError
from fleet.model.events import BudgetSet
from fleet.model.job import Job
from fleet.model.plausible import absurd
from fleet.model.units import parse_money


def with_zone(job: Job) -> Job:
    """The job with its budget's days and months said in words: those of this computer, unless it names others."""
    budget = job.budget
    if budget.time_zone is not None or (budget.day is None and budget.month is None):
        return job
    return job.model_copy(update={"budget": budget.model_copy(update={"time_zone": local_zone()})})


def amount(name: str, text: str) -> Micros:
    """The money of an option. Raises FleetError."""
    told = f"Write for example --{name} 5, or --{name} '$5': a shell takes $5 without quotes for a variable."
    try:
        found = parse_money(text.strip())
        wrong = absurd(f"budget.{name}", text)
    except ValueError as error:
        raise FleetError(str(error), told) from None
    if wrong is not None:
        raise FleetError(f"--{name}: {wrong}", told)
    return found


def set_budget(controller: Controller, day: Micros | None, month: Micros | None, time_zone: str | None) -> None:
    """Cap the whole fleet; what is None stays as it is. Raises FleetError for a zone that is none."""
    before = controller.state.budget
    kept = before if before is not None else FleetBudget(day=None, month=None, time_zone=local_zone(), set_at=0.0)
    name = zone(time_zone).key if time_zone is not None else kept.time_zone
    daily, monthly = day if day is not None else kept.day, month if month is not None else kept.month
    _record(controller, BudgetSet(at=controller.objects.now(), day=daily, month=monthly, time_zone=name))


def clear_budget(controller: Controller) -> None:
    """Let the fleet be capped by nothing but its runs' own budgets."""
    before = controller.state.budget
    name = before.time_zone if before is not None else local_zone()
    _record(controller, BudgetSet(at=controller.objects.now(), day=None, month=None, time_zone=name))


def _record(controller: Controller, event: BudgetSet) -> None:
    if not controller.record([event]):
        raise FleetError(controller.read_only)


def standings(controller: Controller) -> list[Standing]:
    """How the fleet's budgets stand, and those of every run that is not over."""
    now, billing = controller.objects.now(), billing_of(controller.observer.providers)
    return [standing(controller.state, cap, now, billing) for cap in caps_to_tell(controller.state)]
