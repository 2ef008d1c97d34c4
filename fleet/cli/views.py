"""A run as an object for programs and as a row for people: the same figures in both."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from fleet.control.runs import RunView
from fleet.core.summary import interruptions, seconds_lost, steps_lost
from fleet.model.units import MICROS_PER_DOLLAR, format_duration, format_money

if TYPE_CHECKING:
    from fleet.cli.objects import RunObject, State


def dollars(micros: int) -> float:
    """Micro-dollars as a number of dollars, for JSON."""
    return micros / MICROS_PER_DOLLAR


def state_of(view: RunView) -> State:
    """One word, as ``-o json`` prints it."""
    return cast("State", view.phase)


def run_object(view: RunView) -> RunObject:
    """The run as ``-o json`` prints it."""
    run, attempt, beat, cost = view.run, view.attempt, view.beat, view.cost
    offer = attempt.offer if attempt is not None else None
    taken, plan = interruptions(run), view.forecast
    return {
        "run": run.run_id,
        "name": run.name,
        "state": state_of(view),
        "reason": run.reason or (run.pause.reason if run.pause and run.ended_at is None else ""),
        "attempt": attempt.number if attempt else 0,
        "interruptions": len(taken),
        "recoveries": sum(i.recovered_by is not None for i in taken),
        "steps_lost": steps_lost(run),
        "seconds_lost": round(seconds_lost(run), 3),
        "recover_seconds": [round(i.recover_seconds, 3) for i in taken if i.recover_seconds is not None],
        "where": offer.key if offer else None,
        "instance": attempt.instance_id if attempt else None,
        "step": _step(view),
        "steps_per_second": beat.rate if beat else None,
        "metrics": _finite(beat.metrics) if beat else {},
        "cost_usd": dollars(cost.total),
        "compute_usd": dollars(cost.compute),
        "volumes_usd": dollars(cost.volumes),
        "on_demand_usd": dollars(cost.on_demand),
        "usd_per_hour": dollars(cost.rate),
        "volume": run.volume_id,
        "created_at": run.created_at,
        "ended_at": run.ended_at,
        "deadline_at": plan.deadline if plan else None,
        "work_left_seconds": round(plan.work_left, 1) if plan and plan.work_left is not None else None,
        "finish_at": round(plan.finish, 1) if plan and plan.finish is not None else None,
        "late": plan is not None and plan.late,
        "message": beat.message if beat else "",
    }


def _step(view: RunView) -> int | None:
    """The newest that is known: what was reported, else where the newest attempt took up."""
    attempt, beat = view.attempt, view.beat
    if attempt is None:
        return None
    reported = beat.step if beat is not None and beat.step is not None else attempt.step
    return attempt.resumed.step if reported is None and attempt.resumed is not None else reported


def _finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """JSON knows neither infinity nor NaN, and a training that diverges reports them."""
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}


COLUMNS = ("RUN", "STATE", "ATTEMPT", "RECOVERED", "WHERE", "STEP", "RATE", "SPENT", "ON-DEMAND", "$/H NOW", "AGE")
SPARE = ("ON-DEMAND", "AGE", "RATE", "RECOVERED")
"""Left out, in this order, where the terminal is too narrow for all."""


def run_row(view: RunView) -> tuple[str, ...]:
    """The run as a row under COLUMNS; by its name if that means this run."""
    told, run = run_object(view), view.run
    where = view.attempt.offer if view.attempt is not None else None
    rate = told["steps_per_second"]
    return (
        run.name if view.named else run.run_id,
        view.phase,
        str(told["attempt"]),
        f"{told['recoveries']}/{told['interruptions']}" if told["interruptions"] else "-",
        f"{where.zone} {where.instance_type} {where.market.value}" if where else "-",
        "-" if told["step"] is None else str(told["step"]),
        "-" if rate is None else f"{rate:.1f}/s",
        format_money(view.cost.total),
        format_money(view.cost.on_demand),
        format_money(view.cost.rate),
        format_duration((run.ended_at or view.at) - run.created_at),
    )
