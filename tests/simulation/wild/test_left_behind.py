"""Real processes: what a secret leaves where, and what a killed upload leaves in a real S3 server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import psutil
import pytest

from fleet.providers.local.provider import stop_everything
from fleet.store.opening import open_objects
from tests.unit.cli.test_commands import Shell
from tests.unit.store.conftest import s3_server, s3_url  # noqa: F401 - fixtures


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    stop_everything(made.home.local)


CANARY = "canary-" + "fedcba9876543210"
TRAIN = """
import os, sys, time, pathlib
secret = os.environ["API_TOKEN"]
print("whole", secret, flush=True)
sys.stdout.write(secret[:9]); sys.stdout.flush(); time.sleep(0.3); print(secret[9:], flush=True)
print(f"fleet.progress step=1 token={secret}", flush=True)
sys.stderr.write(f"Traceback: {secret}\\n")
go = pathlib.Path(os.environ["FLEET_VOLUME"]) / "go"
while not go.exists():
    time.sleep(0.05)
sys.exit(3)
"""


def arguments() -> list[list[str]]:
    """Of every process that runs now."""
    found = []
    for process in psutil.process_iter():
        try:
            found.append(process.cmdline())
        except (psutil.Error, OSError):
            continue
    return found


def holding(folder: Path) -> list[Path]:
    """The files below a folder that hold the canary."""
    return [path for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


def test_a_canary_of_a_secret_is_in_no_file_no_argument_and_no_answer(shell: Shell) -> None:
    """Journal, logs, heartbeats, launch requests, user-data, metadata, snapshots, arguments, and what commands print."""
    (shell.folder / "job" / "train.py").write_text(TRAIN)
    shell.env["API_TOKEN"] = CANARY
    more = "secrets: [API_TOKEN]\nretries: {training: 0}\n"
    job = shell.job(run=f"{sys.executable} train.py", extra=more)
    shell.run("up", job, "--detach")
    watcher = shell.start("controller", "run")
    try:
        shell.until(lambda: (runs := shell.runs()) and runs[0]["step"])
        running = arguments()
        assert any("train.py" in " ".join(words) for words in running)
        assert [words for words in running if any(CANARY in word for word in words)] == []
        assert list(shell.home.path.glob("bucket/heartbeats/*"))
        assert holding(shell.folder) == []
        [go] = [path.parent for path in shell.home.local.rglob("checkpoints") if path.is_dir()]
        (go / "go").write_text("")
        shell.until(lambda: shell.runs()[0]["state"] == "failed")
        watcher.send_signal(signal.SIGINT)
        said = list(watcher.communicate(timeout=20))
    finally:
        watcher.kill()
    looks = ["status count", "status count -o json", "events", "logs count", "ps -o json"]
    said += [text for look in looks for text in shell.run(*look.split())]
    assert "whole ***" in "".join(said)
    assert "Traceback: ***" in "".join(said)  # the last words of the training are the run's reason
    assert [text for text in said if CANARY in text] == []
    places = "\n".join(str(path) for path in shell.folder.rglob("*"))
    assert all(kind in places for kind in ("/journal/", "/launch-1.json", "/log/"))
    assert holding(shell.folder) == []


UPLOAD = """
import sys, time
from pathlib import Path
from fleet.store.opening import open_objects

parts = 0

def pause():
    global parts
    parts += 1
    if parts == 5:
        print("in the middle", flush=True)
        time.sleep(60)

objects = open_objects(sys.argv[1], clock=time.time, pause=pause)
objects.upload("runs/racer-1/checkpoints/1/00000001/files/big", Path(sys.argv[2]))
"""


def test_an_upload_that_is_killed_in_the_middle_of_its_parts_is_no_object_and_no_checkpoint(
    s3_url: str,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    """Its parts are left in the bucket, where a lifecycle rule aborts them; nothing of fleet ever takes them for a file."""
    big = tmp_path / "big"
    big.write_bytes(os.urandom(1 << 20) * 40)
    words = [sys.executable, "-c", UPLOAD, s3_url, str(big)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "in the middle\n"
    process.kill()
    process.communicate(timeout=20)
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"], region_name="us-east-1")
    left = client.list_multipart_uploads(Bucket=urlsplit(s3_url).netloc).get("Uploads", [])
    assert [one["Key"] for one in left] == ["some/prefix/runs/racer-1/checkpoints/1/00000001/files/big"]
    objects = open_objects(s3_url)
    assert objects.list("runs/") == []
    objects.upload("runs/racer-1/checkpoints/1/00000001/files/big", big)
    [whole] = objects.list("runs/")
    assert whole.size == big.stat().st_size
