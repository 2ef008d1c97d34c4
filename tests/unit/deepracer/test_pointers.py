"""Pointers, whatever a crash or an editor left in them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.workloads.deepracer.pointers import COACH, JSON, TEXT, committed, parse_pointers, read_pointers
from fleet.workloads.deepracer.prefix import Stat
from tests.unit.deepracer.test_sets import whole
from tests.unit.deepracer.trainer import Memory

STEM = "85_Step-215377.ckpt"
BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize("data", [b"%s", b"%s\n", b" %s\r\n", BOM + b"%s", b'"%s"'])
def test_todays_pointer_is_the_bare_name_whatever_an_editor_did_around_it(data: bytes) -> None:
    found = parse_pointers({COACH: data.replace(b"%s", STEM.encode())})
    assert (found.coach, found.problems) == (STEM, ())


@pytest.mark.parametrize(
    "data",
    [
        b'model_checkpoint_path: "%s"\nall_model_checkpoint_paths: "%s"\n',
        b'model_checkpoint_path: "./checkpoint/%s"\r\nall_model_checkpoint_paths: "1_Step-1.ckpt"\r\n',
        BOM + b'all_model_checkpoint_paths: "1_Step-1.ckpt"\n  model_checkpoint_path:"%s"',
    ],
)
def test_the_pointer_of_2019_is_the_line_that_names_one_and_not_the_one_that_names_all(data: bytes) -> None:
    found = parse_pointers({TEXT: data.replace(b"%s", STEM.encode())})
    assert (found.text, found.problems) == (STEM, ())


def test_the_json_names_the_last_evaluated_and_the_best() -> None:
    data = b'{"best_checkpoint": {"name": "9_Step-1.ckpt", "avg_eval_metric": NaN}, "last_checkpoint": {"name": "%s"}}'
    found = parse_pointers({JSON: BOM + data.replace(b"%s", STEM.encode())})
    assert (found.best, found.last, found.problems) == ("9_Step-1.ckpt", STEM, ())
    before_the_first = parse_pointers({JSON: b'{"best_checkpoint": {"name": null, "avg_eval_metric": null}}'})
    assert (before_the_first.best, before_the_first.problems) == (None, ())


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        (COACH, b"", "names no set: it is empty"),
        (COACH, b"\0" * 20, "names no set"),
        (COACH, b"85_Step-2", "names no set: '85_Step-2'"),
        (TEXT, b"", "no line model_checkpoint_path"),
        (TEXT, b'model_checkpoint_path: "85_St', "no line model_checkpoint_path"),
        (TEXT, b'model_checkpoint_path: "x"', "names no set: 'x'"),
        (JSON, b"", "is no JSON"),
        (JSON, b'{"last_checkpoint": {"na', "is no JSON"),
        (JSON, b"[" * 100_000, "is no JSON"),
        (JSON, b"[]", "holds no object"),
        (JSON, b'{"last_checkpoint": 3}', "last_checkpoint names no set"),
        (JSON, b'{"best_checkpoint": {"name": "x"}}', "best_checkpoint names no set"),
    ],
)
def test_what_cannot_be_understood_names_nothing_and_is_said(name: str, data: bytes, said: str) -> None:
    found = parse_pointers({name: data})
    assert (found.coach, found.text, found.last, found.best) == (None, None, None, None)
    assert len(found.problems) == 1
    assert found.problems[0].startswith(name)
    assert said in found.problems[0]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from([COACH, TEXT, JSON]), st.binary()))
def test_reading_never_fails(raw: dict[str, bytes]) -> None:
    found = parse_pointers(raw)
    assert all(name in raw for name, said in ((COACH, found.coach), (TEXT, found.text)) if said is not None)


def test_the_committed_set_is_the_one_that_is_named_if_it_is_whole() -> None:
    listing = {**whole("3_Step-10.ckpt"), **whole("4_Step-20.ckpt"), "model/5_Step-30.ckpt.index": Stat(1, 1)}

    def named(**raw: str) -> str | None:
        found = committed(listing, parse_pointers({f"model/{name}": data.encode() for name, data in raw.items()}))
        return found.stem if found else None

    both = {".coach_checkpoint": "3_Step-10.ckpt", "checkpoint": 'model_checkpoint_path: "4_Step-20.ckpt"'}
    assert named(**both) == "3_Step-10.ckpt"
    assert named(checkpoint=both["checkpoint"]) == "4_Step-20.ckpt"
    assert named(**{".coach_checkpoint": "5_Step-30.ckpt"}) is None
    assert named(**{".coach_checkpoint": "6_Step-30.ckpt"}) is None
    assert named() is None


def test_a_file_far_too_large_for_a_pointer_is_not_read() -> None:
    class Large(Memory):
        def read(self, name: str) -> bytes:
            raise AssertionError("read")

    assert read_pointers(Large(), {COACH: Stat(1 << 40, 1.0)}).coach is None


def test_pointers_and_the_note_of_the_newest_repair_are_read_where_they_lie() -> None:
    prefix = Memory()
    prefix.write(COACH, STEM.encode())
    prefix.write("set-aside/2/repair.json", b'{"committed": "2_Step-1.ckpt", "back": 0, "files": []}')
    prefix.write("set-aside/10/repair.json", b'{"committed": null, "back": 2, "files": ["model/a"]}')
    prefix.write("set-aside/10/other/repair.json", b"x")
    found = read_pointers(prefix)
    assert found.coach == STEM
    assert found.note is not None
    assert (found.note.number, found.note.committed, found.note.back, found.note.files) == (10, None, 2, ("model/a",))
    for garbage in (b"", b"{", b"[]", b'{"committed": 1, "back": 0, "files": []}', b'{"committed": null, "back": 0}'):
        prefix.write("set-aside/10/repair.json", garbage)
        assert read_pointers(prefix).note is None
