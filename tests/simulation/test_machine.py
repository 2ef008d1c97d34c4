"""The laws, with Hypothesis choosing what happens and which effect goes wrong: it shrinks what breaks one to a few steps."""

from __future__ import annotations

import os
from typing import get_args

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fleet.model.errors import FleetError
from tests.simulation.chaos.explore import Explorer
from tests.simulation.chaos.faults import ERRORS, PROVIDER, Fault, Kind, possible
from tests.simulation.chaos.scenes import Rule, Script
from tests.simulation.chaos.world import Luck

BUCKET = (
    "create journal", "get journal", "put desired", "get desired", "put heartbeat", "get heartbeat", "list heartbeat",
    "create began", "create base", "create manifest", "get manifest", "put checkpoint", "get checkpoint",
    "delete checkpoint", "delete manifest", "delete heartbeat", "create log", "create launch", "get launch",
    "create snapshot", "put model",
)  # fmt: skip
HAPPENS = (
    "start", "stop", "down", "resume", "note", "delete_volume", "kill_laptop", "new_laptop", "nobody_watches", "sleep",
    "cut_off_laptop", "cut_off_machine", "kill_agent", "crash", "fill_disk", "take", "notice_twice", "outage", "stick",
    "stranger", "forgotten",
)  # fmt: skip
"""What the explorer can let happen (explore.py)."""


FAULTS = [(what, kind) for what in (*PROVIDER, *BUCKET) for kind in get_args(Kind) if possible(what, kind)]


class Life(RuleBasedStateMachine):
    """A small fleet. What goes wrong is said beforehand; when it meets somebody is up to the world."""

    @initialize(seed=st.integers(0, 1 << 16), laptops=st.integers(1, 3), unlucky=st.booleans())
    def begin(self, seed: int, laptops: int, unlucky: bool) -> None:
        self.explorer = Explorer(seed, hours=48, runs=6)
        self.world = self.explorer.world
        self.world.chaos = self.script = Script()
        if unlucky:
            self.world.luck = Luck(0.1, 0.1, 0.1, 0.5, 0.3, 0.5)
        for _ in range(laptops):
            self.world.laptop()
        self.explorer.start()
        self.world.at(1800, self.explorer.hourly)

    @rule(what=st.sampled_from(HAPPENS))
    def something_happens(self, what: str) -> None:
        self.world.live(1)  # nobody types two commands in one moment
        self.explorer.user.catch_up()
        try:
            getattr(self.explorer, what)()
        except FleetError:
            return  # the user is told

    @rule(
        fault=st.sampled_from(FAULTS),
        seconds=st.sampled_from([1.0, 30.0, 120.0, 3600.0]),
        error=st.sampled_from(ERRORS),
        who=st.sampled_from(["", "controller", "agent"]),
        times=st.integers(1, 4),
        skip=st.integers(0, 3),
    )
    def something_goes_wrong(
        self, fault: tuple[str, Kind], seconds: float, error: str, who: str, times: int, skip: int
    ) -> None:
        what, kind = fault
        if kind == "pause" and who != "controller":
            who = "controller"  # a machine's pause is its end by the dead-man switch
        if kind == "slow":  # a machine's lanes are one here: who waits in one does nothing else
            seconds = min(seconds, 40.0 if who == "controller" else 8.0)
        self.script.rules.append(Rule(what, Fault(kind, seconds, error), who=who, times=times, skip=skip))

    @rule(minutes=st.sampled_from([1, 5, 30, 120, 600]))
    def time_passes(self, minutes: int) -> None:
        self.explorer.storm.on = bool(self.script.rules)
        self.world.live(60 * minutes)

    @invariant()
    def no_law_is_broken(self) -> None:
        if hasattr(self, "world"):
            assert self.world.laws.violations == []

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.script.rules.clear()
            if not self.world.laws.violations:
                self.explorer.heal()
            assert self.world.laws.violations == []
        finally:
            self.world.close()


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=int(os.environ.get("FLEET_LIVES", "40")),
    derandomize="FLEET_LIVES" not in os.environ,  # the same lives each time; whoever searches says how many others
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
