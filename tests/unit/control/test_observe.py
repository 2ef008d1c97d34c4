"""Looking at a fleet: what is read again, what is remembered, what is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet.control.controller import Controller
from fleet.control.history import events_of
from fleet.control.observe import ACTED_WITHIN, DESIRED_EVERY, HISTORIES_AT_ONCE, SWEEP_LATER, Observer
from fleet.core.plan.desired import desired_of
from fleet.core.state import FOLD_VERSION
from fleet.core.upcast import encode
from fleet.model import events as ev
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.cloud import Capabilities, Listing, Offer, Volume, VolumeState
from fleet.model.documents import Heartbeat
from fleet.model.errors import ErrorClass, JournalError, ProviderError, StoreError
from fleet.store import snapshots
from fleet.store.files import FileObjects
from fleet.store.journal import Journal
from fleet.store.parallel import SHARE
from tests.unit.core.ledger import stories
from tests.unit.core.ledger.oracle import Disk, Machine
from tests.unit.core.world import job, offer

RUNS = 2 * SHARE + 3
BOOK = "fleet-1"


class Counting(FileObjects):
    """A folder that counts what is read, and cannot read some of it."""

    def __init__(self, root: Path, clock: Callable[[], float]) -> None:
        super().__init__(root, clock)
        self.read: Counter[str] = Counter()
        self.broken: set[str] = set()

    def get(self, key: str) -> bytes:
        self.read[key] += 1
        if key in self.broken:
            raise StoreError(f"{key} does not answer")
        return super().get(key)


class Fleet:
    """Some runs, each with a machine that trains."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.objects = Counting(folder, lambda: self.now)
        book = self.journal()
        for run_id in self.runs():
            who: dict[str, Any] = {"at": self.now, "run_id": run_id}
            created = ev.RunCreated(**who, name=run_id, job=job({"name": run_id}), mounts={})
            intended = ev.LaunchIntended(
                **who,
                attempt=1,
                try_no=1,
                token=run_id,
                offers=(offer("a-small-spot"),),
                volume={"kind": "new", "size_gb": 1},
                predecessor=None,
                lease_until=1e9,
                share=None,
                why="",
            )
            assert book.append([encode(created), encode(intended)]) is not None
            self.beat(run_id, 1)
        self.controller = self.another()

    def journal(self) -> Journal:
        return Journal(self.objects, BOOK, by="c", version="0")

    def another(self) -> Controller:
        made = Controller(self.objects, self.journal(), BOOK, {})
        made.load()
        return made

    def runs(self) -> list[str]:
        return [f"racer-{n}" for n in range(RUNS)]

    def beat(self, run_id: str, number: int) -> None:
        said = Heartbeat(run_id=run_id, attempt=1, instance_id="i", boot_id="b", beat=number, at=self.now, phase="training")
        self.objects.put(layout.heartbeat(run_id, 1), document_bytes(said))

    def look(self, seconds: float = 0.0) -> Any:
        self.now += seconds
        self.objects.read.clear()
        return self.controller.observer.look(self.controller.state)

    def unread(self) -> set[str]:
        return {what for what in self.controller.observer.troubles if what.startswith(layout.HEARTBEATS)}

    def beats_read(self) -> set[str]:
        return {key for key in self.objects.read if key.startswith(layout.HEARTBEATS)}


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_only_heartbeats_that_changed_are_read(fleet: Fleet) -> None:
    assert len(fleet.look().heartbeats) == RUNS
    assert len(fleet.beats_read()) == RUNS
    fleet.beat("racer-7", 2)
    seen = fleet.look(1)
    assert fleet.beats_read() == {layout.heartbeat("racer-7", 1)}
    assert seen.heartbeats["racer-7", 1].beat == 2
    assert len(seen.heartbeats) == RUNS


def test_a_heartbeat_that_cannot_be_read_is_told_and_the_others_are_read_all_the_same(fleet: Fleet) -> None:
    broken, torn = layout.heartbeat("racer-3", 1), layout.heartbeat("racer-30", 1)
    fleet.objects.broken.add(broken)
    fleet.objects.put(torn, b"{")
    seen = fleet.look()
    assert fleet.unread() == {broken, torn}
    assert {run_id for run_id, _ in seen.heartbeats} == set(fleet.runs()) - {"racer-3", "racer-30"}
    fleet.objects.broken.clear()
    fleet.beat("racer-30", 2)
    assert len(fleet.look().heartbeats) == RUNS
    assert fleet.beats_read() == {broken, torn}
    assert fleet.unread() == set()


def test_the_last_words_of_the_dead_are_seen_when_no_machine_lives_any_more(fleet: Fleet) -> None:
    def listings() -> int:
        return len(fleet.look(30).listed_beats)

    assert listings() == RUNS
    for run_id in fleet.runs():
        who: dict[str, Any] = {"at": fleet.now, "run_id": run_id, "attempt": 1}
        ending = ev.TerminateIntended(**who, reason="the user took the run down")
        assert fleet.controller.record([ending, ev.AttemptGone(**who, ended_at=fleet.now, ended_by="fleet")])
    assert listings() == RUNS  # they are to be removed, and a look that is not taken would not show them
    fleet.objects.delete([layout.heartbeat(run_id, 1) for run_id in fleet.runs()])
    assert listings() == 0
    fleet.beat("racer-1", 1)
    assert listings() == 0  # nobody lives, nothing was left: not worth a listing
    fleet.controller = fleet.another()
    assert listings() == 1  # but once in a while


def test_what_agents_are_told_is_read_again_now_and_then_and_given_each_its_own(fleet: Fleet) -> None:
    for run in fleet.controller.state.runs.values():
        fleet.objects.put(layout.desired(run.run_id), document_bytes(desired_of(run).model_copy(update={"newest": 7})))
    fleet.objects.put(layout.desired("racer-9"), document_bytes(fleet_desired(fleet, "racer-9", newest=9)))
    seen = fleet.look()
    assert {run_id: told.newest for run_id, told in seen.desired.items()} == {
        run_id: 9 if run_id == "racer-9" else 7 for run_id in fleet.runs()
    }
    fleet.objects.put(layout.desired("racer-9"), document_bytes(fleet_desired(fleet, "racer-9", newest=10)))
    assert fleet.look(DESIRED_EVERY - 1).desired["racer-9"].newest == 9
    fleet.objects.delete([layout.desired("racer-8")])
    seen = fleet.look(1)
    assert seen.desired["racer-9"].newest == 10
    assert "racer-8" not in seen.desired


def fleet_desired(fleet: Fleet, run_id: str, newest: int) -> Any:
    return desired_of(fleet.controller.state.runs[run_id]).model_copy(update={"newest": newest})


def test_what_was_done_long_ago_is_forgotten(fleet: Fleet) -> None:
    fleet.controller.observer.acted["terminate i-1"] = fleet.now
    assert "terminate i-1" in fleet.look(ACTED_WITHIN - 1).acted
    assert "terminate i-1" not in fleet.look(1).acted
    assert fleet.controller.observer.acted == {}


def test_an_event_that_cannot_be_understood_ends_the_folding_there_and_the_acting(fleet: Fleet) -> None:
    book = fleet.journal()
    book.refresh()
    for events in (
        [encode(ev.NoteAdded(at=1.0, run_id="racer-1", text="before"))],
        [{"type": "note-added", "v": 1, "at": 1.0}],
        [encode(ev.NoteAdded(at=1.0, run_id="racer-1", text="after"))],
    ):
        assert book.append(events) is not None
    with pytest.raises(JournalError, match="does not hold"):
        fleet.controller.catch_up()
    assert fleet.controller.state.runs["racer-1"].notes == ("before",)
    fleet.controller.catch_up()
    assert fleet.controller.state.runs["racer-1"].notes == ("before",)
    assert fleet.controller.tick().actions == ()
    assert not fleet.controller.record([ev.NoteAdded(at=1.0, run_id="racer-1", text="mine")])


def test_a_snapshot_that_holds_no_state_is_passed_over(fleet: Fleet) -> None:
    state = fleet.controller.state
    snapshots.save(fleet.objects, FOLD_VERSION, 5, "hash", b'{"head":5,"of another":1}')
    assert fleet.another().state == state
    snapshots.save(
        fleet.objects, FOLD_VERSION, state.head, fleet.controller.journal.head_sha256, state.model_dump_json().encode()
    )
    fleet.objects.delete([layout.journal_entry(n) for n in range(1, state.head + 1)])
    assert fleet.another().state == state


def test_the_history_of_one_run_is_its_events_alone(fleet: Fleet) -> None:
    fleet.controller.record([ev.NoteAdded(at=1.0, run_id="racer-4", text="mine")])
    fleet.controller.record([ev.OrphanIntended(at=1.0, provider="sim", region="r", instance_id="i", reason="")])
    told = [(number, event.type) for number, event in events_of(fleet.controller, "racer-4")]
    assert told == [(5, "run-created"), (5, "launch-intended"), (RUNS + 1, "note-added")]
    assert len(list(events_of(fleet.controller))) == 2 * RUNS + 2


class Regions:
    """A cloud of two regions: one takes half a minute to fail."""

    name = "sim"
    capabilities = Capabilities(notice_seconds=120, visible_within=60, volume_price=1)

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.sick, self.asked = fleet, True, Counter[str]()

    def regions(self) -> list[str]:
        return ["hangs", "well"]

    def offers(self, region: str | None = None) -> list[Offer]:
        return []

    def list(self, region: str) -> Listing:
        self.asked[region] += 1
        if region == "hangs" and self.sick:
            self.fleet.now += 30
            raise ProviderError(ErrorClass.TRANSIENT, "ReadTimeout", "no answer")
        return Listing(region=region, at=self.fleet.now)


def test_a_region_that_takes_long_to_fail_is_left_alone_so_that_the_others_are_looked_after(fleet: Fleet) -> None:
    cloud = Regions(fleet)
    fleet.controller = Controller(fleet.objects, fleet.journal(), BOOK, {"sim": cloud})  # type: ignore[dict-item]
    fleet.controller.load()
    fleet.look()
    for _ in range(5):
        seen = fleet.look(10)
    assert (cloud.asked["hangs"], cloud.asked["well"]) == (1, 6)
    assert ("sim", "well") in seen.listings
    told = fleet.controller.observer.troubles["sim/hangs"]
    assert "left alone" in told
    fleet.look(1)
    assert fleet.controller.observer.troubles["sim/hangs"] == told  # or it would be told anew at every look
    fleet.look(9)
    assert cloud.asked["hangs"] == 2
    fleet.look(60)  # twice as long is waited now
    assert cloud.asked["hangs"] == 2
    cloud.sick = False
    fleet.look(60)
    fleet.look(1)
    assert cloud.asked["hangs"] == 4
    assert "sim/hangs" not in fleet.controller.observer.troubles


def test_who_is_called_each_minute_was_not_suspended_in_between(fleet: Fleet) -> None:
    fleet.look()
    assert fleet.look(90).awake_since == fleet.now  # who looks all the time was
    fleet.controller.observer.every = 60.0
    watched = fleet.look(1).awake_since
    for late in (60, 75, 170):
        assert fleet.look(late).awake_since == watched
    assert fleet.look(600).awake_since == fleet.now


class Guarded(Regions):
    """The same, which says who is let in."""

    capabilities = Capabilities(notice_seconds=120, visible_within=60, volume_price=1, access_rules=True)

    def access_rules(self, region: str) -> list[Any]:
        self.asked[f"rules of {region}"] += 1
        return []


def called(fleet: Fleet, cloud: Regions) -> Controller:
    """As a function's process that has just begun."""
    fleet.controller = Controller(fleet.objects, fleet.journal(), BOOK, {"sim": cloud})  # type: ignore[dict-item]
    fleet.controller.observer.called, fleet.controller.observer.every = True, 3600.0
    fleet.controller.load()
    return fleet.controller


def test_a_function_that_begins_looks_after_what_lives_before_it_looks_everywhere(fleet: Fleet) -> None:
    cloud = Regions(fleet)
    called(fleet, cloud)
    fleet.look()
    fleet.look(60)
    assert set(cloud.asked) == {"r"}  # where its machines are: a region that hangs takes nothing from them
    fleet.look(SWEEP_LATER - 60)
    assert set(cloud.asked) == {"r", "hangs", "well"}


def test_a_function_looks_everywhere_at_once_where_nothing_lives(fleet: Fleet) -> None:
    """The hour's call may be the only one of its process."""
    for run_id in fleet.runs():
        who: dict[str, Any] = {"at": fleet.now, "run_id": run_id}
        ended = ev.RunEnded(**who, outcome="stopped", reason="")
        ending = ev.TerminateIntended(**who, attempt=1, reason="the run has ended")
        gone = ev.AttemptGone(**who, attempt=1, ended_at=fleet.now, ended_by="fleet")
        assert fleet.controller.record([ended, ending, gone])
    cloud = Regions(fleet)
    called(fleet, cloud)
    fleet.look()
    assert {"hangs", "well"} <= set(cloud.asked)


def test_a_region_that_is_left_alone_is_not_asked_who_is_let_in_there_either(fleet: Fleet) -> None:
    cloud = Guarded(fleet)
    fleet.controller = Controller(fleet.objects, fleet.journal(), BOOK, {"sim": cloud})  # type: ignore[dict-item]
    fleet.controller.load()
    assert set(fleet.look().access) == {("sim", "well")}
    assert cloud.asked["rules of hangs"] == 0


def test_a_volume_is_missed_only_where_somebody_looked(tmp_path: Path) -> None:
    """Since when, and how often in a row; a region that could not be listed tells nothing, and one look ends it."""
    state = stories.folded([stories.created()], stories.disk_events("v-1", Disk(made=0, size=1, price=1)))
    observer = Observer(FileObjects(tmp_path, lambda: 0.0), {})
    disk = Volume(
        volume_id="v-1", region="r", zone="r-a", size_gb=1, state=VolumeState.AVAILABLE, created_at=0.0, price=1
    )  # fmt: skip
    empty, there = Listing(region="r", at=0.0), Listing(region="r", at=0.0, volumes=(disk,))
    looks = [{}, {("sim", "r"): empty}, {("sim", "r"): empty}, {}, {("sim", "r"): empty}, {("sim", "r"): there}]
    found = [observer._missing_volumes(state, listings, float(n)) for n, listings in enumerate(looks)]
    told = [(one["v-1"].absent_since, one["v-1"].absences) if one else None for one in found]
    assert told == [None, (1.0, 1), (1.0, 2), (1.0, 2), (1.0, 3), None]


class Priceless:
    """A cloud that tells no prices of the past."""

    capabilities = Capabilities(notice_seconds=120, visible_within=60, volume_price=1, price_history=True)

    def __init__(self) -> None:
        self.asked = 0

    def price_history(self, _offer: Offer, _since: float, _until: float) -> list[Any]:
        self.asked += 1
        raise ProviderError(ErrorClass.DENIED, "UnauthorizedOperation", "denied")


def test_what_many_machines_were_charged_is_asked_for_over_several_looks(tmp_path: Path) -> None:
    """A function has a minute: with all asked at once it would end within its first look, and so would the next one."""
    many = 2 * HISTORIES_AT_ONCE + 5
    machines = [stories.machine_events(n, Machine(0, 300_000, 900_000, ended=3600, by="cloud")) for n in range(1, many + 1)]
    state = stories.folded([stories.created()], *machines)
    assert len(state.unsettled) == many
    cloud = Priceless()
    observer = Observer(FileObjects(tmp_path, lambda: 0.0), {"sim": cloud})  # type: ignore[dict-item]
    asked = []
    for look in (0.0, 10.0, 20.0, 30.0):
        before = cloud.asked
        assert dict(observer._histories(state, [], {}, 4000.0 + look)) == {}
        asked.append(cloud.asked - before)
    assert asked == [HISTORIES_AT_ONCE, HISTORIES_AT_ONCE, 5, 0]
