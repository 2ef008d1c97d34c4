"""Traces as they come: good ones, and one clear message for each that is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fleet.backtest.traces import read_folder, read_trace, read_zones
from fleet.model.errors import FleetError


def lay(folder: Path, name: str, data: Any, gap: Any = 600) -> Path:
    path = folder / name
    path.write_text(json.dumps({"metadata": {"gap_seconds": gap}, "data": data}))
    return path


def test_a_trace_says_where_spot_was_available_for_all_nodes(tmp_path: Path) -> None:
    path = lay(tmp_path, "us-west-2a_v100_1.json", [0, 3, 16, 0.5], gap=300)
    assert read_trace(path).up == bytes([0, 1, 1, 1])
    trace = read_trace(path, nodes=16)
    assert (trace.up, trace.gap, trace.seconds, trace.region) == (bytes([0, 0, 1, 0]), 300.0, 1200.0, "us-west-2")


@pytest.mark.parametrize("data", [[0], [1], [0] * 500])
def test_one_tick_and_all_zeros_are_traces(tmp_path: Path, data: list[int]) -> None:
    assert list(read_trace(lay(tmp_path, "a.json", data)).up) == data


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("us-east-1f_v100_1.json", "us-east-1"),
        ("ap-southeast-2b.json", "ap-southeast-2"),
        ("us-central1-b_t4.json", "us-central1"),
        ("window-07.json", "window-07.json"),
        ("0.json", "0.json"),
    ],
)
def test_the_region_is_that_of_the_zone_in_the_files_name(tmp_path: Path, name: str, region: str) -> None:
    assert read_trace(lay(tmp_path, name, [1])).region == region


GOOD = '{"metadata": {"gap_seconds": 600}, "data": '


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not a trace"),
        ("spot", "not a trace"),
        ("[1, 2]", "gap_seconds is missing"),
        ('{"data": [1]}', "gap_seconds is missing"),
        ('{"metadata": {}, "data": [1]}', "gap_seconds is missing"),
        ('{"metadata": 5, "data": [1]}', "gap_seconds is missing"),
        ('{"metadata": {"gap_seconds": 0}, "data": [1]}', "gap_seconds is 0, not"),
        ('{"metadata": {"gap_seconds": -600}, "data": [1]}', "gap_seconds is -600, not"),
        ('{"metadata": {"gap_seconds": NaN}, "data": [1]}', "gap_seconds is NaN, not"),
        ('{"metadata": {"gap_seconds": Infinity}, "data": [1]}', "gap_seconds is Infinity, not"),
        ('{"metadata": {"gap_seconds": "600"}, "data": [1]}', 'gap_seconds is "600", not'),
        ('{"metadata": {"gap_seconds": true}, "data": [1]}', "gap_seconds is true, not"),
        ('{"metadata": {"gap_seconds": 600}}', "data is missing"),
        (GOOD + '"1"}', 'data is "1", not a list'),
        (GOOD + "[]}", "not a list of at least one tick"),
        (GOOD + "[1, -1]}", r"data\[1\] is -1, not"),
        (GOOD + "[NaN]}", r"data\[0\] is NaN, not"),
        (GOOD + "[1e999]}", r"data\[0\] is Infinity, not"),
        (GOOD + f"[{10**400}]}}", r"data\[0\] is 1000"),
        (GOOD + '["1"]}', r'data\[0\] is "1", not'),
        (GOOD + "[null]}", r"data\[0\] is null, not"),
        (GOOD + "[[1]]}", r"data\[0\] is \[1\], not"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_trace_is_refused_with_the_file_and_the_reason(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(FleetError, match=told) as refused:
        read_folder(tmp_path)
    assert str(path) in refused.value.message
    assert "gap_seconds" in refused.value.hint


def test_a_file_that_is_not_text_is_no_trace(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FleetError, match="not a trace"):
        read_folder(tmp_path)


def test_a_folder_without_traces_and_none_at_all_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing")
    with pytest.raises(FleetError, match=r"no file \*\.json"):
        read_folder(tmp_path)
    with pytest.raises(FleetError, match="no such folder"):
        read_folder(tmp_path / "there")


def test_traces_come_by_name_and_what_is_beside_them_is_left_alone(tmp_path: Path) -> None:
    for name in ("b.json", "a.json", "c.txt", ".d.json"):
        lay(tmp_path, name, [1])
    assert [trace.name for trace in read_folder(tmp_path)] == ["a.json", "b.json"]


def test_windows_may_differ_in_length_and_tick_but_zones_have_one_clock(tmp_path: Path) -> None:
    lay(tmp_path, "a.json", [1, 1])
    lay(tmp_path, "b.json", [1, 1, 1])
    assert len(read_folder(tmp_path)) == 2
    with pytest.raises(FleetError, match=r"a\.json has 2 ticks, b\.json 3"):
        read_zones(tmp_path)
    lay(tmp_path, "b.json", [1, 1], gap=195)
    with pytest.raises(FleetError, match=r"a\.json has ticks of 600 s, b\.json of 195 s"):
        read_zones(tmp_path)
    lay(tmp_path, "b.json", [1, 0])
    assert [trace.up for trace in read_zones(tmp_path)] == [bytes([1, 1]), bytes([1, 0])]
