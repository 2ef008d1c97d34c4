"""``fleet deepracer weights``, and ``repair`` where the weights can be read, as a user types them."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest

from fleet.workloads.deepracer.pointers import COACH
from fleet.workloads.deepracer.prefix import open_prefix
from tests.unit.cli.test_json import Checked
from tests.unit.deepracer.weights.bundling import DATA, expected, lay, parts, write


@pytest.fixture
def shell(tmp_path: Path) -> Checked:
    return Checked(tmp_path)


def model(shell: Checked, *kinds: str, name: str = "model-1") -> Path:
    """A folder whose sets 1, 2, … are of such weights; the pointer names the last."""
    inner = shell.folder / name / "model"
    for n, kind in enumerate(kinds, start=1):
        base = lay("tf1" if kind == "broken" else kind, inner / f"{n}_Step-{n}0.ckpt")
        for suffix, data in parts(kind).items():
            base.with_name(base.name + suffix).write_bytes(data)
    (inner / ".coach_checkpoint").write_bytes(f"{len(kinds)}_Step-{len(kinds)}0.ckpt".encode())
    return inner.parent


def test_weights_shows_what_was_learned_and_says_that_it_is_finite(shell: Checked) -> None:
    model(shell, "tf1", "tf1")
    out, _ = shell.run("deepracer", "weights", "model-1")
    assert "model-1: Set 2 (2_Step-20.ckpt) is the last." in out
    assert "policy_mean/kernel  float32  4x5 " in out
    assert "Adam_1" not in out
    assert "(3 learned, 8 of the optimiser, 1 of other kinds): all 12 tensors are finite." in out
    assert "Adam_1" in shell.run("deepracer", "weights", "model-1", "--all")[0]


def test_weights_tells_programs_of_every_tensor_what_tensorflow_reads(shell: Checked) -> None:
    model(shell, "tf1", "nan")
    told = shell.told("deepracer", "weights", "model-1", code=1)
    assert (told["checkpoint"], told["compared_with"], told["finite"]) == ("2_Step-20.ckpt", "1_Step-10.ckpt", False)
    assert {
        one["name"]: (one["nan"], one["infinite"]) for one in told["tensors"] if "nan" in expected("nan")[one["name"]]
    } == {name: (one["nan"], one["infinite"]) for name, one in expected("nan").items() if "nan" in one}
    assert [(one["code"], one["severity"]) for one in told["findings"]] == [("weights-not-finite", "error")]
    out, _ = shell.run("deepracer", "weights", "model-1", code=1)
    assert "2 NaN, 1 infinite" in out
    assert "Conv2d_0/bias/Adam_1" in out  # not learned, and shown since it is no number
    assert shell.told("deepracer", "weights", "model-1", "--checkpoint", "1")["finite"]


def test_weights_that_grew_since_the_set_before_are_a_warning(shell: Checked) -> None:
    inner = model(shell, "tf1") / "model"
    for n, number in ((1, 2.0), (2, 60.0)):
        write(inner / f"{n}_Step-{n}0.ckpt", {"kernel": (1, [1], struct.pack("<f", number))})
    (inner / ".coach_checkpoint").write_bytes(b"2_Step-20.ckpt")
    assert (
        "warning: set 2_Step-20.ckpt: the weights of kernel grew 30 times" in shell.run("deepracer", "weights", "model-1")[0]
    )
    told = shell.told("deepracer", "weights", "model-1")
    assert [one["code"] for one in told["findings"]] == ["weights-growing"]


def test_a_set_that_cannot_be_read_is_an_error_that_says_why(shell: Checked) -> None:
    inner = model(shell, "tf1", "broken") / "model"
    assert "the data are broken" in shell.refused("deepracer", "weights", "model-1")["message"]
    (inner / "2_Step-20.ckpt.index").write_bytes(b"something else")
    assert "no table of TensorFlow's" in shell.refused("deepracer", "weights", "model-1")["message"]
    assert "There are sets 1, 2." in shell.refused("deepracer", "weights", "model-1", "--checkpoint", "7")["hint"]


def test_weights_are_read_from_a_bucket(shell: Checked, s3_url: str) -> None:
    shell.env |= {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    place = "/".join(s3_url.split("/")[:3]) + "/weighed"
    bucket = open_prefix(place)
    for suffix, data in parts("nan").items():
        bucket.write(f"model/3_Step-7.ckpt{suffix}", data)
    told = shell.told("deepracer", "weights", place, code=1)
    assert (told["model"], told["checkpoint"], told["compared_with"]) == ("weighed", "3_Step-7.ckpt", None)


def repaired(shell: Checked, *words: str) -> Any:
    return shell.told("deepracer", "repair", "model-1", *words)


def test_repair_says_whether_the_newest_set_is_sound(shell: Checked) -> None:
    folder = model(shell, "tf1", "nan")
    out, _ = shell.run("deepracer", "repair", "model-1")
    assert "Set 2_Step-20.ckpt: 2 of 12 tensors hold what is no number" in out
    assert "the same with --after-nan finds the newest that is sound" in out
    assert repaired(shell)["committed"] == "2_Step-20.ckpt"  # it is told, and no more: nobody asked to go back
    for path in (folder / "model").glob("2_*"):
        path.unlink()
    out, _ = shell.run("deepracer", "repair", "model-1")
    assert "The weights of 1_Step-10.ckpt are sound: all 12 tensors are finite." in out
    assert "--after-nan" not in out


@pytest.mark.parametrize(
    ("kinds", "committed", "aside"),
    [
        (("tf1", "tf1", "tf1", "nan"), "3_Step-30.ckpt", 1),  # and not blindly two back
        (("tf1", "nan", "nan", "nan", "broken"), "1_Step-10.ckpt", 4),
        (("tf1", "tf1", "tf1"), "3_Step-30.ckpt", 0),
    ],
)
def test_after_a_nan_repair_goes_back_to_the_newest_set_that_is_sound(
    shell: Checked, kinds: tuple[str, ...], committed: str, aside: int
) -> None:
    folder = model(shell, *kinds)
    told = repaired(shell, "--after-nan", "--apply")
    assert (told["committed"], len(told["set_aside"])) == (committed, 3 * aside)
    assert (folder / COACH).read_text() == committed
    again = repaired(shell, "--after-nan", "--apply")
    assert (again["committed"], again["set_aside"]) == (committed, [])


def test_after_a_nan_that_a_repair_did_not_go_back_far_enough_from_another_goes_further(shell: Checked) -> None:
    """The first could not read the weights, and went two back."""
    inner = model(shell, "tf1", "nan", "tf1", "tf1") / "model"
    for path in [*inner.glob("4_*.index"), inner / "2_Step-20.ckpt.index"]:
        path.write_bytes(b"unreadable")
    assert repaired(shell, "--after-nan", "--apply")["committed"] == "2_Step-20.ckpt"
    (inner / "2_Step-20.ckpt.index").write_bytes(parts("nan")[".index"])
    (inner / f"2_Step-20.ckpt{DATA}").write_bytes(parts("nan")[DATA])
    assert repaired(shell, "--after-nan", "--apply")["committed"] == "1_Step-10.ckpt"


def test_without_a_sound_set_repair_changes_nothing(shell: Checked) -> None:
    folder = model(shell, "nan", "broken")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert "no whole set is sound" in shell.refused("deepracer", "repair", "model-1", "--after-nan", "--apply")["message"]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
