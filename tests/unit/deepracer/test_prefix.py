"""Folders and buckets as the place of a model: the same, whichever it is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fleet.model.errors import AlreadyExistsError, NotFoundError, StoreError, UnsuitableStoreError
from fleet.workloads.deepracer import bucket
from fleet.workloads.deepracer.prefix import Prefix, S3Place, open_folder, open_prefix, open_s3, prefixes

if TYPE_CHECKING:
    from obstore.store import S3Credential

Opener = Callable[[str], Prefix]


@pytest.fixture
def place(s3_url: str, s3_server: str) -> S3Place:
    """A new bucket on a look-alike, with keys of its own."""
    return S3Place(s3_url.split("/")[2], s3_server, "test", "test")


@pytest.fixture(params=["folder", "place", "configured"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    if request.param == "folder":
        return lambda name: open_prefix(str(tmp_path / name))
    place: S3Place = request.getfixturevalue("place")
    if request.param == "place":
        return lambda name: open_s3(place, name)
    return lambda name: open_prefix(f"s3://{place.bucket}/{name}/")


def test_names_are_relative_and_what_was_written_is_read(opener: Opener) -> None:
    prefix = opener("model-1")
    assert prefix.list() == {}
    before = prefix.now()
    prefix.write("model/.coach_checkpoint", b"3_Step-10.ckpt")
    prefix.write("model/.coach_checkpoint", b"4_Step-9.ckpt")
    prefix.write("ip/done", b"")
    found = prefix.list()
    assert {name: stat.size for name, stat in found.items()} == {"ip/done": 0, "model/.coach_checkpoint": 13}
    assert all(abs(stat.modified - before) < 10 for stat in found.values())
    assert prefix.read("model/.coach_checkpoint") == b"4_Step-9.ckpt"
    assert opener("model-1").list() == found
    with pytest.raises(NotFoundError):
        prefix.read("model/.lock")


def test_a_prefix_sees_nothing_of_another_that_begins_with_the_same_letters(opener: Opener) -> None:
    for name in ("model-1", "model-10", "model-1/nested/model-1"):
        opener(name).write("model/.lock", name.encode())
    assert list(opener("model-1").list()) == ["model/.lock", "nested/model-1/model/.lock"]
    assert list(opener("model-10").list()) == ["model/.lock"]
    assert opener("model").list() == {}
    opener("model-1").remove("model/.lock")
    assert opener("model-10").read("model/.lock") == b"model-10"


def test_a_move_replaces_nothing_and_goes_on_where_it_was_cut_off(opener: Opener) -> None:
    prefix = opener("m")
    prefix.write("model/a", b"one")
    prefix.move("model/a", "set-aside/1/a")
    assert list(prefix.list()) == ["set-aside/1/a"]
    prefix.write("model/a", b"two")
    with pytest.raises(AlreadyExistsError):
        prefix.move("model/a", "set-aside/1/a")
    assert (prefix.read("model/a"), prefix.read("set-aside/1/a")) == (b"two", b"one")
    prefix.write("model/a", b"one")  # as a copy leaves it whose removal did not come to pass
    prefix.move("model/a", "set-aside/1/a")
    assert list(prefix.list()) == ["set-aside/1/a"]
    for to in ("set-aside/1/a", "set-aside/1/b"):
        with pytest.raises(NotFoundError):
            prefix.move("model/a", to)
    assert list(prefix.list()) == ["set-aside/1/a"]


def test_removing_what_is_not_there_is_fine(opener: Opener) -> None:
    prefix = opener("m")
    prefix.write("model/.lock", b"")
    for _ in range(2):
        prefix.remove("model/.lock")
    prefix.remove("nowhere/at/all")
    assert prefix.list() == {}


def test_files_come_and_go_whole_or_not_at_all(opener: Opener, tmp_path: Path) -> None:
    prefix, data = opener("m"), os.urandom(6 << 20)
    (tmp_path / "large").write_bytes(data)
    prefix.send("model/large", tmp_path / "large")
    prefix.fetch("model/large", tmp_path / "into" / "copy")
    assert (tmp_path / "into" / "copy").read_bytes() == data
    with pytest.raises(NotFoundError):
        prefix.fetch("model/none", tmp_path / "into" / "none")
    assert [path.name for path in (tmp_path / "into").iterdir()] == ["copy"]


def test_what_it_is_called_is_what_a_user_types(opener: Opener) -> None:
    where = opener("m").where
    opener("m").write("model/a", b"x")
    assert list(open_prefix(where).list()) == ["model/a"]


def test_the_models_of_a_bucket_are_told(place: S3Place) -> None:
    assert prefixes(place) == []
    for name in ("model-10", "model-1", "custom_files"):
        open_s3(place, name).write("a/b", b"")
    assert prefixes(place) == ["custom_files", "model-1", "model-10"]


def test_keys_of_a_place_are_used_and_not_those_of_the_environment(place: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = bucket._keys

    def keys(key: str, secret: str) -> S3Credential:
        seen.append((key, secret))
        return real(key, secret)

    monkeypatch.setenv("AWS_SESSION_TOKEN", "another's")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another's")
    monkeypatch.setattr(bucket, "_keys", keys)
    open_s3(place, "m").write("a", b"x")
    assert seen
    assert set(seen) == {("test", "test")}


def test_links_to_folders_are_followed_and_circles_are_not(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / ".lock").write_bytes(b"")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model").symlink_to(tmp_path / "disk")
    (tmp_path / "m" / "circle").symlink_to(tmp_path / "m")
    (tmp_path / "m" / "broken").symlink_to(tmp_path / "nowhere")
    (tmp_path / "m" / ".tmp-0123").write_bytes(b"half")
    assert list(open_folder(tmp_path / "m").list()) == ["model/.lock"]


def test_listing_a_folder_removes_nothing_from_it(tmp_path: Path) -> None:
    old = tmp_path / ".tmp-old"
    old.write_bytes(b"")
    os.utime(old, (time.time() - 1e6,) * 2)
    open_folder(tmp_path).list()
    assert old.exists()


def test_a_folder_that_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnsuitableStoreError, match="is a file"):
        open_prefix(str(tmp_path / "file"))
    with pytest.raises(StoreError):
        open_folder(tmp_path).write("file/model/a", b"")


@pytest.mark.parametrize(
    "text", ["s3://", "s3:///m", "gs://bucket/m", "http://host/m", "file://host/m", "file:relative://x"]
)
def test_what_is_no_place_of_a_model_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(UnsuitableStoreError, match="Name a folder"):
        open_prefix(text)


def test_a_folder_may_be_named_in_every_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "x").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in ("a b", "~/a b", str(tmp_path / "a b"), (tmp_path / "a b").as_uri(), "./a b/"):
        assert list(open_prefix(text).list()) == ["x"]
