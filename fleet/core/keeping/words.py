"""A verdict in one sentence, with its numbers."""

from __future__ import annotations

from fleet.core.deadlines.model import Do
from fleet.core.keeping.verdict import Verdict
from fleet.model.units import format_duration, format_money

NAMES = {
    Do.WAIT: "waiting for spot",
    Do.SPOT: "spot",
    Do.ON_DEMAND: "on-demand",
    Do.BOTH: "on-demand with a spot machine beside it",
}
MOST_TIMES = 3
"""Costs of more than so many times on-demand's are no expectation: that choice only just keeps the deadline."""


def told(verdict: Verdict) -> str:
    """Why this and nothing else."""
    left = format_duration(max(0.0, verdict.left))
    if verdict.mood == "unknown":
        what = "spot until it is lost, then on-demand" if verdict.do is Do.SPOT else "on-demand"
        return f"{what}: how much work there is is not known, so the deadline in {left} cannot be planned for yet"
    if verdict.mood == "unpromised":
        return f"spot: no on-demand offer is allowed at the job's price, so the deadline in {left} cannot be promised"
    assert verdict.work is not None
    if verdict.mood == "late":
        over = format_duration(verdict.finish - verdict.left)
        passed = "has passed" if verdict.left <= 0 else f"in {left} cannot be kept any more"
        what = "spot, which trains" if verdict.do is Do.SPOT else "on-demand, as fast as it can be"
        return f"{what}: the deadline {passed}; it will be {over} late"
    costs = _costs(verdict)
    work = f"{format_duration(verdict.work.left)} of work, {left} left, {format_duration(verdict.margin)} of them as margin"
    return f"{NAMES[verdict.do]}: {costs}{_latest(verdict)} ({work})"


def _costs(verdict: Verdict) -> str:
    decision, hourly = verdict.decision, verdict.on_demand
    if decision is None:
        return ""
    if decision.forced and not decision.others:
        return "only that keeps the deadline; "
    most = MOST_TIMES * (verdict.work.left / 3600 + 1) if verdict.work is not None else 0.0
    if decision.cost > most:
        return ""
    told = f"{format_money(round(decision.cost * hourly))} expected to the end"
    others = ", ".join(f"{NAMES[do]} {format_money(round(cost * hourly))}" for do, cost in decision.others if cost <= most)
    return f"{told}{f' ({others})' if others else ''}; "


def _latest(verdict: Verdict) -> str:
    if verdict.do in (Do.ON_DEMAND, Do.BOTH):
        return f"slack {format_duration(max(0.0, verdict.latest))}"
    return f"on-demand must begin in {format_duration(max(0.0, verdict.latest))} at the latest"
