"""What a driver learns from its environment, how long it has to stop, and that there is one at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.alone import alone
from fleet.workloads.deepracer.ground import ground_of, made_secret, runs_bucket
from fleet.workloads.stopping import USUAL, note_stop, stop_by

ENV = {
    "FLEET_RUN_ID": "racer-7",
    "FLEET_ATTEMPT": "2",
    "FLEET_VOLUME": "/data",
    "FLEET_CHECKPOINTS": "/data/checkpoints",
    "FLEET_ENGINE_NOTE": "/scratch/stack/engine.json",
    "FLEET_ROOT": "/",
}


def test_everything_is_in_the_environment_that_fleet_gives_a_training(tmp_path: Path) -> None:
    ground = ground_of(ENV, tmp_path)
    assert (ground.project, ground.own, ground.is_own) == ("fleet-racer-7-2", Path("/scratch/stack"), True)
    assert ground.labels["fleet.run"] == "racer-7"
    assert not ground_of({**ENV, "FLEET_ROOT": "/home/me/.fleet"}, tmp_path).is_own


@pytest.mark.parametrize("name", ["FLEET_RUN_ID", "FLEET_ATTEMPT", "FLEET_VOLUME", "FLEET_CHECKPOINTS"])
def test_outside_of_fleet_it_says_what_is_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(FleetError, match=name):
        ground_of({key: value for key, value in ENV.items() if key != name}, tmp_path)


@pytest.mark.parametrize(
    ("url", "bucket", "base"),
    [
        ("s3://mine", "mine", "runs/racer-7/deepracer/"),
        ("s3://mine/fleet/a/", "mine", "fleet/a/runs/racer-7/deepracer/"),
    ],
)
def test_the_runs_own_bucket_holds_the_stacks_data_beside_the_checkpoints(url: str, bucket: str, base: str) -> None:
    storage = runs_bucket({"FLEET_BUCKET": url}, "racer-7")
    assert (storage.place.bucket, storage.base, storage.place.key) == (bucket, base, None)


@pytest.mark.parametrize("url", ["", "file:///home/me/bucket", "s3://", "gs://mine"])
def test_a_bucket_that_containers_cannot_reach_is_refused(url: str) -> None:
    with pytest.raises(FleetError, match="storage: bucket"):
        runs_bucket({"FLEET_BUCKET": url}, "racer-7")


def test_the_look_alikes_key_is_its_machines_own_and_nobody_elses_to_read(tmp_path: Path) -> None:
    first = made_secret(tmp_path / "a")
    assert made_secret(tmp_path / "a") == first
    assert made_secret(tmp_path / "b") != first
    assert len(first) >= 20
    assert (tmp_path / "a" / "s3-key").stat().st_mode & 0o077 == 0
    (tmp_path / "a" / "s3-key").write_text("")  # a full disk
    assert len(made_secret(tmp_path / "a")) >= 20


def test_how_long_is_left_is_told_by_a_file(tmp_path: Path) -> None:
    assert stop_by(tmp_path, 1000.0) == 1000.0 + USUAL
    note_stop(tmp_path, 1018.0)
    assert stop_by(tmp_path, 1000.0) == 1018.0
    assert stop_by(tmp_path, 2000.0) == 2000.0 + USUAL  # that was an earlier wish
    (tmp_path / "stop-by").write_text("soon")
    assert stop_by(tmp_path, 1000.0) == 1000.0 + USUAL


def test_a_driver_that_was_left_behind_is_ended_by_the_next(tmp_path: Path) -> None:
    words = (
        "import sys, time; from pathlib import Path; from fleet.workloads.deepracer.alone import alone\n"
        f"with alone(Path({str(tmp_path)!r})): print('holds', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "holds\n"
        began = time.monotonic()
        with alone(tmp_path):
            assert other.wait(5) == -signal.SIGKILL
            assert (tmp_path / "driver").read_text() == str(os.getpid())
        assert time.monotonic() - began < 5
    with alone(tmp_path):
        pass
