"""What is a set, which is whole, and which is newer."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fleet.workloads.deepracer.prefix import Stat
from fleet.workloads.deepracer.sets import SUFFIXES, newest_whole, parse_stem, sets_of


def listed(*names: str, size: int = 5, at: float = 1.0) -> dict[str, Stat]:
    return {f"model/{name}": Stat(size, at) for name in names}


def whole(stem: str, at: float = 1.0) -> dict[str, Stat]:
    return listed(*(stem + suffix for suffix in SUFFIXES), at=at)


def newest(listing: Mapping[str, Stat]) -> str | None:
    found = newest_whole(listing)
    return found.stem if found else None


def test_newer_is_the_larger_n_as_a_number_and_never_the_larger_y() -> None:
    assert newest({**whole("9_Step-900000.ckpt"), **whole("10_Step-0.ckpt")}) == "10_Step-0.ckpt"
    assert newest({**whole("308_Step-0.ckpt"), **whole("307_Step-215377.ckpt")}) == "308_Step-0.ckpt"


def test_of_one_n_twice_the_later_one_is_newer_since_y_began_anew() -> None:
    assert newest({**whole("308_Step-215377.ckpt", at=1), **whole("308_Step-0.ckpt", at=2)}) == "308_Step-0.ckpt"
    assert newest({**whole("308_Step-215377.ckpt"), **whole("308_Step-0.ckpt")}) == "308_Step-215377.ckpt"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_set_is_whole_only_with_all_three_files_none_of_them_empty(suffix: str) -> None:
    listing = {**whole("1_Step-5.ckpt"), **whole("2_Step-9.ckpt")}
    assert newest(listing) == "2_Step-9.ckpt"
    empty = {**listing, f"model/2_Step-9.ckpt{suffix}": Stat(0, 1)}
    assert newest(empty) == "1_Step-5.ckpt"
    assert sets_of(empty)[-1].lacks == f"{suffix} empty"
    del listing[f"model/2_Step-9.ckpt{suffix}"]
    assert newest(listing) == "1_Step-5.ckpt"
    assert sets_of(listing)[-1].lacks == f"{suffix} missing"


def test_files_of_two_stems_make_no_set_and_a_stem_that_begins_another_takes_nothing_of_it() -> None:
    listing = {**listed("1_Step-1.ckpt.index", "1_Step-1.ckpt.meta"), **listed("1_Step-10.ckpt.data-00000-of-00001")}
    assert newest(listing) is None
    assert [(one.stem, len(one.files)) for one in sets_of(listing)] == [("1_Step-1.ckpt", 2), ("1_Step-10.ckpt", 1)]


def test_what_a_download_left_belongs_to_the_set_as_the_loader_has_it_and_makes_it_no_less_whole() -> None:
    listing = {**whole("1_Step-5.ckpt"), **listed("1_Step-5.ckpt.index.8aF3", "2_Step-7.ckpt.meta.part", "3_Step-1.ckpt")}
    assert [(one.stem, one.whole) for one in sets_of(listing)] == [
        ("1_Step-5.ckpt", True), ("2_Step-7.ckpt", False), ("3_Step-1.ckpt", False),
    ]  # fmt: skip
    assert "model/1_Step-5.ckpt.index.8aF3" in sets_of(listing)[0].names


def test_only_model_is_looked_at_and_only_names_that_a_trainer_writes() -> None:
    elsewhere = {name.replace("model/", "set-aside/1/"): stat for name, stat in whole("9_Step-1.ckpt").items()}
    deeper = {name.replace("model/", "model/old/"): stat for name, stat in whole("8_Step-1.ckpt").items()}
    odd = {**whole("07_Step-1.ckpt"), **whole("x_Step-1.ckpt"), **whole("-1_Step-1.ckpt"), **whole("٣_Step-1.ckpt")}
    assert sets_of({**elsewhere, **deeper, **odd}) == ()


def test_a_set_tells_its_size_its_time_and_its_files() -> None:
    (one,) = sets_of({**whole("3_Step-10.ckpt"), "model/3_Step-10.ckpt.meta": Stat(7, 99.0)})
    assert (one.n, one.y, one.size, one.modified) == (3, 10, 17, 99.0)
    assert one.names == tuple(sorted(f"model/3_Step-10.ckpt{suffix}" for suffix in SUFFIXES))


def test_a_stem_is_read_exactly() -> None:
    assert parse_stem("3_Step-10.ckpt") == (3, 10)
    for text in ("", "3_Step-10", "3_Step-10.ckpt.index", " 3_Step-10.ckpt", "3_Step-10.ckpt\n", "model/3_Step-10.ckpt"):
        assert parse_stem(text) is None
