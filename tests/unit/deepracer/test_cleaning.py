"""What is carried out: nothing but what was shown; and the disk looked after while a stack trains."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet.engine import Engine
from fleet.model.errors import FleetError, StoreError
from fleet.workloads.deepracer.cleaning import automatic, carry_out, look, look_at_machine, plan, size_of
from fleet.workloads.deepracer.course import Leg
from fleet.workloads.deepracer.growth import NOTES, noted
from fleet.workloads.deepracer.janitor import Action, Rules, plan_machine
from fleet.workloads.deepracer.pointers import COACH
from fleet.workloads.deepracer.prefix import Prefix, open_folder
from fleet.workloads.deepracer.sets import SUFFIXES
from fleet.workloads.deepracer.spec import DeepRacer
from fleet.workloads.deepracer.tending import EVERY, Caretaker
from tests.unit.deepracer.trainer import Memory

GB = 10**9


def lay(folder: Path, numbers: range, size: int = 10) -> Prefix:
    """Whole sets, the newest named."""
    (folder / "model").mkdir(parents=True)
    for n in numbers:
        for suffix in SUFFIXES:
            (folder / "model" / f"{n}_Step-{n}.ckpt{suffix}").write_bytes(b"x" * size)
    (folder / COACH).write_text(f"{numbers[-1]}_Step-{numbers[-1]}.ckpt")
    return open_folder(folder)


def numbers(folder: Path) -> set[int]:
    return {int(path.name.split("_")[0]) for path in (folder / "model").glob("*.index")}


def test_a_folders_old_sets_go_and_everything_else_stays(tmp_path: Path) -> None:
    prefix = lay(tmp_path / "a", range(10))
    (tmp_path / "a" / "training_params.yaml").write_text("x: 1\n")
    lay(tmp_path / "a-2", range(10))
    for action in plan({"a": prefix}, Rules(sets=4)):
        carry_out(action, {"a": prefix})
    assert numbers(tmp_path / "a") == {6, 7, 8, 9}
    assert numbers(tmp_path / "a-2") == set(range(10))
    assert (tmp_path / "a" / "training_params.yaml").exists()
    assert (tmp_path / "a" / COACH).exists()


def test_a_repair_that_was_broken_off_comes_first(tmp_path: Path) -> None:
    prefix = lay(tmp_path, range(10))
    note = {"committed": "5_Step-5.ckpt", "back": 2, "files": ["model/9_Step-9.ckpt.index"]}
    (tmp_path / "set-aside" / "1").mkdir(parents=True)
    (tmp_path / "set-aside" / "1" / "repair.json").write_text(json.dumps(note))
    assert "repair" in look("a", prefix).unclear
    assert plan({"a": prefix}, Rules()) == []


# --- docker


@pytest.fixture
def engine(tmp_path: Path) -> Callable[[str], Engine]:
    def made(script: str) -> Engine:
        path = tmp_path / "docker"
        path.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n{script}\n')
        path.chmod(0o755)
        return Engine(str(path), {"PATH": os.environ["PATH"]})

    return made


def test_the_machine_is_looked_at_and_of_others_nothing(tmp_path: Path, engine: Callable[[str], Engine]) -> None:
    log = tmp_path / "c1-json.log"
    log.write_bytes(b"x" * 60_000_000)
    for name in ("mounted", "left"):
        (tmp_path / "sagemaker" / name).mkdir(parents=True)
        (tmp_path / "sagemaker" / name / "file").write_bytes(b"12345")
    ours = {"ID": "c1", "Image": "a/deepracer-simapp:1", "Labels": ""}
    others = {"ID": "c2", "Image": "nginx", "Labels": ""}
    made = {"Size": "4.9GB", "CreatedAt": "2026-03-01 13:37:00 +0000 UTC"}
    names = [("a/deepracer-simapp", tag) for tag in "123"] + [("nginx", "1")]
    images = [{**made, "Repository": name, "Tag": tag, "ID": f"sha256:{name}{tag}"} for name, tag in names]
    images[2]["CreatedAt"] = "2026-03-03 13:37:00 +0000 UTC"
    printed = {"ps": [ours, others], "images": images}
    for name, rows in printed.items():
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    docker = engine(
        f"""case "$*" in
ps*) cat {tmp_path}/ps;;
images*) cat {tmp_path}/images;;
inspect*LogPath*c2*) exit 1;;
inspect*LogPath*) echo {log};;
inspect*.Image*) echo sha256:a/deepracer-simapp2;;
inspect*) echo {tmp_path}/sagemaker/mounted/x;;
esac"""
    )
    machine = look_at_machine(docker, (), 4e9, tmp_path / "sagemaker")
    assert list(machine.logs) == [str(log)]
    assert [Path(path).name for path in machine.temporary] == ["left"]
    actions = plan_machine(machine)
    assert [(one.kind, one.size) for one in actions] == [("container-log", 60_000_000), ("temporary", actions[1].size)]
    assert [(one.name, one.size, one.used) for one in machine.images] == [
        ("a/deepracer-simapp:1", 4_900_000_000, True),
        ("a/deepracer-simapp:2", 4_900_000_000, True),
        ("a/deepracer-simapp:3", 4_900_000_000, False),
    ]
    for action in actions:
        carry_out(action, {}, docker)
    assert log.stat().st_size == 0
    assert [path.name for path in (tmp_path / "sagemaker").iterdir()] == ["mounted"]


def test_an_image_that_cannot_go_is_said_and_one_that_is_gone_is_fine(engine: Callable[[str], Engine]) -> None:
    action = Action("image", "", ("a/deepracer-simapp:1",), 5, "")
    with pytest.raises(FleetError, match="in use"):
        carry_out(action, {}, engine("echo 'conflict: image is in use' >&2; exit 1"))
    carry_out(action, {}, engine("echo 'Error: No such image: a' >&2; exit 1"))
    carry_out(action, {}, engine("exit 0"))


def test_an_engine_that_does_not_answer_leaves_nothing_to_clean(tmp_path: Path, engine: Callable[[str], Engine]) -> None:
    machine = look_at_machine(engine("exit 1"), (), 1.0, tmp_path / "none")
    assert plan_machine(machine) == []


@pytest.mark.parametrize(
    ("text", "size"), [("4.91GB", 4_910_000_000), ("500kB", 500_000), ("0B", 0), ("?", 0), ("2TB", 2 * 10**12)]
)
def test_dockers_sizes_are_read(text: str, size: int) -> None:
    assert size_of(text) == size


# --- by itself


class Places:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broken = False

    def open(self, prefix: str) -> Prefix:
        return open_folder(self.folder / prefix)

    def names(self) -> list[str]:
        if self.broken:
            raise StoreError("the look-alike does not answer")
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    def use(share: float, total: int = 10_000) -> None:
        told = type("Usage", (), {"total": total, "used": int(share * total), "free": total - int(share * total)})()
        monkeypatch.setattr("shutil.disk_usage", lambda _path: told)

    return use


def test_up_to_the_threshold_nothing_is_even_looked_at(tmp_path: Path, used: Callable[[float], None]) -> None:
    used(0.8)
    assert automatic(tmp_path, 0.8, {"a": Memory(fuse=0)}, Rules(), above=0.85) == []


def test_above_it_goes_what_makes_room_and_no_more(tmp_path: Path, used: Callable[[float], None]) -> None:
    prefix = lay(tmp_path / "a", range(20), size=100)
    used(0.9)
    actions = automatic(tmp_path, 0.9, {"a": prefix}, Rules(sets=4), above=0.85)
    assert sum(one.size for one in actions) == 1500  # of 10,000 bytes: down to three quarters
    assert [one.names[0] for one in actions[:1]] == ["model/0_Step-0.ckpt.data-00000-of-00001"]


def test_a_caretaker_notes_cleans_and_says_so_and_never_touches_what_is_not_the_runs(
    tmp_path: Path, used: Callable[[float], None]
) -> None:
    stored, now = tmp_path / "s3", [1e6]
    said: list[str] = []
    for name, some in {"r-1-1": range(1, 4), "r-2-1": range(5, 9), "r-2-1-from": range(3, 4), "r-3-1": range(9, 25)}.items():
        lay(stored / name, some, size=100)
    lay(stored / "somebody-elses", range(30), size=100)
    (tmp_path / "history" / "r-1-1" / "metrics").mkdir(parents=True)
    (tmp_path / "history" / "r-1-1" / "metrics" / "TrainingMetrics.json").write_text("{}")
    (tmp_path / "history" / "r-3-1" / "training-simtrace").mkdir(parents=True)
    for n in range(60):
        (tmp_path / "history" / "r-3-1" / "training-simtrace" / f"{n}-iteration.csv").write_text("x")
    legs = [
        Leg(prefix="r-1-1", attempt=1),
        Leg(prefix="r-2-1", attempt=2, source=3),
        Leg(prefix="r-3-1", attempt=3, source=8),
    ]
    places = Places(stored)
    caretaker = Caretaker(tmp_path, places, DeepRacer(), said.append, clock=lambda: now[0])
    used(0.5)
    caretaker.look_if_due(legs)
    assert (len(noted(tmp_path)), said) == (1, [])
    used(0.95)
    caretaker.look_if_due(legs)
    assert said == []  # not yet due
    now[0] += EVERY
    caretaker.look_if_due(legs)
    assert numbers(stored / "r-3-1") == set(range(16, 25))  # as much as was wanted of what may go
    assert numbers(stored / "r-2-1") == set(range(5, 9))
    assert numbers(stored / "somebody-elses") == set(range(30))
    assert len(list((tmp_path / "history" / "r-3-1" / "training-simtrace").iterdir())) == 50
    assert said[-1].startswith("the disk is 95% full: cleaned")
    assert noted(tmp_path)[-1].cleaned > 0
    now[0] += EVERY
    places.broken = True
    caretaker.look_if_due(legs)
    now[0] += EVERY
    caretaker.look_if_due(legs)
    assert [text for text in said if "does not answer" in text] == [
        "the disk could not be looked after, training goes on: the look-alike does not answer"
    ]


def test_a_disk_on_which_nothing_can_be_noted_any_more_is_cleaned(
    tmp_path: Path, used: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path / "s3" / "r-1-1", range(20), size=100)
    caretaker = Caretaker(tmp_path, Places(tmp_path / "s3"), DeepRacer(), lambda _: None, clock=lambda: 1e6)
    write = Path.write_text

    def full(path: Path, *args: Any, **more: Any) -> int:
        if NOTES in path.name:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, *args, **more)

    monkeypatch.setattr(Path, "write_text", full)
    used(1.0)
    caretaker.look_if_due([Leg(prefix="r-1-1", attempt=1)])
    assert len(numbers(tmp_path / "s3" / "r-1-1")) < 20
