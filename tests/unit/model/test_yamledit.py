"""Values in somebody's YAML are changed, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.model.errors import JobError
from fleet.model.yamledit import edited

EXAMPLE = (Path(__file__).parents[3] / "examples" / "deepracer" / "fleet.yaml").read_text(encoding="utf-8")


def change(text: str, *path: str, to: object) -> str:
    return edited(text, "fleet.yaml", {path: to})


def test_a_value_is_replaced_and_its_comment_keeps_its_column() -> None:
    text = "name: deepracer   # a name\nworkdir: .\n"
    assert change(text, "name", to="shanghai-1") == "name: shanghai-1  # a name\nworkdir: .\n"
    assert change(text, "name", to="a-very-long-name-indeed") == "name: a-very-long-name-indeed # a name\nworkdir: .\n"


def test_every_comment_of_the_example_stays() -> None:
    wanted: dict[tuple[str, ...], object] = {
        ("name",): "shanghai-1-3",
        ("workload", "pretrained"): "pretrained",
        ("workload", "tracks"): ["reinvent_base", "Oval_track"],
        ("workload", "until", "iterations"): 7,
        ("workload", "nan", "retries"): 3,
    }
    after = edited(EXAMPLE, "fleet.yaml", wanted)
    comments = [line.partition("#")[2] for line in EXAMPLE.splitlines() if "#" in line]
    assert [line.partition("#")[2] for line in after.splitlines() if "#" in line] == comments
    before, now = yaml.safe_load(EXAMPLE), yaml.safe_load(after)
    assert now["workload"].pop("pretrained") == "pretrained"
    assert now["workload"].pop("nan") == {"retries": 3}
    before["name"], before["workload"]["tracks"] = "shanghai-1-3", ["reinvent_base", "Oval_track"]
    before["workload"]["until"] = {"iterations": 7}
    assert now == before


@pytest.mark.parametrize(
    ("text", "path", "value", "after"),
    [
        ("a: {b: 1}  # c\n", ("a", "d"), "x, y", "a: {b: 1, d: 'x, y'}  # c\n"),
        ("a: {}\n", ("a", "d"), 2, "a: {d: 2}\n"),
        ("a:\n  b: 1  # one\n# end\n", ("a", "c"), 2, "a:\n  b: 1  # one\n  c: 2\n# end\n"),
        ("a:\n  b: 1", ("a", "c"), 2, "a:\n  b: 1\n  c: 2\n"),
        ("a:\r\n  b: 1\r\nz: 2\r\n", ("a", "c"), True, "a:\r\n  b: 1\r\n  c: true\r\nz: 2\r\n"),
        ("a:\nb: 1\n", ("a",), "x", "a: x\nb: 1\n"),
        ("a:\nb: 1\n", ("a", "c"), "x", "a: {c: x}\nb: 1\n"),
        ("a:  # why\n  - x  # the old one\nb: 1\n", ("a",), ["y", "z"], "a:  # why\n  - y\n  - z  # the old one\nb: 1\n"),
        ("a:\n- x\n- y\nb: 1\n", ("a",), ["z"], "a:\n- z\nb: 1\n"),
        ("a: |\n  text\n  more\nb: 1\n", ("a",), "x", "a: x\nb: 1\n"),
        ("a: |\n  text\n", ("b",), 1, "a: |\n  text\nb: 1\n"),
        ("a: [x]\n", ("a",), "2019", "a: '2019'\n"),
        ("{a: 1, b: {c: 2}}\n", ("b", "c"), 3, "{a: 1, b: {c: 3}}\n"),
    ],
)  # fmt: skip
def test_values_are_set_in_every_style(text: str, path: tuple[str, ...], value: object, after: str) -> None:
    assert edited(text, "fleet.yaml", {path: value}) == after


def test_what_is_so_already_stays_byte_for_byte() -> None:
    text = "a:   'x'   # quoted\n"
    assert change(text, "a", to="x") == text
    assert change("a: 1\n", "a", to="1") == "a: '1'\n"
    assert change("a: 1\n", "a", to=True) == "a: true\n"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: &x [1]\nb: *x\n", ("a",)),
        ("x: &x {c: 1}\nb: *x\n", ("b", "c")),
        ("a: text\n", ("a", "b")),
        ("- a\n", ("a",)),
    ],
)
def test_what_cannot_be_changed_is_refused_with_its_name(text: str, path: tuple[str, ...]) -> None:
    with pytest.raises(JobError, match=rf"fleet\.yaml: {'.'.join(path)} .*"):
        edited(text, "fleet.yaml", {path: "new"})


def test_broken_yaml_is_told_with_its_place() -> None:
    with pytest.raises(JobError, match=r"fleet\.yaml:2:"):
        change("a: 1\n\tb: 2\n", "a", to=2)


plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=80)
@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=2), plain, min_size=1, max_size=4),
    st.lists(st.sampled_from(["a", "b", "ab", "new"]), min_size=1, max_size=2),
    plain,
    st.booleans(),
)
def test_whatever_the_document_it_comes_out_as_meant_or_is_refused(
    document: dict[str, Any], path: list[str], value: Any, flow: bool
) -> None:
    text = yaml.safe_dump(document, default_flow_style=flow, allow_unicode=True)
    try:
        after = edited(text, "f", {tuple(path): value})
    except JobError:
        within: Any = document
        for key in path[:-1]:
            within = within.get(key, {})
        assert (not isinstance(within, dict) and within is not None) or "\\" in text or _odd(text)
        return
    expected: Any = yaml.safe_load(after)
    for key in path:
        expected = expected[key]
    assert expected == value


def _odd(text: str) -> bool:
    """Texts that YAML writes over several lines, or characters that it does not take raw."""
    return any(sign in text for sign in ("'", '"', "\x85", "\u2028", "\u2029", "|", ">"))
