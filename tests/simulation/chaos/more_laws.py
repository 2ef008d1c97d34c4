"""More laws, each in a part of its own; laws.py asks them wherever it judges itself.

They share no code with what they judge where that can be had: what is late, who may launch and who lets go is worked out
here anew from the times of what lies in the bucket and in the cloud.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fleet.core.state import FleetState
from fleet.model import events as ev
from fleet.providers.sim.things import SimInstance
from fleet.providers.wrap.around import Call

if TYPE_CHECKING:
    from tests.simulation.chaos.laws import Laws


class Part:
    """Some laws of one kind. Each is asked whenever something happens, and says what is broken."""

    def __init__(self, laws: Laws) -> None:
        self.laws, self.world = laws, laws.world

    def launched(self, made: SimInstance) -> None:
        """A machine of this fleet was made."""

    def called(self, call: Call) -> None:
        """A call to the cloud is about to be made."""

    def recorded(self, entry: dict[str, Any], before: FleetState, events: Sequence[ev.Event]) -> None:
        """The journal has one more entry."""

    def changed(self, key: str, data: bytes | None) -> None:
        """A key of the bucket, other than the journal's, was written or removed."""

    def replaced(self, key: str) -> None:
        """A key was written by whoever did not ask for it to be created exclusively."""

    def look_around(self) -> None:
        """Now and then."""


class MoreLaws(Part):
    """All of them."""

    def __init__(self, laws: Laws) -> None:
        from tests.simulation.chaos.laws_of_budgets import Budgets
        from tests.simulation.chaos.laws_of_checkpoints import Fencing
        from tests.simulation.chaos.laws_of_journals import Journals
        from tests.simulation.chaos.laws_of_leases import Leases
        from tests.simulation.chaos.laws_of_machines import Machines
        from tests.simulation.chaos.laws_of_volumes import Volumes

        super().__init__(laws)
        self.leases = Leases(laws)
        parts = [Journals(laws), Machines(laws), Fencing(laws), Volumes(laws), Budgets(laws), self.leases]
        self.parts: list[Part] = parts
        self.world.bucket.on_put = self.replaced

    def launched(self, made: SimInstance) -> None:
        for part in self.parts:
            part.launched(made)

    def called(self, call: Call) -> None:
        for part in self.parts:
            part.called(call)

    def recorded(self, entry: dict[str, Any], before: FleetState, events: Sequence[ev.Event]) -> None:
        for part in self.parts:
            part.recorded(entry, before, events)

    def changed(self, key: str, data: bytes | None) -> None:
        for part in self.parts:
            part.changed(key, data)

    def replaced(self, key: str) -> None:
        for part in self.parts:
            part.replaced(key)

    def look_around(self) -> None:
        for part in self.parts:
            part.look_around()
