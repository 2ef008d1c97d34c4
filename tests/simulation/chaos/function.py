"""The controller in the account: called by schedules and by the cloud's events, cold or warm, killed at its time limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fleet.control.awake import Awake
from fleet.control.function import HOUR, CallFailedError, Keeper
from fleet.control.prices import Shelf
from fleet.model.base import Seconds
from fleet.model.errors import FleetError
from fleet.providers.aws.events import Hint
from tests.simulation.chaos.clients import Killed, Laptop

LIMIT: Seconds = 55.0
"""So long may one call take."""
MINUTE: Seconds = 60.0
COLD = 0.03
"""How often a call finds no process of the call before."""
OFTEN = 0.2
"""How often an event never comes, comes twice, or comes late."""


@dataclass
class Schedule:
    """What calls it each minute: its own calls may be refused, or lose their answer, as any."""

    function: Function
    switched_on: bool = True

    def on(self) -> bool | None:
        """Whether it does."""
        world, function = self.function.world, self.function
        return bool(world.effect(function, "get schedule", lambda: self.switched_on, changes=False))

    def turn(self, on: bool, /) -> bool:
        """Have it do so, or not."""
        world, changed = self.function.world, self.switched_on != on
        world.says(self.function.name, f"its schedule is switched {'on' if on else 'off'}")
        world.effect(self.function, "put schedule", lambda: setattr(self, "switched_on", on), changes=True)
        return changed


@dataclass(eq=False)
class Function(Laptop):
    """The real one, called by the world's clock. Its process is lost when it is killed, and now and then besides."""

    takes_events: ClassVar[bool] = True
    calls: int = 0
    hinted: int = 0
    hint: Hint | None = None

    def __post_init__(self) -> None:
        self.schedule = Schedule(self)
        self.keeper: Keeper | None = None

    def soon(self) -> Seconds:
        """It hears of nothing by itself: until its schedule calls it."""
        world = self.world
        every = MINUTE if self.schedule.switched_on else HOUR
        passed = world.clock() - world.began
        return (math.floor(passed / every) + 1) * every - passed

    def event(self, instance_id: str) -> None:
        """The cloud tells that something became of a machine: once, twice, late, or not at all."""
        chance = self.world.chance
        for _ in range(2 if chance.random() < OFTEN else 1):
            if self.schedule.switched_on and chance.random() >= OFTEN:
                delay = chance.uniform(0.5, 300 if chance.random() < OFTEN else 3)
                self.world.at(delay, lambda: self._hear(instance_id))

    def _hear(self, instance_id: str) -> None:
        """An event calls it. While another call runs, it is kept back for a while, and dropped then."""
        if self in self.world.laptops and not self.inside:
            self.hint = Hint(kind="state", region="sim-1", instance_id=instance_id, state="shutting-down", at=0.0)
            self.due = 0.0
            self.world.call(self)

    def wake(self) -> Seconds:
        """One call; how long until the next."""
        world, hint = self.world, self.hint
        self.calls, self.hint = self.calls + 1, None
        self.must_end = world.clock() + LIMIT
        self.inside = True
        head = -1
        try:
            if self.keeper is None or world.chance.random() < COLD:
                self.keeper = self._begin()
            head = self.keeper.controller.state.head
            told = self.keeper.call(hint, lambda: self.must_end - world.clock())
            self.hinted += hint is not None and bool(told["ticks"])
        except Killed:
            world.says(self.name, "is killed in the middle of a call")
            self.keeper = None
        except CallFailedError as error:
            world.says(self.name, f"its call failed: {error}")
        except FleetError as error:
            world.says(self.name, f"cannot: {error.message}")
            self.keeper = None
        finally:
            self.inside = False
            self.must_end = math.inf
        if self.keeper is not None and self.keeper.controller.state.head != head:
            world.news(self)
        return self.soon()

    def _begin(self) -> Keeper:
        """A process that knows nothing."""
        controller = self.controller = self.open()
        controller.observer.called, controller.observer.every = True, HOUR
        # Prices of the simulated market cost nothing to ask for, and are asked for by the loop itself.
        shelf = Shelf(Path(), lambda: controller.state, self.world.clock)
        shelf.freshen = lambda *_: None  # type: ignore[method-assign]
        awake = Awake(self.schedule, self.world.clock)
        return Keeper(controller, shelf, awake, sleep=self._wait, say=lambda line: self.world.says(self.name, line))

    def _wait(self, seconds: float) -> None:
        """Between two looks others go on."""
        self.world.let_pass(seconds)
