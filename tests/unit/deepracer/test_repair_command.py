"""``fleet deepracer repair``, as a user types it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from fleet.workloads.deepracer.pointers import COACH
from fleet.workloads.deepracer.prefix import Prefix, open_folder, open_prefix
from tests.unit.bad_luck.pty import Terminal
from tests.unit.cli.test_json import Checked
from tests.unit.deepracer.test_repair import with_sets


@pytest.fixture
def shell(tmp_path: Path) -> Checked:
    return Checked(tmp_path)


@pytest.fixture
def model(shell: Checked) -> Prefix:
    """A trainer died while it wrote its sixth set, and left its pointer at the fourth."""
    return crashed(open_folder(shell.folder / "model-1"))


def crashed(prefix: Prefix) -> Prefix:
    with_sets(prefix, "3_Step-30.ckpt", "4_Step-40.ckpt", "5_Step-0.ckpt")
    prefix.write(COACH, b"4_Step-40.ckpt")
    for name in ("model/6_Step-9.ckpt.meta", "model/.lock", "ip/done", "metrics/TrainingMetrics.json"):
        prefix.write(name, b"x")
    return prefix


TOLD: dict[str, Any] = {
    "committed": "5_Step-0.ckpt",
    "was": "4_Step-40.ckpt",
    "removed": ["ip/done", "model/.lock"],
    "set_aside": ["model/6_Step-9.ckpt.meta"],
    "written": ["model/.coach_checkpoint"],
}


def repaired(shell: Checked, *words: str) -> Any:
    return shell.told("deepracer", "repair", *words)


def test_it_says_what_it_would_do_and_does_it_only_when_told_to(shell: Checked, model: Prefix) -> None:
    before = model.list()
    out, err = shell.run("deepracer", "repair", "model-1")
    assert "3 whole sets: the newest is 5_Step-0.ckpt." in out
    assert "6_Step-9.ckpt is partial: .index and .data-00000-of-00001 missing." in out
    assert "names 4_Step-40.ckpt, though 5_Step-0.ckpt is newer and whole." in out
    assert "Set aside in set-aside/1/: 6_Step-9.ckpt.meta." in out
    assert "Nothing was changed." in out
    assert "s old, so the trainer may be alive" in err
    assert repaired(shell, "model-1") == TOLD
    assert model.list() == before

    out, _ = shell.run("deepracer", "repair", "model-1", "--apply")
    assert "Done. Training can go on from 5_Step-0.ckpt." in out
    assert model.read(COACH) == b"5_Step-0.ckpt"
    assert before.keys() - model.list().keys() == {*TOLD["removed"], *TOLD["set_aside"]}
    after = model.list()
    nothing: dict[str, Any] = {"removed": [], "set_aside": [], "written": []}
    assert repaired(shell, "model-1", "--apply") == {"committed": "5_Step-0.ckpt", "was": "5_Step-0.ckpt", **nothing}
    out, err = shell.run("deepracer", "repair", "model-1", "--apply")
    assert "Nothing to repair." in out
    assert err == ""
    assert model.list() == after


def test_after_a_nan_and_in_the_format_that_is_asked_for(shell: Checked, model: Prefix) -> None:
    told = repaired(shell, "model-1", "--apply", "--after-nan", "--format", "2019")
    assert (told["committed"], told["was"], told["written"]) == ("3_Step-30.ckpt", None, ["model/checkpoint"])
    assert model.read(COACH) == b"4_Step-40.ckpt"
    assert repaired(shell, "model-1", "--after-nan", "--format", "2019")["set_aside"] == []
    assert "Invalid value" in shell.run("deepracer", "repair", "model-1", "--format", "2020", code=2)[1]


def test_a_bucket_on_a_look_alike(shell: Checked, s3_url: str) -> None:
    shell.env |= {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    bucket = "/".join(s3_url.split("/")[:3])
    model, other = (crashed(open_prefix(f"{bucket}/{name}")) for name in ("model-1", "model-10"))
    untouched = other.list()
    assert repaired(shell, f"{bucket}/model-1", "--apply") == TOLD
    assert model.read(COACH) == b"5_Step-0.ckpt"
    assert model.read("set-aside/1/6_Step-9.ckpt.meta") == b"x"
    assert other.list() == untouched
    assert "there is nothing at" in shell.run("deepracer", "repair", f"{bucket}/model", code=1)[1]


def test_a_run_that_had_not_saved_yet_is_told_from_one_that_can_be_resumed(shell: Checked) -> None:
    open_folder(shell.folder / "new").write("ip/done", b"")
    told = repaired(shell, "new", "--apply")
    assert (told["committed"], told["removed"]) == (None, ["ip/done"])
    assert "There is no set at all" in shell.run("deepracer", "repair", "new")[0]


def test_what_is_named_by_mistake_is_said_and_left_alone(shell: Checked, model: Prefix) -> None:
    before = model.list()
    assert "inner folder" in shell.run("deepracer", "repair", "model-1/model", "--apply", code=1)[1]
    _, err = shell.run("deepracer", "repair", ".", "--apply", code=1)
    assert "is no model" in err
    assert "Below it are: model-1." in err
    assert shell.refused("deepracer", "repair", "model")["kind"] == "fleet"
    minio = open_folder(shell.folder / "minio")
    minio.write("model/3_Step-30.ckpt.index/xl.meta", b"")
    assert "MinIO's own storage" in shell.run("deepracer", "repair", "minio", "--apply", code=1)[1]
    assert shell.refused("deepracer", "repair", "gs://bucket/model")["kind"] == "store"
    assert model.list() == before
    assert len(minio.list()) == 1


def test_a_fresh_lock_is_asked_about_on_a_terminal_and_an_old_one_is_not(shell: Checked, model: Prefix) -> None:
    terminal = Terminal(["deepracer", "repair", "model-1", "--apply"], shell.env, shell.folder)
    try:
        terminal.wait_for("Is the trainer surely dead?")
        terminal.press(b"n\n")
        code, said = terminal.end()
    finally:
        terminal.close()
    assert code == 1
    assert "nothing was changed" in said
    assert model.read(COACH) == b"4_Step-40.ckpt"
    os.utime(shell.folder / "model-1" / "model" / ".lock", (time.time() - 130,) * 2)
    terminal = Terminal(["deepracer", "repair", "model-1", "--apply"], shell.env, shell.folder)
    try:
        code, said = terminal.end()
    finally:
        terminal.close()
    assert code == 0
    assert "surely" not in said
    assert model.read(COACH) == b"5_Step-0.ckpt"


def test_the_trainer_is_asked_about_no_more_with_yes(shell: Checked, model: Prefix) -> None:
    terminal = Terminal(["deepracer", "repair", "model-1", "--apply", "--yes"], shell.env, shell.folder)
    try:
        assert terminal.end()[0] == 0
    finally:
        terminal.close()
    assert model.read(COACH) == b"5_Step-0.ckpt"
