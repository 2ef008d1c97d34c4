"""A statement as JSON."""

from __future__ import annotations

import json

from fleet.model.base import Micros, Seconds
from fleet.report.objects import (
    LeftObject,
    MonthObject,
    NightInterruptionObject,
    NightObject,
    NightRunObject,
    PriceHistoryObject,
    SpentObject,
)
from fleet.report.statement import Left, Month, PriceHistory, RunNight, Share, Spent, Statement, Taken


def as_json(s: Statement) -> str:
    """The object as text."""
    return json.dumps(night_object(s), indent=2, allow_nan=False) + "\n"


def _usd(micros: Micros) -> float:
    return micros / 1_000_000


def _maybe(micros: Micros | None) -> float | None:
    return None if micros is None else _usd(micros)


def _seconds(of: tuple[Share, ...]) -> dict[str, float]:
    return {one.what: _rounded(one.seconds) for one in of}


def _rounded(seconds: Seconds) -> float:
    return round(seconds, 3)


def night_object(s: Statement) -> NightObject:
    """Everything that a statement holds."""
    t = s.totals
    return {
        "fleet": s.fleet,
        "date": s.date,
        "starts_at": s.start,
        "ends_at": s.end,
        "time_zone": s.zone,
        "made_at": _rounded(s.made_at),
        "quiet": s.quiet,
        "night": _spent(t.night),
        "week_before_usd": _usd(t.week_before),
        "days_before": t.days_before,
        "machine_seconds": _rounded(t.machine_seconds),
        "steps": t.steps,
        "usd_per_thousand_steps": _maybe(t.per_thousand),
        "wasted_usd": _usd(t.wasted),
        "day_budget_usd": _maybe(t.budget),
        "month": _month(t.month),
        "days": [_spent(day) for day in s.days],
        "runs": [_run(run) for run in s.runs],
        "seconds": _seconds(s.shares),
        "interruptions": [_taken(one) for one in s.interruptions],
        "waste": [
            {"reason": one.reason, "paid_usd": _usd(one.paid), "seconds": _rounded(one.seconds), "why": one.why}
            for one in s.waste
        ],
        "prices": [_history(one) for one in s.prices],
        "left": [_left(one) for one in s.left],
        "advice": list(s.advice),
        "unsent": [{"date": one.date, "line": one.line} for one in s.unsent],
    }


def _spent(of: Spent) -> SpentObject:
    return {
        "date": of.date,
        "paid_usd": _usd(of.paid),
        "on_demand_usd": _usd(of.on_demand),
        "estimated_usd": _usd(of.estimated),
        "usd_by_kind": {kind: _usd(paid) for kind, paid in of.by_kind},
    }


def _month(of: Month) -> MonthObject:
    return {
        "month": of.name,
        "paid_usd": _usd(of.paid),
        "low_usd": _usd(of.low),
        "likely_usd": _usd(of.likely),
        "high_usd": _usd(of.high),
        "budget_usd": _maybe(of.budget),
    }


def _run(of: RunNight) -> NightRunObject:
    return {
        "run": of.run_id,
        "name": of.name,
        "state": of.outcome,
        "ended": of.ended,
        "paid_usd": _usd(of.paid),
        "on_demand_usd": _usd(of.on_demand),
        "paid_whole_usd": _usd(of.paid_whole),
        "budget_usd": _maybe(of.budget),
        "steps": of.steps,
        "usd_per_thousand_steps": _maybe(of.per_thousand),
        "machines": list(of.machines),
        "launches": of.launches,
        "interruptions": of.interruptions,
        "seconds": _seconds(of.shares),
        "waiting_seconds": _rounded(of.waiting),
        "reason": of.reason,
    }


def _taken(of: Taken) -> NightInterruptionObject:
    return {
        "run": of.run_id,
        "name": of.name,
        "attempt": of.attempt,
        "kind": of.kind,
        "at": _rounded(of.at),
        "where": of.where,
        "lost_steps": of.lost_steps,
        "lost_seconds": _rounded(of.lost_seconds),
        "recover_seconds": None if of.recover_seconds is None else _rounded(of.recover_seconds),
        "moved": of.moved,
    }


def _history(of: PriceHistory) -> PriceHistoryObject:
    return {
        "provider": of.provider,
        "region": of.region,
        "zone": of.zone,
        "instance_type": of.instance_type,
        "on_demand_usd_per_hour": _usd(of.on_demand),
        "bid_usd_per_hour": _maybe(of.bid),
        "points": [{"at": point.at, "usd_per_hour": _usd(point.price)} for point in of.points],
        "source": of.source,
    }


def _left(of: Left) -> LeftObject:
    return {
        "kind": of.kind,
        "id": of.id,
        "where": of.where,
        "name": of.name,
        "monthly_usd": _maybe(of.monthly),
        "why": of.why,
        "command": of.command,
    }
