"""A week of somebody who closes the lid in the evening: the laptop and the function in the account take turns."""

from __future__ import annotations

from fleet.core.rhythm import lively
from fleet.model.base import Seconds
from fleet.providers.sim.market import HOUR
from tests.simulation.chaos.explore import Explorer
from tests.simulation.chaos.function import Function

WEEK = 168.0
DAY = 24 * HOUR
MORNING, EVENING = 9 * HOUR, 18 * HOUR
UNWOKEN = 0.1
"""How often the one who starts a run does not get the schedule switched on."""
AWAKE_WITHIN: Seconds = HOUR + 300
"""The hourly call, and what it may be late by: it may be killed, and refused, in a storm."""


class Week(Explorer):
    """Like every world, but with one laptop that is open by day and one function that is always there."""

    def __init__(self, seed: int, *, hours: float = WEEK, runs: int = 4, trace: bool = False) -> None:
        super().__init__(seed, hours=hours, runs=runs, trace=trace)
        self.function: Function | None = None
        self._idle_since: Seconds | None = None

    def controllers_come(self) -> None:
        self.function = self.world.function()
        self.open_lid()

    def open_lid(self) -> None:
        """It is morning."""
        if self.over:
            return
        self.world.laptop()
        self.world.at(EVENING - MORNING, self.close_lid)
        self.world.at(DAY, self.open_lid)

    def close_lid(self) -> None:
        """It is evening: whatever the laptop does waits for the morning, and is old then."""
        for laptop in self.world.laptops:
            if not isinstance(laptop, Function):
                laptop.asleep_until = self.world.clock() + DAY - (EVENING - MORNING)

    def somebody_watches(self) -> None:
        """Nobody but the function: it needs no help."""
        self.world.laptops[:] = [laptop for laptop in self.world.laptops if laptop is self.function]

    # --- what the user does is followed by a wake-up, which may fail

    def start(self) -> None:
        super().start()
        self.wake_up()

    def resume(self) -> None:
        super().resume()
        self.wake_up()

    def wake_up(self) -> None:
        """Switch the schedule of each minute on."""
        if self.function is not None and self.chance.random() >= UNWOKEN:
            self.function.schedule.switched_on = True
            self.world.call(self.function)

    # --- what happens to laptops happens to no function

    def _without_the_function(self, happens: str) -> None:
        others = [laptop for laptop in self.world.laptops if laptop is not self.function]
        mine, self.world.laptops = self.world.laptops, others
        try:
            getattr(Explorer, happens)(self)
        finally:
            self.world.laptops = [*(one for one in mine if one is self.function), *self.world.laptops]

    def kill_laptop(self) -> None:
        self._without_the_function("kill_laptop")

    def sleep(self) -> None:
        self._without_the_function("sleep")

    def nobody_watches(self) -> None:
        """Every laptop is gone; the function is not."""
        self.world.laptops[:] = [one for one in self.world.laptops if one is self.function or one.inside]

    def hourly(self) -> None:
        super().hourly()
        function, laws, now = self.function, self.world.laws, self.world.clock()
        assert function is not None
        if function.schedule.switched_on or not lively(laws.state) or laws.healthy_since is None:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since > AWAKE_WITHIN:
            laws.broken("a wake-up that was lost is made up for within the hour", f"since {now - self._idle_since:.0f} s")
