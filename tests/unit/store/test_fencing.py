"""Old and new attempt in every order: no clock is needed to tell what is late (design.md, section 7)."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.core.chain import late_refs, valid_refs
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.documents import Base, Began, Manifest
from fleet.model.errors import StoreError
from fleet.store.checkpoints import Checkpoints, FencedError, Restored, claim
from fleet.store.files import FileObjects
from fleet.store.objects import ObjectInfo
from fleet.store.opening import open_objects
from tests.unit.store.saves import Volume, commit, ref

RUN = "r-1"


def test_an_attempt_belongs_to_the_instance_that_began_first() -> None:
    objects = open_objects("memory://")
    first, second = (Began(instance_id=f"i-{n}", boot_id="b1", at=0.0) for n in (1, 2))
    rebooted = Began(instance_id="i-1", boot_id="b2", at=9.0)
    assert claim(objects, RUN, 1, first)
    assert not claim(objects, RUN, 1, second)
    assert claim(objects, RUN, 1, rebooted)
    assert claim(objects, RUN, 2, second)


def test_of_two_instances_for_one_attempt_that_race_one_goes_on() -> None:
    objects = open_objects("memory://")
    barrier, won = threading.Barrier(8), []

    def race(n: int) -> None:
        barrier.wait()
        won.append(claim(objects, RUN, 1, Began(instance_id=f"i-{n}", boot_id="b", at=0.0)))

    crowd = [threading.Thread(target=race, args=(n,)) for n in range(8)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert won.count(True) == 1


def test_a_final_save_after_the_replacement_was_recorded_is_refused(tmp_path: Path) -> None:
    checkpoints, volume = Checkpoints(FileObjects(tmp_path / "b"), RUN), Volume(tmp_path / "v")
    checkpoints.establish_base(1, 0.0)
    kept = commit(checkpoints, volume, 1, 10)
    assert checkpoints.establish_base(2, 1.0).ref == kept.ref
    with pytest.raises(FencedError, match="attempt 2"):
        commit(checkpoints, volume, 1, 20)
    assert checkpoints.committed(1) == [1]


def test_a_manifest_that_slips_in_behind_the_base_is_late_and_never_restored(tmp_path: Path) -> None:
    """Between the look at the bases and the manifest there is a gap; what comes through it is on no chain."""
    store, volume = FileObjects(tmp_path / "b"), Volume(tmp_path / "v")
    checkpoints = Checkpoints(store, RUN)
    checkpoints.establish_base(1, 0.0)
    kept = commit(checkpoints, volume, 1, 10)
    checkpoints.establish_base(2, 1.0)
    slipped = kept.model_copy(update={"ref": ref(1, 2), "step": 99})
    store.create(layout.manifest(RUN, 1, 2), document_bytes(slipped))
    assert checkpoints.newest_valid(2)[0] == kept
    assert checkpoints.establish_base(3, 2.0).ref == kept.ref
    restored = checkpoints.restore(3, tmp_path / "new").manifest
    assert restored == kept
    assert late_refs(checkpoints.bases(), {1: [1, 2]}) == [ref(1, 2)]


def test_an_old_attempt_that_comes_back_after_an_hour_writes_nothing(tmp_path: Path) -> None:
    checkpoints, old = Checkpoints(FileObjects(tmp_path / "b"), RUN), Volume(tmp_path / "old")
    new = Volume(tmp_path / "new")
    checkpoints.establish_base(1, 0.0)
    commit(checkpoints, old, 1, 10)
    checkpoints.establish_base(2, 600.0)
    ahead = commit(checkpoints, new, 2, 50)
    with pytest.raises(FencedError):
        commit(checkpoints, old, 1, 11)
    with pytest.raises(FencedError):
        checkpoints.establish_base(1, 3600.0)
    assert checkpoints.prune(1, keep=1, protect=()) == []
    assert checkpoints.newest_valid(2)[0] == ahead


def test_an_attempt_that_never_had_a_base_is_passed_over(tmp_path: Path) -> None:
    checkpoints, volume = Checkpoints(FileObjects(tmp_path / "b"), RUN), Volume(tmp_path / "v")
    checkpoints.establish_base(1, 0.0)
    kept = commit(checkpoints, volume, 1, 10)
    base = checkpoints.establish_base(4, 1.0)  # 2 and 3 died while booting
    assert (base.predecessor, base.ref) == (1, kept.ref)
    with pytest.raises(FencedError):
        checkpoints.establish_base(3, 2.0)


def test_a_base_is_fixed_once_however_often_its_attempt_starts(tmp_path: Path) -> None:
    checkpoints, volume = Checkpoints(FileObjects(tmp_path / "b"), RUN), Volume(tmp_path / "v")
    checkpoints.establish_base(1, 0.0)
    first = commit(checkpoints, volume, 1, 10)
    base = checkpoints.establish_base(2, 1.0)
    commit(checkpoints, volume, 2, 20)
    assert checkpoints.establish_base(2, 9.0) == base
    assert base.ref == first.ref


class Turns:
    """Lets one actor make one bucket call at a time, in a given order; afterwards they run free, one by one."""

    def __init__(self, order: Sequence[str], actors: Sequence[str]) -> None:
        self._order, self._left = list(order), set(actors)
        self._changed = threading.Condition()

    def take(self, actor: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._next() in (None, actor), timeout=20)
            if self._order:
                self._order.pop(0)
            self._changed.notify_all()

    def leave(self, actor: str) -> None:
        with self._changed:
            self._left.discard(actor)
            self._changed.notify_all()

    def _next(self) -> str | None:
        while self._order and self._order[0] not in self._left:
            self._order.pop(0)
        return self._order[0] if self._order else None


class Stepped:
    """A bucket whose every call waits for its actor's turn."""

    def __init__(self, inner: FileObjects, turns: Turns, actor: str) -> None:
        self._inner, self._turns, self._actor = inner, turns, actor
        self.url = inner.url

    def now(self) -> float:
        return 0.0

    def get(self, key: str) -> bytes:
        self._turns.take(self._actor)
        return self._inner.get(key)

    def put(self, key: str, data: bytes) -> None:
        self._turns.take(self._actor)
        self._inner.put(key, data)

    def create(self, key: str, data: bytes) -> None:
        self._turns.take(self._actor)
        self._inner.create(key, data)

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        self._turns.take(self._actor)
        return self._inner.list(prefix)

    def upload(self, key: str, path: Path) -> None:
        self._turns.take(self._actor)
        self._inner.upload(key, path)

    def download(self, key: str, path: Path) -> None:
        self._turns.take(self._actor)
        self._inner.download(key, path)

    def delete(self, keys: Iterable[str]) -> None:
        self._turns.take(self._actor)
        self._inner.delete(keys)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.sampled_from(["old", "new", "newer"]), max_size=60))
def test_in_every_order_of_calls_each_attempt_builds_on_what_is_trusted(tmp_path: Path, order: list[str]) -> None:
    """One attempt commits and prunes on, two others take over from it, one bucket call at a time in any order."""
    root = tmp_path / secrets.token_hex(4)
    store, turns = FileObjects(root / "b"), Turns(order, ["old", "new", "newer"])
    setup = Checkpoints(store, RUN, workers=1)
    setup.establish_base(1, 0.0)
    commit(setup, Volume(root / "first"), 1, 0)
    found: dict[str, Restored] = {}
    fenced: set[str] = set()

    def old() -> None:
        checkpoints, volume = Checkpoints(Stepped(store, turns, "old"), RUN, workers=1), Volume(root / "old")
        newest: Manifest | None = None
        for step in range(1, 5):
            newest = commit(checkpoints, volume, 1, step, newest)
            checkpoints.prune(1, keep=2, protect={newest.ref})

    def take_over(name: str, attempt: int) -> Callable[[], None]:
        def run() -> None:
            checkpoints, volume = Checkpoints(Stepped(store, turns, name), RUN, workers=1), Volume(root / name)
            checkpoints.establish_base(attempt, 1.0)
            found[name] = checkpoints.restore(attempt, volume.folder, have=volume.folder)
            commit(checkpoints, volume, attempt, 100 * attempt)

        return run

    def guarded(name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except FencedError:
            fenced.add(name)
        finally:
            turns.leave(name)

    works = {"old": old, "new": take_over("new", 2), "newer": take_over("newer", 3)}
    crowd = [threading.Thread(target=guarded, args=item) for item in works.items()]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join(60)
        assert not one.is_alive()

    assert "newer" not in fenced
    assert found["newer"].manifest is not None
    _check_the_chain(setup, found)


def _check_the_chain(checkpoints: Checkpoints, found: dict[str, Restored]) -> None:
    bases = checkpoints.bases()
    newest, _ = checkpoints.newest_valid(3)
    assert newest is not None
    assert newest.step == 300
    for number, base in bases.items():
        restored = found.get({2: "new", 3: "newer"}.get(number, ""))
        if restored is not None and restored.manifest is not None:
            # What was restored is what the base named, or one before it on the chain; or, if all of that was pruned before
            # the base was written, the first one behind it, which had been committed before that.
            assert base.ref is not None
            ref, left = restored.manifest.ref, checkpoints.committed(base.ref.attempt)
            stands_in = ref.attempt == base.ref.attempt and min(left) == ref.seq > base.ref.seq
            assert stands_in or (ref.attempt, ref.seq) <= (base.ref.attempt, base.ref.seq)
    chain = valid_refs(3, bases, {n: checkpoints.committed(n) for n in (1, 2, 3)})
    if 2 not in bases or bases[3].ref is None or bases[3].ref.attempt == 1:
        assert all(trusted.attempt != 2 for trusted in chain)
    for trusted in chain:
        checkpoints.manifest(trusted)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=st.lists(st.sampled_from("...ba"), max_size=60), steps=st.integers(1, 5))
def test_whatever_the_bucket_loses_what_was_committed_can_be_restored(tmp_path: Path, faults: list[str], steps: int) -> None:
    """Calls fail before or after their effect; each commit is tried again until it succeeds, as the agent does."""
    root = tmp_path / secrets.token_hex(4)
    script = iter(faults)

    class Faulty(FileObjects):
        def _faulty(self, do: Callable[[], object]) -> None:
            turn = next(script, ".")
            if turn == "b":
                raise StoreError("before")
            do()
            if turn == "a":
                raise StoreError("after")

        def create(self, key: str, data: bytes) -> None:
            self._faulty(lambda: super(Faulty, self).create(key, data))

        def upload(self, key: str, path: Path) -> None:
            self._faulty(lambda: super(Faulty, self).upload(key, path))

    checkpoints, volume = Checkpoints(Faulty(root / "b"), RUN, workers=1), Volume(root / "v")

    def again(work: Callable[[], Manifest | Base]) -> Manifest | Base:
        while True:
            try:
                return work()
            except StoreError:
                continue

    again(lambda: checkpoints.establish_base(1, 0.0))
    newest: Manifest | None = None
    for step in range(steps):
        previous = newest
        made = again(lambda step=step, previous=previous: commit(checkpoints, volume, 1, step, previous))  # type: ignore[misc]
        assert isinstance(made, Manifest)
        newest = made
    again(lambda: checkpoints.establish_base(2, 1.0))
    restored = checkpoints.restore(2, root / "new")
    assert restored.manifest is not None
    assert restored.manifest.step == steps - 1
    assert (root / "new" / "state").read_text() == f"state after {steps - 1}"
