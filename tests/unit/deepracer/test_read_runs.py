"""A run by its name: from its volume, or from what its checkpoints and its logs in the bucket tell of all its machines."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from fleet.cli.deepracer_recordings import open_recording, open_records
from fleet.cli.deepracer_run_records import MOST_CHUNKS
from fleet.control.controller import Controller
from fleet.control.home import open_home
from fleet.model import layout
from fleet.model.documents import CheckpointRef
from fleet.model.errors import FleetError
from fleet.workloads.deepracer.analysis.following import Follow
from fleet.workloads.deepracer.course import COURSE, Course, Leg
from tests.unit.deepracer.analyses import lines
from tests.unit.deepracer.test_care_commands import RUN, recorded
from tests.unit.deepracer.test_metrics import entry, text
from tests.unit.deepracer.test_models import FIRST, SECOND, base, checkpoint, commit, home
from tests.unit.deepracer.test_read_records import csv, lay

__all__ = ["home"]

POLICY = "Policy training> Surrogate loss=0.1, KL divergence=0.2, Entropy={}, training epoch={}, learning_rate=0.0003"
TRAINING = "Training> Name=main_level/agent, Worker=0, Episode={}, Total reward=0, Steps=9, Training iteration={}"
COURSES = Course(run=RUN, legs=(FIRST,)), Course(run=RUN, legs=(FIRST, SECOND), reached_seconds=3600.0)


def printed(*iterations: int, begins: str = "from nothing") -> str:
    """What a leg's containers print, as the driver repeats it."""
    rows = [f"fleet: training begins {begins}" if begins == "from nothing" else "fleet: training goes on from set 2, …"]
    for number in iterations:
        rows += [f"trainer | {TRAINING.format(number + 1, number)}", f"trainer | {POLICY.format(2.0 - number / 10, 0)}"]
        rows += ["simulator | Reset agent", f"simulator-2 | {TRAINING.format(number + 1, 0)}"]
    return "\n".join(rows) + "\n"


def chunks(controller: Controller, attempt: int, content: str, size: int = 60, first: int = 0) -> int:
    data = content.encode()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    for number, piece in enumerate(pieces, first):
        controller.objects.put(layout.log_chunk(RUN, attempt, number), piece)
    return first + len(pieces)


@pytest.fixture
def remote() -> Controller:
    """The first machine drove iterations 0 to 2; the second began from set 2, made of iteration 1, and is in its second."""
    controller = recorded({"kind": "deepracer", "workers": 2, "tracks": ["reinvent_base"]}, "ec2")
    objects = controller.objects
    base(objects, 1, None)
    history = {
        f"history/{FIRST.prefix}/metrics/TrainingMetrics.json": text([entry(at, 1) for at in (1, 2, 3)]).encode(),
        f"history/{FIRST.prefix}/training-simtrace/0-iteration.csv.gz": gzip.compress(csv(0).encode(), mtime=0),
    }
    commit(objects, 1, 1, checkpoint(2, 20, COURSES[0], **history))
    base(objects, 2, CheckpointRef(attempt=1, seq=1))
    history |= {f"history/{SECOND.prefix}/metrics/TrainingMetrics.json": text([entry(1, 1), entry(2, 1)]).encode()}
    older = dict.fromkeys(checkpoint(9, 9, None, **history), b"x")  # its name comes after "10" in a listing
    commit(objects, 2, 1, checkpoint(10, 11, COURSES[1], **history) | older)
    chunks(controller, 1, printed(0, 1, 2))
    chunks(controller, 2, printed(0, 1, begins="from a set"))
    return controller


def test_a_run_far_away_is_told_by_its_newest_checkpoint_and_its_logs(remote: Controller) -> None:
    found = open_recording(["racer"])
    assert [part.name for part in found.parts] == [FIRST.prefix, SECOND.prefix]
    assert [part.whole for part in found.parts] == [{0: 0, 1: 1}, {0: 2, 1: 3}]
    assert found.run.episodes == 4
    assert [lost.episodes for lost in found.run.lost] == [1]
    assert [(one.iteration, one.entropy) for one in found.parts[0].epochs] == [(0, 2.0), (1, 1.9), (2, 1.8)]
    assert [(one.iteration, one.entropy) for one in found.parts[1].epochs] == [(0, 2.0), (1, 1.9)]
    assert [len(trace.steps) for trace in found.parts[0].training] == [5]
    assert (found.workers, found.tracks, found.seconds) == (2, ("reinvent_base",), 3600.0)
    assert found.cost is not None
    assert any("comes with the next one" in problem for problem in found.problems)


def test_following_it_reads_only_what_came(remote: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    records = open_records(["racer"], grows=True)
    assert records.run is not None
    assert records.controller is not None
    follow = Follow(records.opened)
    assert follow.poll() is not None
    taken: list[str] = []
    get = type(records.controller.objects).get

    def counted(self: Any, key: str) -> bytes:
        taken.append(key)
        return get(self, key)

    monkeypatch.setattr(type(records.controller.objects), "get", counted)
    assert follow.poll() is None
    assert [key for key in taken if "/log/" in key or "/checkpoints/" in key] == []
    number = len(remote.objects.list(layout.logs(RUN, 2)))
    chunks(remote, 2, printed(2).partition("\n")[2], size=10_000, first=number)
    news = follow.poll()
    assert news is not None
    assert [part.name for part in news.parts] == [SECOND.prefix]
    assert len(news.recording.parts[1].epochs) == 3
    assert [key for key in taken if "/log/" in key] == [layout.log_chunk(RUN, 2, number)]


def test_of_a_very_long_log_the_newest_part_is_read_and_that_is_said(
    remote: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_CHUNKS >= 1000
    monkeypatch.setattr("fleet.cli.deepracer_run_records.MOST_CHUNKS", 8)
    found = open_recording([RUN])
    assert [(one.iteration, one.entropy) for one in found.parts[0].epochs] == [(2, 1.8)]
    assert any("the newest part is read" in problem for problem in found.problems)


def test_legs_of_one_machine_share_its_log_in_their_order() -> None:
    controller = recorded({"kind": "deepracer"}, "ec2")
    base(controller.objects, 1, None)
    legs = (Leg(prefix="racer-1-1-1", attempt=1), Leg(prefix="racer-1-1-2", attempt=1, source=0, first=1))
    metrics = {f"history/{leg.prefix}/metrics/TrainingMetrics.json": text([entry(1, 1)]).encode() for leg in legs}
    commit(controller.objects, 1, 1, checkpoint(2, 20, Course(run=RUN, legs=legs), **metrics))
    chunks(controller, 1, printed(0) + printed(0, 1, begins="from a set"))
    assert [len(part.epochs) for part in open_recording(["racer"]).parts] == [1, 2]


def test_a_stack_that_writes_into_the_runs_bucket_is_seen_live() -> None:
    controller = recorded({"kind": "deepracer", "storage": "bucket", "launcher": "direct"}, "ec2")
    base(controller.objects, 1, None)
    commit(controller.objects, 1, 1, checkpoint(2, 20, COURSES[0]))
    lies = f"{layout.run(RUN)}deepracer/"
    controller.objects.put(f"{lies}{FIRST.prefix}/training-simtrace/0-iteration.csv", csv(0, 1).encode())
    follow = Follow(open_records(["racer"], grows=True).opened)
    first = follow.poll()
    assert first is not None
    assert (first.recording.run.episodes, first.recording.problems) == (2, ())
    begun = "racer-1-2-1"  # of which no course tells yet
    controller.objects.put(f"{lies}{begun}/training-simtrace/0-iteration.csv", csv(0).encode())
    second = follow.poll()
    assert second is not None
    assert [(part.name, part.whole) for part in second.recording.parts] == [(FIRST.prefix, {0: 0}), (begun, {0: 1})]


def test_a_run_without_a_checkpoint_has_no_records_yet_and_says_why() -> None:
    recorded({"kind": "deepracer"}, "ec2")
    with pytest.raises(FleetError, match="metrics and traces come with the first checkpoint"):
        open_recording(["racer"])


def test_a_run_on_this_computer_is_told_by_its_volume(tmp_path: Path) -> None:
    recorded({"kind": "deepracer"})
    volume = open_home().local / "volumes" / "vol-1" / "data"
    course = Course(run=RUN, legs=(FIRST,))
    lay(volume / "history", {COURSE: course.model_dump_json(), f"{FIRST.prefix}/logs/simulator.log": lines(0) + lines(1),
                             f"{FIRST.prefix}/logs/trainer.log": POLICY.format(2.5, 0) + "\n"})  # fmt: skip
    for name in ("racer", RUN):
        found = open_recording([name])
        (part,) = found.parts
        assert (part.name, found.run.episodes, part.epochs[0].entropy) == (FIRST.prefix, 2, 2.5)
        assert found.source == f"run {RUN}"


def test_a_job_folder_is_its_run_and_a_folder_of_records_is_itself(remote: Controller, tmp_path: Path) -> None:
    lay(tmp_path / "job", {"fleet.yaml": "name: racer\nworkload: {kind: deepracer}\nworkdir: .\n", "reward_function.py": ""})
    assert open_recording([str(tmp_path / "job")]).source == f"run {RUN}"
    lay(tmp_path / "racer", {"training-simtrace/0-iteration.csv": csv(0)})
    assert open_recording(["racer"]).source == f"run {RUN}"
    assert open_recording(["./racer"]).run.episodes == 1


def test_a_run_and_files_are_read_as_one_after_the_other(remote: Controller, tmp_path: Path) -> None:
    (tmp_path / "more.log").write_text(lines(0))
    found = open_recording(["racer", "more.log"])
    assert [part.name for part in found.parts] == [FIRST.prefix, SECOND.prefix, "more.log"]


def test_a_run_of_another_kind_and_a_name_of_nothing_are_refused() -> None:
    recorded(None)
    with pytest.raises(FleetError, match="is no DeepRacer training"):
        open_recording(["racer"])
    with pytest.raises(FleetError, match=r"there is no rcer: no file, .* no run of that name.*racer"):
        open_recording(["rcer"])
