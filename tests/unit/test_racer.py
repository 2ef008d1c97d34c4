"""The racer: learns, saves whole, resumes, and ends with the same bytes however it was interrupted."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

RACER = Path(__file__).parents[2] / "examples" / "racer"


def start(folder: Path, iterations: int = 14, *more: str) -> subprocess.Popen[str]:
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "FLEET_CHECKPOINTS": str(folder / "checkpoints"), "FLEET_VOLUME": str(folder)}
    words = [sys.executable, str(RACER / "train.py"), "--iterations", str(iterations), "--save-every", "3", *more]
    return subprocess.Popen(words, env=env, cwd=folder, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 0, out
    return out


def model(folder: Path) -> str:
    return hashlib.sha256((folder / "output" / "model.npz").read_bytes()).hexdigest()


def after_line(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("alone")
    finish(start(folder))
    return model(folder)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_and_resumed_again_and_again_it_ends_with_the_same_bytes(
    tmp_path: Path, uninterrupted: str, number: signal.Signals
) -> None:
    for step in (4, 5, 9):
        process = start(tmp_path)
        after_line(process, f"fleet.progress step={step} ")
        process.send_signal(number)
        process.communicate(timeout=60)
        if number is signal.SIGTERM:
            assert process.returncode == 0
    assert "begins at iteration 0" not in finish(start(tmp_path))
    assert model(tmp_path) == uninterrupted


def test_asked_to_stop_it_saves_where_it_is(tmp_path: Path) -> None:
    process = start(tmp_path)
    after_line(process, "fleet.progress step=4 ")
    process.terminate()
    out, _ = process.communicate(timeout=60)
    saved = [line for line in out.splitlines() if line.startswith("fleet.saved")]
    assert int(saved[-1].split()[1].split("=")[1]) % 3 != 0 or len(saved) > 1
    with np.load(tmp_path / "checkpoints" / "racer.npz") as state:
        assert set(state.files) > {"history", "text"}


def test_a_half_written_save_is_never_seen(tmp_path: Path) -> None:
    process = start(tmp_path, 400)
    deadline = time.monotonic() + 3
    seen = 0
    while time.monotonic() < deadline:
        try:
            with np.load(tmp_path / "checkpoints" / "racer.npz") as state:
                seen += len(state["history"]) >= 0
        except FileNotFoundError:
            continue
    process.kill()
    process.communicate(timeout=60)
    assert seen > 3


def test_it_learns_to_lap(tmp_path: Path) -> None:
    out = finish(start(tmp_path, 70))
    with np.load(tmp_path / "output" / "model.npz") as saved:
        history = saved["history"]
    assert history[:5, 1].mean() < 0.3 * history[-5:, 1].mean()
    assert history[-1, 2] == 1.0, out
    words = [sys.executable, str(RACER / "train.py"), "--evaluate", str(tmp_path / "output" / "model.npz")]
    told = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert int(told.stdout.split("%")[0]) >= 90


def test_a_mistake_in_the_reward_function_is_told_as_the_users(tmp_path: Path) -> None:
    for name in ("train.py", "policy.py", "track.py"):
        (tmp_path / name).write_text((RACER / name).read_text())
    (tmp_path / "reward_function.py").write_text("def reward_function(params):\n    return params['speeed']\n")
    words = [sys.executable, "train.py", "--iterations", "1"]
    told = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert told.returncode == 1
    assert "Reward function error: KeyError: 'speeed'" in told.stderr
    assert "Traceback" not in told.stderr


def test_the_reward_function_has_the_deepracer_signature() -> None:
    sys.path.insert(0, str(RACER))
    try:
        from track import Track
    finally:
        sys.path.remove(str(RACER))
    track = Track()
    cars = track.start(np.zeros(1, dtype=np.int64), np.zeros(1), np.zeros(1))
    params = next(iter(track.params(cars)))
    wanted = {
        "all_wheels_on_track", "x", "y", "heading", "speed", "steering_angle", "track_width", "distance_from_center",
        "is_left_of_center", "progress", "steps", "waypoints", "closest_waypoints", "is_offtrack",
    }  # fmt: skip
    assert wanted <= set(params)
