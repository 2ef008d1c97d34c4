"""Breaks of what is done with machines: absence, orphans, ends, leases, refusals."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from fleet.agent.watch import DeadMan, Signals
from fleet.control.act import Effects
from fleet.control.observe import Observer
from fleet.core import actions as do
from fleet.core import allowed, cooling, facts, fold
from fleet.core.actions import Action
from fleet.core.facts import place_of
from fleet.core.keeping import Verdict
from fleet.core.keeping.verdict import market_of
from fleet.core.observed import Lookup, Observed
from fleet.core.pace import pace_of
from fleet.core.plan import keeping, orphans
from fleet.core.plan.ending import end_machines
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.model import events as ev
from fleet.model.base import Seconds
from fleet.model.cloud import Market
from fleet.model.errors import ErrorClass
from fleet.providers.sim.provider import SimProvider
from tests.simulation.chaos.breaks import Mutant
from tests.simulation.chaos.breaks_of_journals import plain
from tests.simulation.chaos.scenes import ANYWHERE, HERE, HOUR, MINUTE, Scene, scene

# --- scenes


def lists_that_miss(seed: int) -> list[str]:
    """For half an hour each listing shows half of what there is."""
    with scene(seed) as made:
        runs = [made.begin(steps=30) for _ in range(3)]
        made.reaches(lambda: all(made.trains(run)() for run in runs))
        made.rule("list", "miss", times=10_000, when=for_so_long(made.world.clock, 30 * MINUTE))
        made.look_often(30 * MINUTE)
        made.rest()
        return made.violations


def strangers(seed: int) -> list[str]:
    """Beside a run a machine of another fleet, and one that nobody launched."""
    with scene(seed) as made:
        run_id = made.begin(steps=60)
        made.reaches(made.trains(run_id))
        made.stranger()
        made.forgotten()
        for name in list(made.world.cloud.instances)[1:]:
            made.world.cloud.arm(name, made.world.clock() + 5 * HOUR)
        made.world.at(MINUTE, lambda: made.world.news(None))
        made.rest()
        return made.violations


def out_of_reach(seed: int) -> list[str]:
    """The user takes a run down whose machine cannot hear it, and the cloud refuses to end it the first time."""
    with scene(seed) as made:
        run_id = made.begin(steps=400)
        made.reaches(made.trains(run_id))
        made.cut_off(run_id, 1, 5 * HOUR, stubborn=True)
        made.rule("terminate", "fail")
        made.says(run_id, "down")
        made.rest()
        return made.violations


def ends_in_words(seed: int) -> list[str]:
    """The cloud says that it ends a machine, and does so only when it is asked again."""
    with scene(seed) as made:
        run_id = made.begin(steps=400)
        made.reaches(made.trains(run_id))
        made.cut_off(run_id, 1, 5 * HOUR, stubborn=True)
        cloud, asked = made.world.cloud, iter(range(100))
        real = cloud.end

        def end(instance_id: str, by: Any, at: Seconds) -> None:
            if by != "fleet" or next(asked) > 0:
                real(instance_id, by, at)

        cloud.end = end  # type: ignore[method-assign]
        made.says(run_id, "down")
        made.rest()
        return made.violations


def nobody_watches(seed: int) -> list[str]:
    """A run with a time limit, and no controller from its first step to its end."""
    with scene(seed) as made:
        run_id = made.begin(steps=400, max_duration="2h")
        made.reaches(made.trains(run_id))
        made.nobody_watches(2 * HOUR)
        made.rest()
        return made.violations


def quota(seed: int) -> list[str]:
    """For two hours every launch is refused for the quota."""
    with scene(seed) as made:
        made.begin(steps=12)
        made.rule("launch", "error", error="quota", times=10_000, when=for_so_long(made.world.clock, 2 * HOUR))
        made.rest()
        return made.violations


def silent(seed: int) -> list[str]:
    """A machine trains on, and is not heard any more, while a controller looks."""
    with scene(seed) as made:
        run_id = made.begin(steps=20)
        made.reaches(made.trains(run_id, step=2))
        made.cut_off(run_id, 1, 2 * HOUR, stubborn=True)
        made.look_often(HOUR)
        made.world.live(HOUR)
        if made.run_of(run_id).attempts[1].terminate_at is None:
            made.world.laws.broken("who falls silent is ended", run_id)
        made.rest()
        return made.violations


def warned(seed: int) -> list[str]:
    """A machine is taken with a notice, long after its last checkpoint."""
    with scene(seed) as made:
        run_id = made.begin(steps=20)
        made.reaches(made.trains(run_id, step=14))
        made.taken(run_id)
        made.rest()
        told = made.run_of(run_id).attempts[1].notice
        saved = [one.step or 0 for ref, one in made.world.laws.runs[run_id].manifests.items() if ref.attempt == 1]
        if told is None or max(saved) < 14:
            made.world.laws.broken("a notice is answered by a checkpoint", f"run {run_id}: {saved}")
        return made.violations


def low_bid(seed: int) -> list[str]:
    """A bid that few offers keep to."""
    with scene(seed) as made:
        made.begin(steps=20, resources={**ANYWHERE, "max_price": "$0.35"})
        made.rest()
        return made.violations


def spot_comes_back(seed: int) -> list[str]:
    """A run with a deadline that on-demand begins, since there is no spot then; in half an hour there is, and takes over."""
    with scene(seed) as made:
        epoch = made.world.clock()
        made.world.cloud.market._turns["sim-1b/p2.xlarge"] = [epoch + 30, epoch + 40 * MINUTE, epoch + 1e9]
        run_id = in_a_hurry(made, 2 * HOUR, 1.5)
        for laptop in made.world.laptops:
            laptop.quiet = MINUTE
        made.reaches(lambda: any(a.relieved_at is not None for a in made.run_of(run_id).attempts.values()), 2 * HOUR)
        return made.violations


def spot_comes_back_soon(seed: int) -> list[str]:
    """The same, and there is spot again before the on-demand machine has booted."""
    with scene(seed) as made:
        epoch = made.world.clock()
        made.world.cloud.manners = dataclasses.replace(made.world.cloud.manners, boot=(500, 600))
        made.world.cloud.market._turns["sim-1b/p2.xlarge"] = [epoch + 1, epoch + 100, epoch + 1e9]
        made.world.live(5)
        run_id = in_a_hurry(made, 2 * HOUR, 1.2)
        made.look_often(15 * MINUTE)
        made.reaches(lambda: any(a.resumed is not None for a in made.run_of(run_id).attempts.values()))
        return made.violations


def nobody_relieves(seed: int) -> list[str]:
    """The same, and while spot waits beside on-demand that trains every controller is gone for three hours."""
    with scene(seed) as made:
        epoch = made.world.clock()
        made.world.cloud.market._turns["sim-1b/p2.xlarge"] = [epoch + 30, epoch + 40 * MINUTE, epoch + 1e9]
        run_id = in_a_hurry(made, 6 * HOUR, 1.2)
        for laptop in made.world.laptops:
            laptop.quiet = MINUTE
        made.reaches(lambda: len(made.run_of(run_id).serving) == 2, 2 * HOUR)
        made.nobody_watches(3 * HOUR)
        if not made.phase(run_id, made.run_of(run_id).serving[-1].number).startswith("waiting"):
            raise AssertionError("the scene never came to what it is about")
        made.rest()
        return made.violations


def in_a_hurry(made: Scene, work: Seconds, factor: float) -> str:
    """The user starts a run with so much work, and a deadline that is a multiple of it."""
    envs = {"STEPS": str(round(work / MINUTE)), "STEP_SECONDS": str(MINUTE)}
    resources = {**HERE, "market": "spot-first"}
    return made.begin(envs=envs, resources=resources, estimate=work, deadline=work * factor)


def for_so_long(clock: Any, seconds: Seconds) -> Any:
    until = clock() + seconds
    return lambda: clock() < until


# --- what is broken


def absence_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(facts, "_absence_believed", lambda *_: True)


def absence_unasked(patch: pytest.MonkeyPatch) -> None:
    def ask(self: Observer, runs: list[RunState], listings: Any, now: Seconds) -> dict[str, Lookup]:
        listed = {place: {i.instance_id for i in listing.instances} for place, listing in listings.items()}
        found = {}
        for attempt in (attempt for run in runs for attempt in run.live_attempts):
            place, name = place_of(attempt), attempt.instance_id
            if name is not None and place in listed and name not in listed[place]:
                before = self._lookups.get(name, Lookup(None))
                since = before.absent_since if before.absent_since is not None else now
                found[name] = Lookup(None, since, before.absences + 1)
        self._lookups = found
        return found

    patch.setattr(Observer, "_ask_for_missing", ask)


def no_age_guard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(orphans, "pace_of", lambda name: dataclasses.replace(pace_of(name), age_guard=0))


def whole_account(patch: pytest.MonkeyPatch) -> None:
    def mine(self: SimProvider, region: str) -> list[Any]:
        return [made for made in self._cloud.listed.values() if made.offer.region == region]

    patch.setattr(SimProvider, "_mine", mine)


def asks_once(patch: pytest.MonkeyPatch) -> None:
    def once(run: RunState, observed: Observed, verdict: Verdict | None) -> Iterator[Action]:
        asked = end_machines(run, observed, verdict)
        return (a for a in asked if not isinstance(a, do.Terminate) or a.intention is not None)

    patch.setattr("fleet.core.plan.end_machines", once)


def ended_when_asked(patch: pytest.MonkeyPatch) -> None:
    real = Effects.perform

    def perform(self: Effects, action: Action, state: FleetState) -> list[ev.Event]:
        told = real(self, action, state)
        if isinstance(action, do.Terminate) and action.run_id and not told:
            now = self.objects.now()
            who = {"at": now, "run_id": action.run_id, "attempt": action.attempt}
            return [ev.AttemptGone(**who, ended_at=now, ended_by="fleet", estimate=False)]
        return told

    patch.setattr(Effects, "perform", perform)


def booting_does_not_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(AttemptState, "serving", property(lambda self: self.phase in ("intended", "running")))


def lease_unarmed(patch: pytest.MonkeyPatch) -> None:
    real = DeadMan.renew
    patch.setattr(DeadMan, "renew", lambda self, now, _lease_until: real(self, now, None))


def never_cools(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fold, "cooled", lambda _run, _event: {})


def quota_is_capacity(patch: pytest.MonkeyPatch) -> None:
    real = cooling._refused

    def refused(run: RunState, event: ev.LaunchFailed) -> dict[str, float]:
        same = event.error_class is not ErrorClass.QUOTA
        return real(run, event if same else event.model_copy(update={"error_class": ErrorClass.CAPACITY}))

    patch.setattr(cooling, "_refused", refused)


def remembers_the_dead(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("fleet.core.plan.forget_beats", lambda _state, _observed: iter(()))


def endures_silence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("fleet.core.plan.ending._mute", lambda *_: None)


def hears_no_notice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Signals, "look", lambda _self, _now: None)


def forgets_the_bid(patch: pytest.MonkeyPatch) -> None:
    real = allowed._serves
    patch.setattr(allowed, "_serves", lambda offer, one: real(offer, one.model_copy(update={"max_price": None})))
    patch.setattr("fleet.boot.request.bid", lambda *_: None)
    patch.setattr("fleet.core.placement.wanted_now", lambda offers, _resources: sorted(offers, key=lambda o: -o.price)[:1])


def collects_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("fleet.core.plan.collect_orphans", lambda *_: iter(()))


def same_market(patch: pytest.MonkeyPatch) -> None:
    real = keeping.market_beside

    def beside(run: RunState, verdict: Any) -> Market | None:
        return market_of(run.serving[0]) if real(run, verdict) is not None else None

    patch.setattr("fleet.core.plan.launching.market_beside", beside)


def before_it_trains(patch: pytest.MonkeyPatch) -> None:
    def beside(run: RunState, _verdict: Any) -> Market | None:
        carrier = run.serving[0]
        alone = len(run.serving) == 1 and carrier.phase != "intended"
        return Market.SPOT if alone and market_of(carrier) is Market.ON_DEMAND else None

    patch.setattr("fleet.core.plan.launching.market_beside", beside)


def never_relieves(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("fleet.core.plan.relieve", lambda *_: iter(()))


GONE = "what is recorded as gone is gone"

MUTANTS = (
    Mutant("first-empty-list-believed", "absence counts only when repeated", absence_at_once, GONE, plain, seeds=10),
    Mutant("absence-not-asked-by-id", "absence counts only when confirmed by id", absence_unasked, GONE, lists_that_miss),
    Mutant(
        "no-age-guard", "nobody's machine is not touched before it is old enough", no_age_guard,
        "no machine younger than the age guard is collected", strangers,
    ),
    Mutant(
        "whole-account", "only machines with this fleet's tag are its own", whole_account,
        "no machine of another fleet is ever touched", strangers,
    ),
    Mutant(
        "nobody-collects", "a machine that nobody owns is ended", collects_nothing,
        "what nobody owns is collected", strangers,
    ),
    Mutant(
        "silence-endured", "a machine that is not heard for half an hour is ended", endures_silence,
        "who falls silent is ended", silent,
    ),
    Mutant(
        "notice-unheard", "on a notice training saves, and it is committed", hears_no_notice,
        "a notice is answered by a checkpoint", warned,
    ),
    Mutant(
        "bid-ignored", "nothing is launched above the bid", forgets_the_bid,
        "nothing is launched above its bid", low_bid,
    ),
    Mutant(
        "terminate-asked-once", "what is to end is asked for it until it has ended", asks_once,
        "what is to end is asked until it has ended", out_of_reach,
    ),
    Mutant("terminate-taken-for-the-end", "only the confirmed end is the end", ended_when_asked, GONE, ends_in_words),
    Mutant(
        "two-machines-at-once", "a machine that boots is not replaced", booting_does_not_count,
        "the machines of a run are the one that it wants and those being replaced", plain,
    ),
    Mutant(
        "same-market-beside", "the machine that takes over is of the other market", same_market,
        "the machines of a run are the one that it wants and those being replaced", spot_comes_back,
    ),
    Mutant(
        "beside-before-it-trains", "spot comes beside on-demand that trains", before_it_trains,
        "the machines of a run are the one that it wants and those being replaced", spot_comes_back_soon,
    ),
    Mutant(
        "never-relieved", "a machine that is ready beside another takes over, or ends", never_relieves,
        "a machine beside another takes over or ends, while somebody watches", nobody_relieves,
    ),
    Mutant(
        "lease-not-armed", "the dead-man switch never reaches past the lease", lease_unarmed,
        "every machine ends by its lease", nobody_watches,
    ),
    Mutant(
        "no-cool-down", "a refused offer is left alone for a while", never_cools,
        "no error is retried in a hot loop", quota,
    ),
    Mutant(
        "quota-taken-for-capacity", "a quota cools the whole market of its region for an hour", quota_is_capacity,
        "what was refused is left alone for a while", quota,
    ),
    Mutant(
        "words-never-forgotten", "the heartbeats of the dead are removed", remembers_the_dead,
        "the words of the dead are forgotten", plain,
    ),
)  # fmt: skip
