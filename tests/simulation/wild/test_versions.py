"""Controllers of different versions over one bucket, and laptops that slept: who is behind does nothing, and says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from fleet.control import controller as module
from fleet.control.controller import Controller, Tick
from fleet.control.runs import add_note
from fleet.core.upcast import CURRENT, decode, encode, upcast
from fleet.model import layout
from fleet.model.base import Seconds, canonical_json
from fleet.model.errors import NewerVersionError
from fleet.model.events import Event
from fleet.providers.base import Provider
from fleet.providers.sim.market import Weather
from fleet.providers.sim.provider import SimProvider
from fleet.providers.wrap import Call
from fleet.providers.wrap.around import Wrapper
from fleet.store.fleetfile import ensure_fleet, read_fleet
from fleet.store.journal import Entry, Journal
from tests.simulation.system import System, model_after
from tests.simulation.wild.conftest import Make, ended, trains

PRICES_ARE_UNKNOWN = {kind: version for kind, version in CURRENT.items() if kind != "prices-filled"}
NOTES_ARE_UNKNOWN = {kind: version for kind, version in CURRENT.items() if kind != "note-added"}
ENDS_ARE_OLDER = {**CURRENT, "attempt-gone": 1}
FIELDS_SINCE = {"attempt-gone": ("rate",)}
"""What a version before today's did not write."""


class Older(Controller):
    """A controller of a fleet whose table of events is cut: of fewer types, or of lower versions."""

    known: Mapping[str, int] = CURRENT

    @contextmanager
    def _as_it_was(self) -> Iterator[None]:
        def old_decode(raw: dict[str, Any]) -> Event:
            upcast(raw, current=self.known, upcasts={})  # refuses what it does not know
            return decode(raw)

        def old_encode(event: Event) -> dict[str, Any]:
            raw = encode(event)
            older = self.known.get(raw["type"], 0) < raw["v"]
            cut = FIELDS_SINCE.get(raw["type"], ()) if older else ()
            return {k: v for k, v in raw.items() if k not in cut} | ({"v": raw["v"] - 1} if older else {})

        vars(module).update(decode=old_decode, encode=old_encode)
        try:
            yield
        finally:
            vars(module).update(decode=decode, encode=encode)

    def _fold(self, entries: Sequence[Entry]) -> None:
        with self._as_it_was():
            super()._fold(entries)

    def tick(self) -> Tick:
        with self._as_it_was():
            return super().tick()


class Watched(Wrapper):
    """Notes down when its controller changes something in the cloud. An old one knows no price history."""

    def __init__(self, inner: Provider, clock: Any) -> None:
        super().__init__(inner)
        self.changes: list[tuple[Seconds, str]] = []
        self._clock = clock
        self.capabilities_then = inner.capabilities.model_copy(update={"price_history": False})

    @property
    def capabilities(self):  # type: ignore[no-untyped-def]
        return self.capabilities_then

    def around(self, call: Call, do):  # type: ignore[no-untyped-def]
        if call.changes:
            self.changes.append((self._clock(), call.method))
        return do()


def older(system: System, known: Mapping[str, int]) -> tuple[Older, Watched]:
    """One more controller, of an older fleet."""
    provider = Watched(SimProvider(system.cloud, system.fleet_id), system.clock)
    journal = Journal(system.objects, system.fleet_id, by="older", version="0")
    made = Older(system.objects, journal, system.fleet_id, {"sim": provider})
    made.known = known
    made.load()
    return made, provider


def entries_by(system: System, who: str) -> list[int]:
    journal = Journal(system.objects, system.fleet_id, by="reader", version="0")
    return [entry.number for entry in journal.refresh() if entry.by == who]


@pytest.mark.parametrize(
    "known", [PRICES_ARE_UNKNOWN, NOTES_ARE_UNKNOWN, ENDS_ARE_OLDER], ids=["a type", "a user's type", "a version"]
)
def test_an_older_controller_only_reads_once_it_meets_what_it_does_not_know_and_the_newer_one_carries_on(
    make: Make, known: Mapping[str, int]
) -> None:
    system = make(seed=3, weather=Weather(up=2500, down=600, epoch=1_700_000_000.0))
    newer = system.controller()
    old, calls = older(system, known)
    system.start(newer, steps=360)
    system.controllers = [newer, old]
    system.until(lambda: trains(system))
    assert not old.read_only
    add_note(newer, "racer", "written by the newer fleet")
    system.cloud.take(system.alive()[0], at=system.clock() + 60)
    system.until(lambda: bool(old.read_only), most=7200)
    since, wrote = system.clock(), entries_by(system, "older")
    assert "which this fleet does not know" in old.read_only
    assert "pip install -U fleet" in old.read_only
    system.until(ended(system))
    run = system.state()
    assert (run.outcome, system.model(), system.alive()) == ("succeeded", model_after(360), [])
    assert [change for change in calls.changes if change[0] > since] == []
    assert entries_by(system, "older") == wrote
    tokens = [i.request.token for i in system.cloud.instances.values()]
    assert len(tokens) == len(set(tokens)) == len(run.attempts)


def test_with_only_an_older_controller_left_machines_end_by_their_leases(make: Make) -> None:
    system = make()
    newer = system.controller()
    old, calls = older(system, NOTES_ARE_UNKNOWN)
    system.start(newer, steps=100_000, max_duration="3h")
    system.controllers = [old, newer]
    system.until(lambda: trains(system))
    add_note(newer, "racer", "written by the newer fleet")
    system.controllers = [old]
    since = system.clock()
    system.live(3 * 3600 + 600, every=60)
    assert old.read_only
    assert calls.changes == [change for change in calls.changes if change[0] <= since]
    assert system.alive() == []
    assert system.objects.list(layout.checkpoints(old.state.names["racer"], 1))  # it was not ended without a save
    assert old.tick().actions == ()


def test_a_bucket_whose_layout_was_raised_is_opened_by_no_older_fleet_and_its_machines_end_by_their_leases(
    make: Make,
) -> None:
    system = make()
    info = ensure_fleet(system.objects)
    controller = system.controller()
    system.start(controller, steps=100_000, max_duration="1h")
    system.controllers = [controller]
    system.until(lambda: trains(system))
    raised = {"fleet_id": info.fleet_id, "layout": layout.LAYOUT_VERSION + 1}
    system.objects.put(layout.FLEET, canonical_json(raised))
    system.controllers = []
    before = {i.key for i in system.objects.list("journal/")}
    for look in (read_fleet, ensure_fleet):
        with pytest.raises(NewerVersionError, match="layout version") as told:
            look(system.objects)
        assert "Upgrade" in told.value.hint
    system.live(3600 + 300)
    assert system.alive() == []
    assert {i.key for i in system.objects.list("journal/")} == before


@pytest.mark.parametrize("method", ["list", "offers", "launch", "terminate"])
def test_a_laptop_that_sleeps_for_an_hour_in_the_middle_of_a_call_does_nothing_stale_when_it_wakes(
    make: Make, method: str
) -> None:
    system = make()
    awake = system.controller()
    system.start(awake, steps=100)
    if method == "terminate":
        system.controllers = [awake]
        system.until(lambda: trains(system))
    slept: list[Seconds] = []
    after: list[str] = []

    class Sleepy(Wrapper):
        def around(self, call: Call, do):  # type: ignore[no-untyped-def]
            if slept and call.changes:
                after.append(call.method)
            if call.method == method and not slept:
                slept.append(system.clock())
                system.controllers = [awake]
                system.live(3600)
            return do()

    system.wrap = Sleepy
    sleeper = system.controller()
    system.controllers = []
    for _ in range(400):
        sleeper.tick()
        if slept:
            break
        system.live(5)
    assert slept
    assert after == []  # but for the call in which it slept, which is idempotent
    assert len(system.cloud.instances) == 1
    assert (system.state().outcome, system.model(), system.alive()) == ("succeeded", model_after(100), [])
