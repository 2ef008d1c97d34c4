"""The contract of a bucket, on a folder, in memory and on an S3 server."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.model.errors import AlreadyExistsError, NotFoundError, StoreError, UnsuitableStoreError
from fleet.store.files import ABANDONED, STILL, FileObjects
from fleet.store.objects import Objects
from fleet.store.opening import open_objects


def test_what_was_put_is_got(objects: Objects) -> None:
    objects.put("a/b c/ü.json", b"one")
    objects.put("a/b c/ü.json", b"two")
    assert objects.get("a/b c/ü.json") == b"two"


def test_what_is_not_there_is_not_found(objects: Objects, tmp_path: Path) -> None:
    objects.put("a/b", b"1")
    for key in ("a", "a/b/c", "b"):
        with pytest.raises(NotFoundError):
            objects.get(key)
    with pytest.raises(NotFoundError):
        objects.download("b", tmp_path / "b")


def test_a_key_is_created_once(objects: Objects) -> None:
    objects.create("k", b"first")
    with pytest.raises(AlreadyExistsError):
        objects.create("k", b"second")
    assert objects.get("k") == b"first"


def test_of_many_creators_at_once_one_wins_and_its_bytes_stand(objects: Objects) -> None:
    def create(n: int) -> bool:
        try:
            objects.create("race/k", b"%d" % n)
        except AlreadyExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(create, range(8)))
    assert won.count(True) == 1
    assert objects.get("race/k") == b"%d" % won.index(True)


def test_listings_are_sorted_whole_and_by_prefix(objects: Objects) -> None:
    keys = [f"p/{n:03d}/{name}" for n in range(40) for name in ("b", "a.json", "c d")]
    for key in reversed(keys):
        objects.put(key, key.encode())
    assert [i.key for i in objects.list("p/")] == sorted(keys)
    assert [i.key for i in objects.list("p/01")] == sorted(k for k in keys if k.startswith("p/01"))
    assert [i.key for i in objects.list("p/010/a")] == ["p/010/a.json"]
    assert objects.list("nothing/") == []
    assert {i.size for i in objects.list("p/000/b")} == {len("p/000/b")}


def test_a_listing_names_what_lies_in_folders_below_and_nothing_beside(objects: Objects) -> None:
    for key in ("l/1", "l/10", "l/2/a", "l/2/b/c", "l2/1", "m"):
        objects.put(key, b"x")
    assert [i.key for i in objects.list("l/")] == ["l/1", "l/10", "l/2/a", "l/2/b/c"]
    assert [i.key for i in objects.list("l/1")] == ["l/1", "l/10"]
    assert [i.key for i in objects.list("l/2/b")] == ["l/2/b/c"]
    assert [i.key for i in objects.list("")] == ["l/1", "l/10", "l/2/a", "l/2/b/c", "l2/1", "m"]


def test_a_listing_overtaken_by_a_writer_does_not_find_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoints are made and pruned while another machine looks which there are: there always is one."""
    objects = FileObjects(tmp_path)
    for key in ("c/1/m", "c/2/m", "c/note"):
        objects.put(key, b"x")
    scandir, news = os.scandir, ["c/3/m", "c/4/m"]

    def slow(folder: str) -> list[os.DirEntry[str]]:
        entries = list(scandir(folder))
        if str(folder) == str(tmp_path / "c") and news:
            while news:
                objects.put(news.pop(0), b"x")
            objects.delete(["c/1/m", "c/2/m"])
        return entries

    monkeypatch.setattr(os, "scandir", slow)
    assert [i.key for i in objects.list("c/")] == ["c/3/m", "c/4/m", "c/note"]


def test_a_listings_version_changes_with_the_content(objects: Objects) -> None:
    objects.put("h/1", b"one")
    before = objects.list("h/")[0].version
    objects.put("h/1", b"two")
    assert objects.list("h/")[0].version != before


def test_what_is_deleted_is_gone_and_deleting_it_again_is_success(objects: Objects) -> None:
    objects.put("d/1", b"1")
    objects.put("d/2", b"2")
    objects.delete(["d/1", "d/nothing"])
    objects.delete(["d/1"])
    assert [i.key for i in objects.list("d/")] == ["d/2"]


def test_files_go_up_and_come_down_byte_for_byte(objects: Objects, tmp_path: Path) -> None:
    content = bytes(range(256)) * 50_000  # 12.8 MB: several parts
    (tmp_path / "up").write_bytes(content)
    objects.upload("files/x", tmp_path / "up")
    objects.download("files/x", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == content


def test_the_clock_is_about_now(objects: Objects) -> None:
    assert abs(objects.now() - time.time()) < 2


@pytest.mark.parametrize("url", ["", "ftp://x/y", "/tmp/x", "s3://", "gs:///x", "file://host/x", "file:relative"])
def test_what_is_no_bucket_is_refused_by_name(url: str) -> None:
    with pytest.raises(UnsuitableStoreError):
        open_objects(url)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(UnsuitableStoreError):
        open_objects((tmp_path / "f").as_uri())


def test_an_s3_bucket_that_does_not_exist_is_a_store_error(s3_url: str) -> None:
    with pytest.raises(StoreError):
        open_objects("s3://no-such-bucket-here").put("k", b"x")


@pytest.mark.parametrize("key", ["/etc/passwd", "a/../../b", "..", "a/..", "a/./b", "a//b"])
def test_no_key_leaves_the_folder(tmp_path: Path, key: str) -> None:
    with pytest.raises(StoreError):
        FileObjects(tmp_path / "b").put(key, b"x")
    assert not (tmp_path / "b").exists() or not list((tmp_path / "b").iterdir())


def test_a_folder_writes_its_bytes_to_the_disk_before_their_name_and_the_name_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporary file, fsync, link, fsync of the folder (design.md, section 4)."""
    import os

    objects = FileObjects(tmp_path / "b")
    objects.put("journal/0", b"x")
    seen: list[str] = []
    real_fsync, real_link = os.fsync, os.link

    def fsync(fd: int) -> None:
        seen.append("sync folder" if Path(f"/proc/self/fd/{fd}").resolve().is_dir() else "sync file")
        real_fsync(fd)

    def link(source: Path, target: Path) -> None:
        seen.append("link")
        real_link(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    objects.create("journal/1", b"x")
    assert seen == ["sync file", "link", "sync folder"]


def test_a_full_disk_leaves_no_half_object_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    objects = FileObjects(tmp_path / "b")
    objects.put("k", b"old")

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for write in (objects.put, objects.create):
        with pytest.raises(StoreError, match="No space left"):
            write("k2", b"new")
    with pytest.raises(StoreError):
        objects.put("k", b"new")
    assert objects.get("k") == b"old"
    assert [p.name for p in (tmp_path / "b").iterdir()] == ["k"]


def test_what_a_killed_writer_left_goes_with_the_last_key_beside_it(tmp_path: Path) -> None:
    objects = FileObjects(tmp_path)
    for key in ("set/1/files/model", "set/2/files/model", "set/2/files/more"):
        objects.put(key, b"whole")
    left = [tmp_path / "set" / number / "files" / ".tmp-0123" for number in ("1", "2")]
    for path in left:
        path.write_bytes(b"half a checkpoint")
    objects.delete(["set/1/files/model"])
    assert left[0].exists()  # its writer may still be at it
    for path in left:
        os.utime(path, (time.time() - 2 * STILL,) * 2)
    objects.delete(["set/1/files/model", "set/2/files/model"])
    assert not (tmp_path / "set" / "1").exists()
    assert left[1].exists()  # something else lies there: a folder in use is not searched
    objects.delete(["set/2/files/more"])
    assert not (tmp_path / "set").exists()


def test_what_a_killed_writer_left_is_not_listed(tmp_path: Path) -> None:
    objects = FileObjects(tmp_path / "b")
    objects.put("j/1", b"x")
    (tmp_path / "b" / "j" / ".tmp-0123").write_bytes(b"half")
    assert [i.key for i in objects.list("j/")] == ["j/1"]


def test_what_a_killed_writer_left_is_cleared_away_a_day_later_with_its_folder_and_nothing_younger(tmp_path: Path) -> None:
    left, young = tmp_path / "b" / "runs" / "r" / "files" / ".tmp-0123", tmp_path / "b" / "runs" / "s" / ".tmp-4567"
    for path in (left, young):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half a checkpoint")
    now = left.stat().st_mtime
    os.utime(young, (now, now + 2))
    FileObjects(tmp_path / "b", lambda: now + ABANDONED).list("runs/")
    assert left.exists()
    FileObjects(tmp_path / "b", lambda: now + ABANDONED + 1).list("runs/")
    assert not left.parent.parent.exists()
    assert young.exists()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "create", "delete"]),
            st.sampled_from(["a", "b/c", "b/d/e", "b/d/f"]),
            st.binary(max_size=9),
        ),
        max_size=25,
    )
)
def test_a_folder_behaves_like_a_dictionary(tmp_path: Path, steps: list[tuple[str, str, bytes]]) -> None:
    import secrets

    objects, model = FileObjects(tmp_path / secrets.token_hex(4)), dict[str, bytes]()
    for do, key, data in steps:
        if do == "put":
            objects.put(key, data)
            model[key] = data
        elif do == "delete":
            objects.delete([key])
            model.pop(key, None)
        elif key in model:
            with pytest.raises(AlreadyExistsError):
                objects.create(key, data)
        else:
            objects.create(key, data)
            model[key] = data
    assert {i.key: objects.get(i.key) for i in objects.list("")} == model
