"""``fleet deepracer status``, ``doctor`` and ``clean``, as users and programs see them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.cli import deepracer_clean, deepracer_doctor, deepracer_sources, deepracer_status
from fleet.cli.deepracer_sources import by_service
from fleet.cli.output import CHOSEN
from fleet.control.controller import Controller
from fleet.control.fleets import open_fleet
from fleet.control.home import open_home
from fleet.control.opened import opened_run
from fleet.model import events as ev
from fleet.model import layout
from fleet.model.base import canonical_json
from fleet.model.cloud import Instance, InstanceState, Market, NewVolume, Offer, Volume, VolumeState
from fleet.model.documents import CheckpointRef, FileEntry, Heartbeat, Manifest, Resumed
from fleet.model.errors import FleetError
from fleet.model.job import Job
from fleet.workloads.deepracer.cleaning import carry_out
from fleet.workloads.deepracer.course import Course, Leg
from fleet.workloads.deepracer.doctor import CHECKS
from fleet.workloads.deepracer.growth import NOTES
from fleet.workloads.deepracer.probed import Wish
from tests.unit.cli.test_json import check
from tests.unit.deepracer.test_cleaning import lay, numbers
from tests.unit.deepracer.test_records import TRAINER, metrics

RUN, GB = "racer-1", 10**9
STEP = "SIM_TRACE_LOG:0,1,0.1,0.2,3,4,5,6,7.0,False,True,0.1,0,60.00,3.1,prepare,0.00"
NAN = "NaN detected in loss function, aborting training."


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    CHOSEN.as_json = False


def course(now: float) -> Course:
    legs = (
        Leg(prefix="racer-1-1-1", attempt=1, began_at=now - 9000, ended="killed"),
        Leg(prefix="racer-1-2-1", attempt=2, source=2, first=3, began_at=now - 3000, sets={4: 700.0}),
    )
    return Course(run=RUN, iterations=4, reached=4, legs=legs, nan_retries=1)


def recorded(
    workload: dict[str, Any] | None, provider: str = "local", *, name: str = "racer", workdir_key: str | None = None
) -> Controller:
    """A run whose second machine trains, by the journal alone."""
    home = open_home()
    home.path.mkdir(exist_ok=True)
    controller = open_fleet(home, home.bucket, create=True)
    now = controller.objects.now()
    offer = Offer(provider=provider, region="here", zone="here-a", instance_type="small", market=Market.SPOT, price=1,
                  on_demand_price=2)  # fmt: skip
    job = Job(name=name, workload=workload) if workload is not None else Job(name=name, run="x")
    volume = Volume(
        volume_id="vol-1", region="here", zone="here-a", size_gb=9, state=VolumeState.AVAILABLE, created_at=now, price=1
    )
    events: list[Any] = [
        ev.RunCreated(at=now, run_id=RUN, name=name, job=job, workdir_key=workdir_key, mounts={}),
        ev.VolumeMade(at=now, run_id=RUN, provider=provider, volume=volume),
    ]
    for attempt in (1, 2):
        who = {"run_id": RUN, "attempt": attempt}
        made = Instance(instance_id=f"i-{attempt}", offer=offer, state=InstanceState.RUNNING, launched_at=now)
        events += [
            ev.LaunchIntended(at=now, try_no=1, token=f"t{attempt}", offers=(offer,), volume=NewVolume(size_gb=1),
                              predecessor=None, lease_until=None, share=None, why="", **who),
            ev.LaunchSucceeded(at=now, try_no=1, instance=made, **who),
            ev.AttemptBegan(at=now, instance_id=f"i-{attempt}", **who),
        ]  # fmt: skip
        if attempt == 1:
            events.append(ev.AttemptGone(at=now, ended_at=now, ended_by="cloud", **who))
    assert controller.record(events)
    beat = Heartbeat(run_id=RUN, attempt=2, instance_id="i-2", boot_id="b", beat=3, at=now, phase="training", step=4,
                     step_at=now, disk_free=3 * GB, message="all is well")  # fmt: skip
    controller.objects.put(layout.heartbeat(RUN, 2), canonical_json(beat.model_dump(mode="json")))
    return controller


def history(folder: Path, now: float) -> None:
    """What the driver leaves below history/."""
    told = {
        "course.json": course(now).model_dump_json().encode(),
        "racer-1-1-1/metrics/TrainingMetrics.json": metrics(4, 4, 2),
        "racer-1-2-1/metrics/TrainingMetrics.json": metrics(4, 1),
    }
    for name, data in told.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


@pytest.fixture
def local(home: Path) -> Path:
    """A run on this computer; its volume."""
    now = recorded({"kind": "deepracer"}).objects.now()
    volume = home / "local" / "volumes" / "vol-1" / "data"
    history(volume / "history", now)
    logs = volume / "history" / "racer-1-2-1" / "logs"
    logs.mkdir()
    (logs / "trainer.log").write_text("\n".join([*TRAINER, f"{NAN} AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI"]))
    (logs / "simulator.log").write_text(f"{STEP}\n")
    (volume / "checkpoints" / "4" / "model").mkdir(parents=True)
    (volume / "checkpoints" / ".tmp-9-ab").mkdir()
    return volume


def checkpoint(controller: Controller) -> None:
    """The first machine's, with the history that goes with it."""
    now, objects = controller.objects.now(), controller.objects
    ref = CheckpointRef(attempt=1, seq=1)
    history_of = {
        "2/course.json": course(now).model_dump_json().encode(),
        "2/history/racer-1-1-1/metrics/TrainingMetrics.json": metrics(4, 4, 2),
    }
    entries = []
    for path, data in history_of.items():
        key = layout.checkpoint_file(RUN, 1, 1, path)
        objects.put(key, data)
        entries.append(FileEntry(path=path, size=len(data), sha256="0" * 64, key=key))
    manifest = Manifest(run_id=RUN, ref=ref, at=now - 100, step=2, format="rename", files=tuple(entries))
    objects.put(layout.manifest(RUN, 1, 1), canonical_json(manifest.model_dump(mode="json")))
    objects.put(layout.base(RUN, 1), canonical_json({"v": 1, "predecessor": None, "ref": None, "skipped": [], "at": now}))


@pytest.fixture
def remote() -> Controller:
    """A run elsewhere; its newest checkpoint and its log lie in the bucket."""
    controller = recorded({"kind": "deepracer", "device": "gpu"}, "ec2")
    objects = controller.objects
    checkpoint(controller)
    lines = [f"trainer | {line}" for line in TRAINER] + [f"simulator | {STEP}", "fleet: training goes on"]
    objects.put(layout.log_chunk(RUN, 2, 1), "\n".join(lines).encode())
    return controller


def told(capsys: pytest.CaptureFixture[str], name: str) -> Any:
    return check(name, json.loads(capsys.readouterr().out))


def test_a_run_on_this_computer_is_read_from_its_volume(local: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert deepracer_status.show("racer", None, as_json=True) == 0
    found = told(capsys, "deepracer-status")
    assert (found["state"], found["attempt"], found["prefixes"]) == ("training", 2, ["racer-1-1-1", "racer-1-2-1"])
    assert [(one["set"], one["episodes"]) for one in found["trend"]] == [(1, 4), (2, 4), (4, 4), (5, 1)]
    assert (found["newest_set"], found["episodes"], found["checkpoint"]["set"], found["nan_retries"]) == (4, 13, 4, 1)
    assert found["lost"] == [
        {"prefix": "racer-1-1-1", "attempt": 1, "resumed_from": 2, "iterations_count": 0.5, "episodes": 2, "seconds": 1.9}
    ]
    assert (found["stack"], len(found["faults"])) == ("training", 1)
    assert (found["disk"]["measured"], found["disk"]["bytes_per_day"] > 0) == (False, True)
    assert found["unseen"] == []


def test_where_metrics_are_behind_what_fleet_itself_measured_counts(local: Path, capsys: pytest.CaptureFixture[str]) -> None:
    controller, run = opened_run(None, "racer")
    now = controller.objects.now()
    resumed = Resumed(ref=None, source="volume", step=2, reached=5, lost_steps=3, lost_seconds=95.0, at=now)
    assert controller.record([ev.AttemptResumed(at=now, run_id=run.run_id, attempt=2, resumed=resumed)])
    deepracer_status.show("racer", None, as_json=True)
    (lost,) = told(capsys, "deepracer-status")["lost"]
    assert (lost["attempt"], lost["iterations_count"], lost["episodes"], lost["seconds"]) == (1, 3.0, None, 95.0)


def test_for_people_it_is_a_screen_with_the_course_of_reward_and_progress(
    local: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.time()
    rows = [[now - 3600 + 300 * n, 100 * GB + n * GB, 500 * GB, 0] for n in range(12)]
    (local / NOTES).write_text(json.dumps({"v": 1, "notes": rows}))
    assert deepracer_status.show("racer", None, as_json=False) == 0
    text = capsys.readouterr().out
    lines = {line.split("  ")[0].strip(): line for line in text.splitlines()}
    assert "attempt 2 on local/here/here-a/small/spot" in lines["run"]
    assert lines["stack"].endswith("trains")
    assert "NaN" in lines["trouble"]
    assert "2 prefixes" in lines["iterations"]
    assert "▁" in lines["reward"]
    assert "in iteration 5, at most" in lines["reward"]
    assert "29.0 % in iteration 5" in lines["progress"]
    assert "0.5 iterations (2 episodes), 0.0 min after attempt 1; training went on from set 2" in lines["lost"]
    assert "grows by 288.0 GB a day, full in 1d" in lines["disk"]
    assert lines["checkpoint"].startswith("checkpoint  set 4, ")


def test_a_run_elsewhere_is_read_from_checkpoint_log_and_heartbeat_and_what_is_not_seen_is_said(
    remote: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deepracer_status.show("racer", None, as_json=True) == 0
    found = told(capsys, "deepracer-status")
    assert [one["set"] for one in found["trend"]] == [1, 2]
    assert (found["stack"], found["disk"], found["checkpoint"]["set"]) == ("training", None, 2)
    assert 99 < found["checkpoint"]["age_seconds"] < 160
    assert any("disk" in what for what in found["unseen"])
    assert any("since checkpoint 1/1" in what for what in found["unseen"])
    deepracer_status.show("racer", None, as_json=False)
    assert "says        all is well" in capsys.readouterr().out


def test_before_its_first_checkpoint_a_run_has_nothing_to_tell_but_that(capsys: pytest.CaptureFixture[str]) -> None:
    recorded({"kind": "deepracer"}, "ec2")
    assert deepracer_status.show("racer", None, as_json=True) == 0
    found = told(capsys, "deepracer-status")
    assert (found["trend"], found["best"], found["checkpoint"], found["iterations"]) == ([], None, None, 0)
    assert "metrics: they come with the first checkpoint" in found["unseen"]
    deepracer_status.show("racer", None, as_json=False)
    assert "checkpoint  none yet" in capsys.readouterr().out


def test_another_kind_of_run_is_refused() -> None:
    recorded(None)
    with pytest.raises(FleetError, match="is no DeepRacer training"):
        deepracer_status.show("racer", None, as_json=False)


def test_the_drivers_lines_are_told_apart_by_service() -> None:
    lines = ["trainer | a | b", "fleet: x", "simulator-2 | c", "somebody | d", "trainer| e"]
    assert by_service(lines) == {"trainer": ["a | b"], "simulator-2": ["c"]}


# --- doctor


@pytest.fixture
def without_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing that the probe asks is there: it is quick, and the same everywhere."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


def test_here_every_check_has_a_line_and_what_is_not_ok_decides_the_exit_code(
    without_tools: None, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {"paste": False, "identity": None, "come_from": None}
    assert deepracer_doctor.check(None, None, as_json=True, **asked) == 1
    found = told(capsys, "deepracer-doctor")
    assert (found["where"], len(found["checks"]), found["paste"]) == ("this computer", len(CHECKS), None)
    assert {one["check"] for one in found["checks"] if one["state"] == "not ok"} >= {"docker", "compose"}
    deepracer_doctor.check(None, None, as_json=False, **asked)
    assert "not ok       docker" in capsys.readouterr().out


def test_what_is_pasted_tells_of_the_run_and_holds_no_secret(
    local: Path, without_tools: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_API_TOKEN", "hunter2hunter2")
    monkeypatch.setattr(sys, "argv", ["fleet", "deepracer", "doctor", "racer", "hunter2hunter2"])
    asked: dict[str, Any] = {"paste": True, "identity": None, "come_from": None}
    assert deepracer_doctor.check("racer", None, as_json=False, **asked) == 1
    text = capsys.readouterr().out
    for word in (
        "checks (this computer):",
        "not ok",
        "iterations  ",
        "last lines of trainer:",
        NAN,
        "AWS_SECRET_ACCESS_KEY=<secret>",
    ):
        assert word in text, word
    for secret in ("hunter2", "wJalr", STEP):
        assert secret not in text


def test_a_machine_that_cannot_be_reached_is_judged_by_its_heartbeat(
    remote: Controller, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreached(*_: object) -> object:
        raise FleetError("i-2 does not answer", "fleet status")

    monkeypatch.setattr(deepracer_doctor, "_over_ssh", unreached)
    assert deepracer_doctor.check("racer", None, paste=False, as_json=True, identity=None, come_from=None) == 1
    found = told(capsys, "deepracer-doctor")
    assert found["where"] == "i-2"
    states = {one["check"]: one["state"] for one in found["checks"]}
    assert states == {"machine": "cannot tell", "heartbeat": "ok", "disk": "not ok", "progress": "ok"}


def test_a_run_without_a_machine_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    controller = recorded({"kind": "deepracer"}, "ec2")
    now = controller.objects.now()
    controller.record([ev.AttemptGone(at=now, run_id=RUN, attempt=2, ended_at=now, ended_by="cloud")])
    assert deepracer_doctor.check("racer", None, paste=False, as_json=False, identity=None, come_from=None) == 0
    assert "has no machine now" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("workload", "gpu"), [({"device": "gpu"}, True), ({"device": "cpu"}, False), ({"device": "auto", "workers": 3}, False)]
)
def test_what_the_machine_is_to_do_is_the_jobs_word(workload: dict[str, Any], gpu: bool) -> None:
    controller = recorded({"kind": "deepracer", **workload})
    controller, run = opened_run(None, "racer")
    wish = deepracer_doctor.wish_of(deepracer_sources.look(controller, run))
    assert wish == Wish(
        gpu=gpu, workers=workload.get("workers", 1), run=RUN, training=True, training_seconds=wish.training_seconds
    )


# --- clean


def cleaned(place: Path, capsys: pytest.CaptureFixture[str], *, apply: bool = False, keep: int = 4) -> Any:
    CHOSEN.as_json = True
    assert deepracer_clean.clean(str(place), apply=apply, keep=keep, docker=False, as_json=True) == 0
    return told(capsys, "deepracer-cleaned")


def test_a_cleaning_is_shown_first_and_done_with_apply(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(tmp_path / "a", range(8))
    shown = cleaned(tmp_path / "a", capsys)
    assert (shown["applied"], shown["bytes"], [one["done"] for one in shown["actions"]]) == (False, 120, [False] * 4)
    assert numbers(tmp_path / "a") == set(range(8))
    done = cleaned(tmp_path / "a", capsys, apply=True, keep=6)
    assert (numbers(tmp_path / "a"), [one["done"] for one in done["actions"]]) == (set(range(2, 8)), [True] * 2)
    CHOSEN.as_json = False
    assert deepracer_clean.clean(str(tmp_path / "a"), apply=False, keep=4, docker=False, as_json=False) == 0
    text = capsys.readouterr().out
    assert "Nothing was removed; the same with --apply does it." in text
    assert "stays         7_Step-7.ckpt: a pointer names it" in text


def test_a_folder_of_models_is_looked_at_model_by_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "a-1"):
        lay(tmp_path / name, range(6))
    shown = cleaned(tmp_path, capsys, apply=True)
    assert {Path(one["prefix"]).name for one in shown["actions"]} == {"a", "a-1"}
    assert numbers(tmp_path / "a") == numbers(tmp_path / "a-1") == {2, 3, 4, 5}


def test_what_is_no_model_is_refused_and_minios_own_storage_too(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(FleetError, match="no DeepRacer model"):
        deepracer_clean.clean(str(tmp_path / "x"), apply=True, keep=4, docker=False, as_json=False)
    inner = tmp_path / "p" / "model" / "5_Step-1.ckpt.index"
    inner.mkdir(parents=True)
    (inner / "xl.meta").write_text("x")
    with pytest.raises(FleetError, match="MinIO's own storage"):
        deepracer_clean.clean(str(tmp_path / "p"), apply=True, keep=4, docker=False, as_json=False)


def test_what_cannot_be_removed_is_said_and_decides_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path / "a", range(6))

    def refuse(action: Any, *more: Any) -> None:
        if "0_Step" in action.names[0]:
            raise FleetError("the disk is read-only")
        carry_out(action, *more)

    monkeypatch.setattr(deepracer_clean, "carry_out", refuse)
    assert deepracer_clean.clean(str(tmp_path / "a"), apply=True, keep=4, docker=False, as_json=False) == 1
    assert "not done: the disk is read-only" in capsys.readouterr().out
    assert numbers(tmp_path / "a") == {0, 2, 3, 4, 5}
