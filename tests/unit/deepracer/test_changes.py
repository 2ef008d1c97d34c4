"""What two models differ in, and where versions come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.versions.changes import Change, described, differences
from fleet.workloads.deepracer.versions.lineage import (
    Changed,
    Found,
    Lineage,
    Node,
    Parent,
    lineage_bytes,
    named,
    parse_lineage,
    recorded,
    since_parent,
    trees,
)
from fleet.workloads.deepracer.versions.names import parse_version

EXAMPLE = Path(__file__).parents[3] / "examples" / "deepracer"
TEXTS = {
    path.name: path.read_text(encoding="utf-8") for path in EXAMPLE.iterdir() if path.suffix in (".py", ".json", ".yaml")
}


def changed(**other: str) -> list[Change]:
    names = {"job": "fleet.yaml", "numbers": "hyperparameters.json", "metadata": "model_metadata.json"}
    after = {**TEXTS, **{names[name]: text for name, text in other.items()}}
    return list(differences(described("a", TEXTS), described("b", after)).changes)


def test_the_same_texts_do_not_differ() -> None:
    found = differences(described("a", TEXTS), described("b", dict(TEXTS)))
    assert found.same
    assert found.unknown == ()
    assert found.summary() == ""


def test_a_reward_function_is_told_by_its_lines() -> None:
    after = {**TEXTS, "reward_function.py": TEXTS["reward_function.py"].replace("0.001", "0.002")}
    found = differences(described("a", TEXTS), described("b", after))
    assert found.reward_diff.splitlines()[:2] == ["--- a/reward_function.py", "+++ b/reward_function.py"]
    assert "-        return 0.001" in found.reward_diff
    assert "+        return 0.002" in found.reward_diff
    assert found.summary() == "reward function +1 -1"


def test_line_ends_and_marks_of_editors_are_no_change() -> None:
    windows = {name: "\ufeff" + text.replace("\n", "\r\n") for name, text in TEXTS.items()}
    assert differences(described("a", TEXTS), described("b", windows)).same


def test_hyperparameters_are_compared_by_what_they_mean() -> None:
    value = json.loads(TEXTS["hyperparameters.json"])
    assert changed(numbers=json.dumps({**value, "lr": "0.0003", "e_greedy_value": 0.05})) == []
    assert changed(numbers=json.dumps({**value, "lr": 0.0001})) == [Change("hyperparameter", "lr", 0.0003, 0.0001)]
    without = {key: one for key, one in value.items() if key != "num_epochs"}
    assert [one.told() for one in changed(numbers=json.dumps(without))] == ["num_epochs 5 → (none)"]


def test_tracks_race_images_and_the_rest_of_the_job_are_told_apart() -> None:
    job = TEXTS["fleet.yaml"].replace("tracks: [reinvent_base]", "tracks: [Oval_track, Bowtie_track]\n  race: HEAD_TO_BOT")
    job = job.replace("until: {iterations: 100}", "until: {iterations: 50}\n  images: {simapp: 'mine:1'}\n  pretrained: x")
    assert [(one.kind, one.told()) for one in changed(job=job)] == [
        ("track", "tracks reinvent_base → Oval_track Bowtie_track"),
        ("race", "race TIME_TRIAL → HEAD_TO_BOT"),
        ("job", "until.iterations 100 → 50"),
        ("image", "images.simapp (none) → mine:1"),
    ]


def test_actions_are_told_one_by_one() -> None:
    value = json.loads(TEXTS["model_metadata.json"])
    value["action_space"][1]["speed"] = 3.5
    value["action_space"].append({"steering_angle": 0, "speed": 1})
    value["neural_network"] = "DEEP"
    found = changed(metadata=json.dumps(value))
    assert [(one.kind, one.name) for one in found[:2]] == [
        ("actions", "action_space[1]"),
        ("actions", f"action_space[{len(value['action_space']) - 1}]"),
    ]
    assert "3.5 m/s" in found[0].told()
    assert found[1].before is None
    assert found[2].kind == "sensors"


def test_a_prefix_tells_its_track_race_and_workers() -> None:
    params = "WORLD_NAME: 'Oval_track'\nRACE_TYPE: TIME_TRIAL\nNUM_WORKERS: '2'\n"
    found = differences(described("a", TEXTS), described("b", {"training_params.yaml": params}))
    assert [one.told() for one in found.changes] == ["tracks reinvent_base → Oval_track", "workers 1 → 2"]
    assert [one.partition(":")[0] for one in found.unknown] == [
        "hyperparameters",
        "model_metadata.json",
        "the reward function",
    ]


@pytest.mark.parametrize("name", ["hyperparameters.json", "model_metadata.json", "fleet.yaml"])
@pytest.mark.parametrize("text", ["", "[", "\0", "{'a': [", "- x", "[" * 100_000])
def test_what_cannot_be_read_is_named_and_nothing_else_is_lost(name: str, text: str) -> None:
    found = differences(described("a", TEXTS), described("b", {**TEXTS, name: text}))
    assert any(name in one and "b" in one for one in found.unknown)
    assert found.changes == ()


anything: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["NaN", "1e999", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
words = st.sampled_from(["lr", "loss_type", "action_space", "version", "own"])


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(words, anything, max_size=4), st.dictionaries(words, anything, max_size=4))
def test_whatever_stands_in_them_is_compared_told_and_kept(one: dict[str, Any], other: dict[str, Any]) -> None:
    before, after = (
        described(name, {"hyperparameters.json": json.dumps(value), "model_metadata.json": json.dumps(value)})
        for name, value in (("a", one), ("b", other))
    )
    found = differences(before, after)
    assert bool(found.summary()) is not found.same
    json.dumps([[change.before, change.after] for change in found.changes], allow_nan=False)
    kept = lineage("a-1").model_copy(update={"changes": recorded(found.changes)})
    assert parse_lineage(lineage_bytes(kept), "lineage.json") == kept
    assert differences(before, before).same


def lineage(version: str, parent: str | None = None) -> Lineage:
    above = Parent(name=parent, where="x", texts=TEXTS) if parent is not None else None
    return Lineage(version=version, job=version.replace(".", "-"), at=1.0, parent=above)


def found(version: str, parent: str | None = None, path: str = "") -> Found:
    one = lineage(version, parent)
    return Found(path or version, parse_version(version), one.job, one)


def shape(nodes: list[Node]) -> list[object]:
    return [[node.found.path, shape(node.children)] if node.children else node.found.path for node in nodes]


def test_versions_are_a_tree_by_stream_sorted_by_number() -> None:
    grown = trees(
        [
            found("b-1", "a-1.2"),
            found("a-1.10", "a-1"),
            found("a-1.2", "a-1-1"),  # by its job's name
            found("a-1.1", "a-1"),
            found("a-1"),
            found("a-2", "gone-7"),
        ]
    )
    assert {stream: shape(nodes) for stream, nodes in grown.items()} == {
        "a": [["a-1", [["a-1.1", ["a-1.2"]], "a-1.10"]], "a-2"],
        "b": ["b-1"],
    }


def test_rings_and_twins_are_all_shown_once() -> None:
    ring = [found("a-1", "a-2"), found("a-2", "a-1"), found("a-3", "a-3")]
    twins = [found("a-4", "a-1", "x"), found("a-4", path="y"), found("a-5", "a-4")]
    assert shape(trees([*ring, *twins])["a"]) == [["a-2", [["a-1", [["x", ["a-5"]]]]]], "a-3", "y"]


def test_a_lineage_is_read_back_and_what_a_newer_fleet_added_is_passed_over() -> None:
    one = lineage("a-1.1", "a-1").noted("  brakes late ", 2.0)
    again = parse_lineage(lineage_bytes(one), "lineage.json")
    assert again == one
    assert again.notes[0].text == "brakes late"
    more = {**json.loads(lineage_bytes(one)), "colour": "red"}
    assert parse_lineage(json.dumps(more).encode(), "lineage.json") == one
    changed = one.model_copy(update={"changes": (Changed(kind="job", name="workers", before=1, after=[2]),)})
    assert parse_lineage(lineage_bytes(changed), "lineage.json") == changed


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"v": 1, "version": 3}', b"[" * 100_000, b" " * 5_000_000]
)
def test_a_broken_lineage_is_told_with_its_place(data: bytes) -> None:
    with pytest.raises(FleetError, match=r"x/lineage\.json cannot be read"):
        parse_lineage(data, "x/lineage.json")


def test_a_lineage_of_a_newer_form_says_to_upgrade() -> None:
    with pytest.raises(FleetError, match="newer fleet"):
        parse_lineage(b'{"v": 2}', "lineage.json")


@pytest.mark.parametrize("text", ["", "  \n", "x" * 10_001])
def test_a_note_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(FleetError, match="note"):
        lineage("a-1").noted(text, 1.0)


def test_what_a_version_changed_is_told_by_the_parent_as_it_was() -> None:
    after = {**TEXTS, "reward_function.py": "def reward_function(params):\n    return 1.0\n"}
    since = since_parent(lineage("a-1.1", "a-1"), after)
    assert since is not None
    assert "+    return 1.0" in since.reward_diff
    assert since_parent(lineage("a-1"), after) is None
    assert since_parent(None, after) is None


def test_a_folder_is_the_version_that_its_lineage_says_else_its_name() -> None:
    assert str(named("copy", "shanghai-1-3", lineage("shanghai-1.3"))) == "shanghai-1.3"
    assert str(named("shanghai-1.3", "shanghai-1-3", None)) == "shanghai-1.3"
    assert str(named("copy", "shanghai-1-3", None)) == "shanghai-1-3"
    assert str(named("My Model", None, None)) == "my-model"
