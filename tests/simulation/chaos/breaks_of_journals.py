"""Breaks of the loop: intentions, tokens, and who has won an entry of the journal."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from fleet.boot.request import launch_request
from fleet.control.act import Effects
from fleet.control.controller import Controller
from fleet.control.runs import add_note
from fleet.core import actions as do
from fleet.core.facts import facts
from fleet.core.fold import fold
from fleet.core.observed import Observed
from fleet.core.plan import launching, plan
from fleet.core.plan.launching import launch_token
from fleet.model import layout
from fleet.model.cloud import LaunchRequest
from fleet.model.errors import AlreadyExistsError
from fleet.providers.sim.provider import SimProvider
from fleet.store.journal import Entry, Journal
from tests.simulation.chaos.breaks import Mutant
from tests.simulation.chaos.scenes import HERE, HOUR, MINUTE, Scene, scene

# --- scenes


def plain(seed: int) -> list[str]:
    """A run, from its beginning to its end."""
    with scene(seed) as made:
        made.begin(steps=20)
        made.rest()
        return made.violations


def refused_once(seed: int) -> list[str]:
    """The first launch is refused for capacity."""
    with scene(seed) as made:
        made.rule("launch", "error", error="capacity")
        made.begin(steps=12)
        made.rest()
        return made.violations


def taken(seed: int) -> list[str]:
    """The cloud takes the first machine back, with a notice, in its second hour."""
    with scene(seed) as made:
        run_id = made.begin(steps=70, checkpoint={"keep": 2}, resources=HERE)
        made.reaches(made.trains(run_id, step=20))
        made.taken(run_id)
        made.rest()
        return made.violations


def two_versions(seed: int) -> list[str]:
    """A launch does not arrive, and the controller that sends it again would word the request otherwise."""
    worded = iter(range(20, 10_000))

    def request(*args: Any) -> LaunchRequest:
        return launch_request(*args).model_copy(update={"disk_size_gb": next(worded)})

    with pytest.MonkeyPatch.context() as patch, scene(seed) as made:
        patch.setattr("fleet.control.act.launch_request", request)
        made.rule("launch", "fail")
        made.begin(steps=12)
        made.rest()
        return made.violations


def lost_race(seed: int) -> list[str]:
    """A controller is asleep while it writes an entry, and another one writes it meanwhile."""
    with scene(seed, laptops=2) as made:
        made.rule("create journal", "pause", seconds=60)
        made.begin(steps=12)
        made.rest()
        return made.violations


def own_write(seed: int) -> list[str]:
    """The store's own retry meets the write that it made itself."""
    with scene(seed) as made:
        made.rule("create journal", "again", times=4)
        made.begin(steps=12)
        made.rest()
        return made.violations


def sleeper(seed: int) -> list[str]:
    """A lid is closed between the intention and the launch, and opened when everything is over."""
    with scene(seed, laptops=2) as made:
        asleep = made.rule("get launch", "pause", seconds=3 * HOUR)
        run_id = made.begin(steps=12)
        made.world.at(30 * MINUTE, lambda: made.says(run_id, "down"))
        made.reaches(lambda: asleep.times == 0)
        made.rest()
        return made.violations


def sends_when_it_wakes(seed: int) -> list[str]:
    """A lid is closed in the middle of a launch. Meanwhile another controller is refused the same try, and has the next."""
    with scene(seed, laptops=2) as made:
        asleep = made.rule("launch", "pause", seconds=HOUR)
        refused = made.rule("launch", "error", error="capacity")
        run_id = made.begin(steps=40)
        made.reaches(lambda: asleep.times == 0 and refused.times == 0 and made.trains(run_id)())
        made.rest()
        return made.violations


def not_upgraded(seed: int) -> list[str]:
    """Nobody is there but a controller of an older fleet, which does not know what the user's newer one writes."""
    with scene(seed, laptops=0) as made:
        made.world.laptop(older_than="note-added")
        run_id = made.begin(steps=30)
        made.reaches(made.trains(run_id))
        made.user.catch_up()
        add_note(made.user, run_id, "written by a newer fleet")
        made.world.laws.healthy_since = None
        made.world.live(3 * HOUR)
        made.world.laptop()
        made.world.laws.healthy_since = made.world.clock()
        made.rest()
        return made.violations


# --- what is broken


def launches_first(patch: pytest.MonkeyPatch) -> None:
    real = Controller._decide

    def decide(self: Controller, observed: Observed) -> Any:
        ahead = fold(self.state, self.state.head + 1, observed.now, facts(self.state, observed))
        actions = plan(ahead, observed)
        meant = fold(ahead, ahead.head + 1, observed.now, [a.intention for a in actions if a.intention is not None])
        for action in actions:
            if isinstance(action, do.Launch):
                self.effects.perform(action, meant)
        return real(self, observed)

    patch.setattr(Controller, "_decide", decide)


def forgets_intentions(patch: pytest.MonkeyPatch) -> None:
    real = Journal.append

    def append(self: Journal, events: Sequence[dict[str, Any]]) -> Entry | None:
        entry = real(self, [event for event in events if event["type"] != "launch-intended"])
        return dataclasses.replace(entry, events=tuple(events)) if entry is not None else None

    patch.setattr(Journal, "append", append)


def token_of_the_attempt(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(launching, "launch_token", lambda fleet, run, number, _try_no: launch_token(fleet, run, number, 1))


def token_of_the_run(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(launching, "launch_token", lambda fleet, run, _number, try_no: launch_token(fleet, run, 1, try_no))


def renders_anew(patch: pytest.MonkeyPatch) -> None:
    def frozen(_self: Effects, _key: str, rendered: LaunchRequest, _complete: object) -> LaunchRequest:
        return rendered

    patch.setattr(Effects, "_frozen", frozen)


def last_writer_wins(patch: pytest.MonkeyPatch) -> None:
    def create(self: Journal, number: int, _nonce: str, data: bytes) -> bool:
        self._objects.put(layout.journal_entry(number), data)
        return True

    patch.setattr(Journal, "_create", create)


def exists_means(won: bool) -> Any:
    def apply(patch: pytest.MonkeyPatch) -> None:
        def create(self: Journal, number: int, _nonce: str, data: bytes) -> bool:
            try:
                self._objects.create(layout.journal_entry(number), data)
            except AlreadyExistsError:
                return won
            return True

        patch.setattr(Journal, "_create", create)

    return apply


def acts_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("fleet.core.plan.horizon.HORIZON", 1e9)
    patch.setattr("fleet.control.controller.STALE_PLAN", 1e9)


def sends_late(patch: pytest.MonkeyPatch) -> None:
    real = SimProvider.launch
    patch.setattr(SimProvider, "launch", lambda self, request, _in_time: real(self, request))


def gives_up_quietly(patch: pytest.MonkeyPatch) -> None:
    real = launching._decide

    def decide(state: Any, run: Any, observed: Observed) -> Any:
        once = run.newest is not None and run.newest.phase != "intended"
        return None if once else real(state, run, observed)

    patch.setattr(launching, "_decide", decide)


def goes_on_anyway(patch: pytest.MonkeyPatch) -> None:
    """What it does not know it leaves out, and works with the rest."""
    patch.setattr(Controller, "read_only", property(lambda _self: "", lambda _self, _why: None), raising=False)


INTENTION = "nothing is launched without a recorded intention"
TOKEN = "a token names one request"

MUTANTS = (
    Mutant("launch-before-intention", "a launch is recorded before it is made", launches_first, INTENTION, plain),
    Mutant("intention-dropped", "every launch's intention is in the journal", forgets_intentions, INTENTION, plain),
    Mutant("token-for-two-tries", "the next try has a new token", token_of_the_attempt, TOKEN, refused_once),
    Mutant("token-for-two-attempts", "the next attempt has a new token", token_of_the_run, TOKEN, taken),
    Mutant("request-rendered-anew", "a repeated launch sends the frozen bytes", renders_anew, TOKEN, two_versions),
    Mutant(
        "journal-overwritten", "an entry is created exclusively, never put", last_writer_wins,
        "what is created exclusively is never just put", plain,
    ),
    Mutant(
        "exists-taken-for-won", "whose entry it is the nonce tells: another's is lost", exists_means(True),
        "all see one journal", lost_race,
    ),
    Mutant(
        "exists-taken-for-lost", "whose entry it is the nonce tells: one's own is won", exists_means(False),
        "no word stands twice in the journal", own_write,
    ),
    Mutant(
        "stale-plan", "a plan is acted on for half a minute, and not if others moved on", acts_late,
        "no stale plan is acted on", sleeper,
    ),
    Mutant(
        "launch-sent-late", "a launch that slept before it was sent is not sent", sends_late,
        "no stale plan is acted on", sends_when_it_wakes,
    ),
    Mutant(
        "older-goes-on", "a controller that meets an event it does not know only reads from then on", goes_on_anyway,
        "who does not know what stands in the journal writes nothing more", not_upgraded,
    ),
    Mutant(
        "gives-up-quietly", "a run goes on, or names what it waits for", gives_up_quietly,
        "every run ends, or waits for something that it names", taken,
    ),
)  # fmt: skip

__all__ = ["MUTANTS", "Scene", "plain", "taken"]
