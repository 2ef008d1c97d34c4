"""What `fleet deepracer watch --page` takes of a core while a training goes on at its real pace: less than 1 % is promised.

A stand-in for the stack writes what simulators write, 15 steps a second: a step at a time into the log, metrics and traces
after each episode, into a folder or into a bucket. A browser's requests are made beside it.

python -m benchmarks.deepracer_watch [--seconds 60] [KIND...]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PACE = 1 / 15
"""Seconds of a step."""
STEPS, EPISODES = 120, 20
"""Of an episode, of an iteration."""
BROWSER = 5.0
"""Seconds after which an open page asks again."""
BUCKET = "races"
RCLONE = Path(sys.executable).parent / "rclone"


@dataclass
class Training:
    """One worker's records, as its simulator writes them."""

    put: Callable[[str, bytes], None]
    add: Callable[[str, bytes], None] | None
    """To a log; None: there is none, as in a bucket."""
    episode: int = 0
    clock: float = 20.0
    entries: list[dict[str, object]] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)

    @property
    def iteration(self) -> int:
        """Under way."""
        return self.episode // EPISODES

    def drive(self, pause: Callable[[], None]) -> None:
        """One episode."""
        begun, far = self.clock, 30.0 + 40.0 * math.sin(self.episode) ** 2
        for number in range(1, STEPS + 1):
            self._step(number, far * number / STEPS, done=number == STEPS)
            pause()
        self._metrics(begun, far)

    def _step(self, number: int, progress: float, *, done: bool) -> None:
        self.clock += PACE
        angle = 2 * math.pi * progress / 100
        x, y = 4 * math.cos(angle), 3 * math.sin(angle)
        status = "off_track" if done else "prepare" if number == 1 else "in_progress"
        row = (
            f"{self.episode},{number},{x:.4f},{y:.4f},{math.degrees(angle):.4f},-10.00,2.00,{number % 10},1.0000,{done},"
            f"{not done},{progress:.4f},{round(1.2 * progress)},23.12,{self.clock:.3f},{status},0.00"
        )
        self.rows.append(row)
        if self.add is not None:
            self.add("robomaker.log", f"SIM_TRACE_LOG:{row}\n".encode())

    def _metrics(self, begun: float, far: float) -> None:
        self.entries.append(
            {
                "reward_score": STEPS, "metric_time": round(self.clock * 1000), "start_time": round(begun * 1000),
                "elapsed_time_in_milliseconds": round((self.clock - begun) * 1000), "episode": self.episode + 1,
                "trial": self.episode % EPISODES + 1, "phase": "training", "completion_percentage": round(far),
                "episode_status": "Off track",
            }
        )  # fmt: skip
        self.episode += 1

    def told(self) -> None:
        """What is written after an episode."""
        metrics = {"metrics": self.entries, "version": 2.0, "best_model_metric": "progress"}
        self.put("metrics/TrainingMetrics.json", json.dumps(metrics).encode())
        done = (self.episode - 1) // EPISODES
        self.put(f"training-simtrace/{done}-iteration.csv", "\n".join(self.rows).encode() + b"\n")
        if self.episode % EPISODES == 0:
            self.rows.clear()


def begun(training: Training, iterations: int) -> None:
    """So many iterations at once: the training was found under way."""
    for _ in range(iterations):
        for _ in range(EPISODES):
            training.drive(lambda: None)
        training.told()


@contextmanager
def going_on(training: Training) -> Iterator[None]:
    """The training drives on, at its pace, by a clock that its own work does not slow down."""
    over, due = threading.Event(), [time.monotonic()]

    def pause() -> None:
        due[0] += PACE
        over.wait(max(0.0, due[0] - time.monotonic()))

    def run() -> None:
        while not over.is_set():
            training.drive(pause)
            training.told()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def browsing(url: str) -> Iterator[list[int]]:
    """An open page asks again and again; the statuses of the answers."""
    over, answers = threading.Event(), list[int]()

    def ask() -> None:
        tag = ""
        while not over.wait(BROWSER):
            try:
                with urllib.request.urlopen(urllib.request.Request(f"{url}body", headers={"If-None-Match": tag})) as answer:
                    tag = answer.headers["ETag"]
                    answers.append(answer.status)
                    answer.read()
            except urllib.error.HTTPError as error:
                answers.append(error.code)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


def measured(place: str, seconds: float, env: dict[str, str]) -> str:
    """What the watch took."""
    words = [sys.executable, "-m", "fleet.cli", "deepracer", "watch", place, "--page", "--offline", "-o", "json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline())]
        reader = threading.Thread(target=lambda: lines.extend(map(json.loads, process.stdout or ())))
        reader.start()
        with browsing(lines[0]["page"]) as answers:
            time.sleep(2 * BROWSER)  # the first page, which is made once, is no part of watching on
            own = psutil.Process(process.pid)
            start, before = _cpu(own), time.monotonic()
            time.sleep(seconds)
            took, passed = _cpu(own) - start, time.monotonic() - before
            memory = own.memory_info().rss / 1e6
        process.terminate()
        reader.join()
    gained = lines[-1]["episodes"] - lines[0]["episodes"]
    asked = f"{answers.count(200)} pages changed, {answers.count(304)} not"
    return f"{took / passed:.2%} of a core, {memory:.0f} MB; {gained} episodes in {len(lines) - 1} looks, {asked}"


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def in_folder(root: Path) -> Training:
    """Beside its log."""

    def put(name: str, data: bytes) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(data)
        temporary.replace(path)

    def add(name: str, data: bytes) -> None:
        with (root / name).open("ab") as file:
            file.write(data)

    return Training(put, add)


@contextmanager
def in_bucket(root: Path) -> Iterator[tuple[Training, dict[str, str]]]:
    """Behind rclone's S3."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (root / BUCKET).mkdir()
    words = [str(RCLONE), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", "key,secret", str(root)]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as server:
        env = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }  # fmt: skip
        training = in_folder(root / BUCKET / "racer")
        yield Training(training.put, None), env
        server.terminate()


def main() -> None:
    """A line for each kind of place."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = ("folder", "log", "long", "bucket", "long-bucket")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(kinds)}; else all")
    parser.add_argument("--seconds", type=float, default=60.0)
    told = parser.parse_args()
    for kind in told.kinds or kinds:
        print(f"{kind:<12}", _kind(kind, told.seconds), flush=True)


def _kind(kind: str, seconds: float) -> str:
    iterations = 300 if kind.startswith("long") else 25
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-watch-")))
        env = {**os.environ, "FLEET_HOME": str(root / "home")}
        if kind.endswith("bucket"):
            training, more = stack.enter_context(in_bucket(root))
            env |= more
            place = f"s3://{BUCKET}/racer"
        else:
            training = in_folder(root / "racer")
            (root / "racer").mkdir()
            place = str(root / "racer")
        if kind == "log":
            training.put = lambda _name, _data: None
            place = f"{place}/robomaker.log"
        elif kind != "bucket":
            training.add = None
        begun(training, iterations)
        stack.enter_context(going_on(training))
        return measured(place, seconds, env)


if __name__ == "__main__":
    main()
