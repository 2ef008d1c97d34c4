"""Breaks of money: what is charged, and what a budget allows."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.core import costs, facts, fold, leases, plan
from fleet.core.budget import reaching
from fleet.core.budget.books import Books
from fleet.core.leases import Lease
from fleet.core.plan import launching, leasing
from fleet.core.state import AttemptState
from fleet.model import events as ev
from fleet.model.cloud import Billing
from tests.simulation.chaos.breaks import Mutant
from tests.simulation.chaos.breaks_of_journals import plain
from tests.simulation.chaos.scenes import HERE, HOUR, MINUTE, scene

ON_DEMAND = {**HERE, "market": "on-demand"}
"""Its price is the highest that it can come to: nothing is left over by chance."""

# --- scenes


def budget(seed: int) -> list[str]:
    """A training that would go on longer than its budget."""
    with scene(seed) as made:
        made.begin(steps=400, resources=HERE, budget={"run": "$1"})
        made.rest()
        return made.violations


def two_at_once(seed: int) -> list[str]:
    """A machine falls silent and cannot be ended: it spends its share for as long as its lease, whoever comes after it."""
    with scene(seed) as made:
        made.world.at(36 * HOUR, made.script.rules.clear)
        run_id = made.begin(steps=400, resources=ON_DEMAND, budget={"run": "$2"})
        made.reaches(made.trains(run_id))
        made.cut_off(run_id, 1, 12 * HOUR, stubborn=True)
        made.look_often(3 * HOUR)
        made.rule("terminate", "fail", times=10_000)
        made.rest()
        return made.violations


def dear_disk(seed: int) -> list[str]:
    """A large disk beside a machine at its highest price, and nobody watches."""
    with scene(seed) as made:
        run_id = made.begin(steps=400, resources=ON_DEMAND, volume={"size": "2000GB"}, budget={"run": "$4"})
        made.reaches(made.trains(run_id))
        made.nobody_watches(6 * HOUR)
        made.rest()
        return made.violations


def day(seed: int) -> list[str]:
    """A training whose day's money is used up long before midnight, and nobody looks for a day."""
    with scene(seed) as made:
        run_id = made.begin(steps=400, resources=ON_DEMAND, budget={"day": "$4", "time_zone": "UTC"})
        made.reaches(made.trains(run_id))
        made.nobody_watches(30 * HOUR)
        made.world.live(4 * HOUR)
        return made.violations


def whole_fleet(seed: int) -> list[str]:
    """Two trainings at once, each of which could spend what the fleet may."""
    with scene(seed) as made:
        now = made.world.clock()
        made.user.record([ev.BudgetSet(at=now, day=5_000_000, month=None, time_zone="UTC")])
        for run_id in [made.begin(steps=400, resources=ON_DEMAND) for _ in (1, 2)]:
            made.reaches(lambda run_id=run_id: made.world.laws.state.runs[run_id].attempts)  # type: ignore[misc]
        made.world.live(28 * HOUR)
        return made.violations


def taken_early(seed: int) -> list[str]:
    """The cloud takes a machine back in its first hour."""
    with scene(seed) as made:
        run_id = made.begin(steps=12)
        made.reaches(made.trains(run_id, step=4))
        made.taken(run_id)
        made.rest()
        return made.violations


def seconds_only(seed: int) -> list[str]:
    """The user takes a run down as soon as it has a machine."""
    with scene(seed) as made:
        run_id = made.begin(steps=12)
        made.reaches(lambda: made.world.cloud.instances, MINUTE)
        made.says(run_id, "down")
        made.rest()
        return made.violations


# --- what is broken


def renews_anyway(patch: pytest.MonkeyPatch) -> None:
    def grant(_run: Any, _offer: Any, now: float, pace: Any, *_: Any, **__: Any) -> Lease:
        return Lease(now + pace.lease_cap, None)

    patch.setattr(leasing, "grant", grant)


def forgets_the_others(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(leases, "committed", lambda *_: 0)


def forgets_the_disk(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(leases, "volume_rate", lambda *_: 0)


def no_days(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(launching, "within", lambda _ask, lease: lease)
    patch.setattr(leasing, "within", lambda _ask, lease: lease)
    patch.setattr(plan, "shorten_leases", lambda *_: iter(()))


def today_only(patch: pytest.MonkeyPatch) -> None:
    real = reaching._under

    def under(cap: Any, books: Any, rate: int, most: float, slack: int) -> Any:
        found = real(cap, books, rate, most, slack)
        today = cap.period(books.now)
        return found if found.until < today.end else reaching.Reach(most, cap, today)

    patch.setattr(reaching, "_under", under)


def others_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Books, "machines", lambda *_: 0)


def launch_price(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(fold._ON_ATTEMPT, ev.PriceChanged, lambda attempt, _event: attempt)
    patch.setitem(
        fold._ON_ATTEMPT, ev.PricesFilled, lambda attempt, event: attempt.model_copy(update={"priced_until": event.until})
    )


def _with(**rules: int) -> Any:
    real = costs.intervals

    def intervals(attempt: AttemptState, now: float, billing: Billing) -> list[costs.Interval]:
        return real(attempt, now, billing.model_copy(update=rules))

    return lambda patch: patch.setattr(costs, "intervals", intervals)


def ends_when_seen(patch: pytest.MonkeyPatch) -> None:
    real = facts._from_cloud

    def from_cloud(*given: Any) -> Any:
        for event in real(*given):
            gone = isinstance(event, ev.AttemptGone)
            yield event.model_copy(update={"ended_at": event.at}) if gone else event

    patch.setattr(facts, "_from_cloud", from_cloud)


LEDGER = "the ledger is the invoice"
BUDGET = "a budget is not passed"
DAYS = "no day and no month passes its budget"

MUTANTS = (
    Mutant("lease-beyond-its-share", "a lease is renewed within the budget", renews_anyway, BUDGET, budget),
    Mutant("shares-ignored", "shares never add up to more than the budget", forgets_the_others, BUDGET, two_at_once),
    Mutant("disk-not-counted", "a lease pays for the disks meanwhile", forgets_the_disk, BUDGET, dear_disk),
    Mutant("day-not-capped", "a lease ends where a day's money does", no_days, DAYS, day),
    Mutant("today-only", "each day that a lease reaches into counts", today_only, DAYS, day),
    Mutant("other-runs-ignored", "runs of a fleet share its budget", others_ignored, DAYS, whole_fleet),
    Mutant("launch-price-for-ever", "each stretch is charged at the price in force", launch_price, LEDGER, plain),
    Mutant(
        "first-hour-billed", "what the cloud takes in the first hour is free",
        _with(free_if_interrupted_within=-1), LEDGER, taken_early,
    ),
    Mutant("no-least-minute", "a minute is charged at least", _with(minimum_seconds=0), LEDGER, seconds_only),
    Mutant("ended-when-seen", "a machine is charged until it ended, not until that was seen", ends_when_seen, LEDGER, plain),
)  # fmt: skip
