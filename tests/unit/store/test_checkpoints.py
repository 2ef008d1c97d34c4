"""Checkpoints: committed whole, referenced where unchanged, restored only verified, pruned as whole sets."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.documents import Base, CheckpointRef, Manifest
from fleet.model.errors import CheckpointError, StoreError
from fleet.store.checkpoints import Checkpoints
from fleet.store.files import FileObjects
from fleet.store.objects import Objects
from tests.unit.store.saves import Volume, commit, ref

RUN = "r-1"
quick = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path / "volume")


@pytest.fixture
def store(tmp_path: Path) -> FileObjects:
    return FileObjects(tmp_path / "bucket")


def test_a_checkpoint_comes_back_byte_for_byte(objects: Objects, volume: Volume, tmp_path: Path) -> None:
    checkpoints = Checkpoints(objects, RUN)
    checkpoints.establish_base(1, 0.0)
    commit(checkpoints, volume, 1, 10, None, **{"weights.bin": "w10"})
    (volume.folder / "deep" / "er").mkdir(parents=True)
    (volume.folder / "deep" / "er" / "x y.bin").write_text("deep")
    commit(checkpoints, volume, 1, 20, None, **{"weights.bin": "w20"})
    checkpoints.establish_base(2, 1.0)
    found = checkpoints.restore(2, tmp_path / "new" / "checkpoints")
    assert (found.source, found.skipped) == ("bucket", ())
    assert found.manifest is not None
    assert (found.manifest.ref, found.manifest.step) == (ref(1, 2), 20)
    back = {p.relative_to(tmp_path / "new" / "checkpoints").as_posix(): p.read_text()
            for p in (tmp_path / "new" / "checkpoints").rglob("*") if p.is_file()}  # fmt: skip
    assert back == volume.files()


def test_what_has_no_manifest_does_not_exist(store: FileObjects, volume: Volume) -> None:
    class Dying(FileObjects):
        def create(self, key: str, data: bytes) -> None:
            if key.endswith("manifest.json"):
                raise StoreError("the machine died")
            super().create(key, data)

    dying = Checkpoints(Dying(Path(store.url.removeprefix("file://"))), RUN)
    checkpoints = Checkpoints(store, RUN)
    checkpoints.establish_base(1, 0.0)
    with pytest.raises(StoreError):
        commit(dying, volume, 1, 10)
    assert store.list(layout.checkpoints(RUN, 1))
    assert checkpoints.newest_valid(1) == (None, ())
    assert checkpoints.establish_base(2, 1.0).ref is None
    assert checkpoints.restore(2, volume.root / "new").source == "nothing"


def test_a_file_that_did_not_change_is_referenced_not_sent_again(store: FileObjects, volume: Volume) -> None:
    checkpoints = Checkpoints(store, RUN)
    first = commit(checkpoints, volume, 1, 10, vocabulary="large and always the same")
    second = commit(checkpoints, volume, 1, 20, first, vocabulary="large and always the same")
    keys = {f.path: f.key for f in second.files}
    assert keys["vocabulary"] == next(f.key for f in first.files if f.path == "vocabulary")
    assert keys["state"].startswith(layout.checkpoint(RUN, 1, 2))
    assert checkpoints.newest_valid(1)[0] == second


def test_a_file_that_lies_elsewhere_in_the_set_by_now_is_referenced_too(
    store: FileObjects, volume: Volume, tmp_path: Path
) -> None:
    checkpoints = Checkpoints(store, RUN)
    checkpoints.establish_base(1, 0.0)
    first = commit(checkpoints, volume, 1, 10, old="always the same")
    (volume.folder / "old").rename(volume.folder / "new")
    second = commit(checkpoints, volume, 1, 20, first)
    assert {f.path: f.key for f in second.files}["new"] == next(f.key for f in first.files if f.path == "old")
    assert not store.list(f"{layout.checkpoint(RUN, 1, 2)}files/new")
    checkpoints.prune(1, keep=1, protect=())
    checkpoints.establish_base(2, 1.0)
    assert checkpoints.restore(2, tmp_path / "fresh").manifest == second
    assert (tmp_path / "fresh" / "new").read_text() == "always the same"


def test_what_lies_in_the_bucket_once_is_fetched_once_whatever_names_it_has(
    store: FileObjects, volume: Volume, tmp_path: Path
) -> None:
    checkpoints = Checkpoints(store, RUN)
    checkpoints.establish_base(1, 0.0)
    first = commit(checkpoints, volume, 1, 10, one="the same")
    (volume.folder / "deep").mkdir()
    second = commit(checkpoints, volume, 1, 10, first, **{"deep/two": "the same"})
    into = tmp_path / "fresh"
    assert checkpoints.fetch(second, into) == sum(len(text) for text in ("the same", "state after 10"))
    assert (into / "deep" / "two").read_text() == "the same"
    (into / "one").write_text("training writes into it")
    assert (into / "deep" / "two").read_text() == "the same"


def test_the_volume_is_used_where_it_is_as_new_and_the_bucket_for_the_rest(
    store: FileObjects, volume: Volume, tmp_path: Path
) -> None:
    checkpoints = Checkpoints(store, RUN)
    checkpoints.establish_base(1, 0.0)
    commit(checkpoints, volume, 1, 10, weights="w")
    checkpoints.establish_base(2, 0.0)
    assert checkpoints.restore(2, volume.folder, have=volume.folder).source == "volume"
    (volume.folder / "weights").write_text("overwritten by something else")
    (volume.folder / "stray").write_text("training must not find this")
    found = checkpoints.restore(2, volume.folder, have=volume.folder)
    assert (found.source, found.bytes_downloaded) == ("bucket", 1)
    assert volume.files() == {"state": "state after 10", "weights": "w"}


@pytest.mark.parametrize("damage", ["flip", "cut", "missing", "manifest", "manifest of another"])
def test_a_broken_checkpoint_is_named_and_the_one_before_it_taken(
    store: FileObjects, volume: Volume, tmp_path: Path, damage: str
) -> None:
    checkpoints = Checkpoints(store, RUN)
    checkpoints.establish_base(1, 0.0)
    good = commit(checkpoints, volume, 1, 10)
    bad = commit(checkpoints, volume, 1, 20)
    key, manifest = bad.files[0].key, layout.manifest(RUN, 1, 2)
    if damage == "flip":
        store.put(key, store.get(key)[:-1] + b"?")
    elif damage == "cut":
        store.put(key, store.get(key)[:-1])
    elif damage == "missing":
        store.delete([key])
    elif damage == "manifest":
        store.put(manifest, store.get(manifest)[:40])
    else:
        store.put(manifest, store.get(layout.manifest(RUN, 1, 1)))
    base = checkpoints.establish_base(2, 1.0)
    found = checkpoints.restore(2, tmp_path / "new")
    assert found.manifest == good
    assert (tmp_path / "new" / "state").read_text() == "state after 10"
    skipped = {*base.skipped, *found.skipped}
    assert {s.ref for s in skipped} == {bad.ref}
    assert all(s.reason for s in skipped)


def test_when_all_are_broken_nothing_is_restored_and_all_are_named(
    store: FileObjects, volume: Volume, tmp_path: Path
) -> None:
    checkpoints = Checkpoints(store, RUN)
    checkpoints.establish_base(1, 0.0)
    for step in (10, 20):
        store.delete([commit(checkpoints, volume, 1, step).files[0].key])
    base = checkpoints.establish_base(2, 1.0)
    assert base.ref is None
    assert [s.ref for s in base.skipped] == [ref(1, 2), ref(1, 1)]
    assert checkpoints.restore(2, tmp_path / "new").source == "nothing"
    assert not (tmp_path / "new").exists()


def test_a_restore_that_is_cut_off_leaves_the_folder_as_it_was(store: FileObjects, volume: Volume) -> None:
    class Unplugged(FileObjects):
        def download(self, key: str, path: Path) -> None:
            path.write_bytes(b"half")
            raise StoreError("no network")

    checkpoints = Checkpoints(store, RUN)
    checkpoints.establish_base(1, 0.0)
    commit(checkpoints, volume, 1, 10, a="1", b="2")
    checkpoints.establish_base(2, 0.0)
    other = Volume(volume.root / "other")
    other.save(5)
    unplugged = Checkpoints(Unplugged(Path(store.url.removeprefix("file://"))), RUN)
    with pytest.raises(StoreError):
        unplugged.restore(2, other.folder, have=other.folder)
    assert other.files() == {"state": "state after 5"}
    assert sorted(p.name for p in other.root.iterdir()) == ["checkpoints"]


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "a//b"])
def test_a_manifest_cannot_write_outside_the_folder(store: FileObjects, volume: Volume, tmp_path: Path, path: str) -> None:
    checkpoints = Checkpoints(store, RUN)
    checkpoints.establish_base(1, 0.0)
    made = commit(checkpoints, volume, 1, 10)
    evil = made.model_copy(update={"files": (made.files[0].model_copy(update={"path": path}),)})
    store.put(layout.manifest(RUN, 1, 1), document_bytes(evil))
    base = checkpoints.establish_base(2, 0.0)
    found = checkpoints.restore(2, tmp_path / "deep" / "new")
    assert found.source == "nothing"
    assert "leaves" in base.skipped[0].reason  # seen before anybody is to resume from it
    assert not list(tmp_path.rglob("evil"))


def test_a_torn_base_is_not_taken_for_none(store: FileObjects) -> None:
    store.put(layout.base(RUN, 1), b"{")
    with pytest.raises(CheckpointError):
        Checkpoints(store, RUN).establish_base(2, 0.0)


@quick
@given(
    changes=st.lists(st.sampled_from(["state", "a", "b", "prune", "next attempt"]), max_size=25),
    keep=st.integers(1, 4),
)
def test_whatever_was_pruned_every_checkpoint_that_is_left_is_whole(tmp_path: Path, changes: list[str], keep: int) -> None:
    """The law of retention: whole sets only, the newest ones, and never the one that is being resumed from."""
    root = tmp_path / secrets.token_hex(4)
    store, volume = FileObjects(root / "bucket"), Volume(root / "volume")
    checkpoints, attempt = Checkpoints(store, RUN, workers=2), 1
    checkpoints.establish_base(1, 0.0)
    contents: dict[CheckpointRef, dict[str, str]] = {}
    newest: Manifest | None = None
    for step, change in enumerate(changes):
        if change == "next attempt":
            attempt += 1
            base = checkpoints.establish_base(attempt, float(step))
            assert base.ref == (newest.ref if newest else None)
        elif change == "prune":
            checkpoints.prune(attempt, keep=keep, protect=())
        else:
            newest = commit(checkpoints, volume, attempt, step, newest, **({change: str(step)} if change != "state" else {}))
            contents[newest.ref] = volume.files()
    checkpoints.prune(attempt, keep=keep, protect=())
    left = [r for n in range(1, attempt + 1) for r in (ref(n, s) for s in checkpoints.committed(n))]
    base_ref = checkpoints.bases()[attempt].ref
    assert set(sorted(contents, key=lambda r: (r.attempt, r.seq))[-keep:]) <= set(left)
    assert len(left) <= keep + 1
    assert base_ref is None or base_ref in left
    for one in left:
        for entry in checkpoints.manifest(one).files:
            assert store.get(entry.key).decode() == contents[one][entry.path]
    referenced = {e.key for r in left for e in checkpoints.manifest(r).files}
    stored = {i.key for i in store.list(f"runs/{RUN}/checkpoints/") if "/files/" in i.key}
    assert referenced <= stored


def test_what_somebody_else_laid_beside_checkpoints_is_left_alone(store: FileObjects, volume: Volume) -> None:
    checkpoints = Checkpoints(store, RUN)
    checkpoints.establish_base(1, 0.0)
    beside = [f"runs/{RUN}/checkpoints/{where}/files/mine" for where in ("mine/1", "1/mine", "\u00b2/1", "0/1")]
    for key in beside:
        store.put(key, b"mine")
    newest = None
    for step in range(4):
        newest = commit(checkpoints, volume, 1, step, newest, weights=str(step))
    assert checkpoints.prune(1, keep=1, protect=())
    assert all(store.get(key) == b"mine" for key in beside)


def test_late_checkpoints_are_kept_for_people(store: FileObjects, volume: Volume) -> None:
    checkpoints = Checkpoints(store, RUN)
    for n, after in ((1, None), (2, 1)):
        store.create(layout.base(RUN, n), document_bytes(Base(predecessor=after, ref=None, at=0.0)))
    late = Checkpoints(store, RUN)
    manifest = Manifest(run_id=RUN, ref=ref(1, 1), at=0.0, format="rename", files=())
    store.create(layout.manifest(RUN, 1, 1), document_bytes(manifest))
    newest = None
    for step in range(8):
        newest = commit(checkpoints, volume, 2, step, newest)
    checkpoints.prune(2, keep=2, protect=())
    assert late.committed(1) == [1]
    assert checkpoints.committed(2) == [7, 8]


def test_an_attempt_that_was_overtaken_prunes_nothing(store: FileObjects, volume: Volume) -> None:
    checkpoints = Checkpoints(store, RUN)
    checkpoints.establish_base(1, 0.0)
    for step in range(6):
        commit(checkpoints, volume, 1, step)
    checkpoints.establish_base(2, 0.0)
    assert checkpoints.prune(1, keep=1, protect=()) == []
    assert len(checkpoints.committed(1)) == 6
