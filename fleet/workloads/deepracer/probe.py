"""Looks at a machine for ``fleet deepracer doctor``, and prints what it found as one JSON object.

Run as a program of its own, here or over SSH, in the folder and with the environment of the training if there is one
(``python3 -I -c … [OPTIONS]``): it needs nothing but Python's own library. It judges nothing (doctor.py does), changes
nothing, and waits for nothing longer than its timeouts: all commands run at the same time.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

LOOK, RUN = 20.0, 60.0
"""Seconds that a look may take, and the start of a container."""
MOST = 16_000
"""Characters of an answer that are passed on."""
MOST_FILES = 3000
MOST_TEXT = 1 << 20
MODEL_FILES = ("reward_function.py", "model_metadata.json", "hyperparameters.json")
GAZEBO = "timeout 8 gz stats -p -d 3 2>/dev/null || timeout 8 gz topic -e -n 1 -t /stats"


def commands(network: str) -> dict[str, tuple[list[str], float]]:
    """What is asked of the machine, and how long it may take."""
    smi = ["nvidia-smi", "--format=csv,noheader"]
    return {
        "engine": (["docker", "version", "--format", "{{.Server.Version}}"], LOOK),
        "hello": (["docker", "run", "--rm", "hello-world"], RUN),
        "compose": (["docker", "compose", "version", "--short"], LOOK),
        "compose-1": (["docker-compose", "version", "--short"], LOOK),
        "gpu": ([*smi, "--query-gpu=name,driver_version,memory.total,compute_cap"], LOOK),
        "gpu-old": ([*smi, "--query-gpu=name,driver_version,memory.total"], LOOK),
        "gpu-use": ([*smi, "--query-compute-apps=process_name,used_memory"], LOOK),
        "runtimes": (["docker", "info", "--format", "{{json .Runtimes}}"], LOOK),
        "network": (["docker", "network", "inspect", "--format", "{{.Name}} ({{.Driver}})", network], LOOK),
        "containers": (["docker", "ps", "--all", "--format", "{{json .}}"], LOOK),
        "images": (["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"], LOOK),
        "docker-disk": (["docker", "system", "df"], RUN),
    }


def asked(words: list[str], timeout: float) -> dict[str, Any]:
    """A command's exit code and what it printed; no code: it is not there, or does not answer."""
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return {"code": None, "out": "", "why": f"{' '.join(words[:2])} does not answer within {timeout:.0f} s"}
    except OSError as error:
        return {"code": None, "out": "", "why": f"{words[0]}: {error.strerror or error}"}
    return {"code": done.returncode, "out": done.stdout.decode("utf-8", "replace")[-MOST:], "why": ""}


def together(wanted: dict[str, tuple[list[str], float]]) -> dict[str, dict[str, Any]]:
    """All at the same time."""
    found: dict[str, dict[str, Any]] = {}

    def ask(name: str) -> None:
        found[name] = asked(*wanted[name])

    threads = [threading.Thread(target=ask, args=(name,)) for name in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def second_look(first: dict[str, dict[str, Any]]) -> dict[str, tuple[list[str], float]]:
    """What can only be asked once the containers and images are known."""
    wanted: dict[str, tuple[list[str], float]] = {}
    running = simulators(first["containers"]["out"])
    if running:
        wanted["pace"] = (["docker", "exec", running[0], "sh", "-c", GAZEBO], LOOK)
    image = next((one for one in first["images"]["out"].split() if "deepracer" in one and "<none>" not in one), None)
    if image is not None and first["gpu-old"]["code"] == 0:
        words = ["docker", "run", "--rm", "--gpus", "all", "--entrypoint", "nvidia-smi", image, "-L"]
        wanted["gpu-in-docker"] = (words, RUN)
    return wanted


def simulators(containers: str) -> list[str]:
    """The running simulators among docker's containers."""
    names = []
    for line in containers.splitlines():
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            told = f"{row.get('Names')} {row.get('Labels')}"
            if row.get("State") == "running" and ("simulator" in told or "robomaker" in told):
                names.append(str(row.get("Names")))
    return names


def files(root: Path) -> list[list[Any]]:
    """Names, sizes and ages in seconds below a folder, the newest first."""
    found: dict[str, list[Any]] = {}
    now = time.time()
    for folder, _, names in os.walk(root):
        for path in (Path(folder) / name for name in names):
            with contextlib.suppress(OSError):
                stat = path.stat()
                told = object_of(path.relative_to(root))
                before = found.get(told, [told, 0, now - stat.st_mtime])
                found[told] = [told, before[1] + stat.st_size, min(before[2], round(now - stat.st_mtime, 1))]
    return sorted(found.values(), key=lambda one: one[2])[:MOST_FILES]


def object_of(path: Path) -> str:
    """The object that a file belongs to: MinIO keeps one as a folder of ``xl.meta`` and, if it is large, its parts."""
    if path.name == "xl.meta":
        return path.parent.as_posix()
    if path.name.startswith("part.") and len(path.parts) > 2:
        return path.parent.parent.as_posix()
    return path.as_posix()


def model(folder: Path) -> dict[str, Any]:
    """The three files that a user writes: what is wrong with each, and how many actions there are."""
    told: dict[str, Any] = {}
    for name in MODEL_FILES:
        try:
            text = read(folder / name)
            told[name] = ""
            ast.parse(text, name) if name.endswith(".py") else json.loads(text)
        except OSError as error:
            told[name] = error.strerror or "cannot be read"
        except (ValueError, SyntaxError, RecursionError) as error:
            told[name] = str(error) or type(error).__name__
    return {"files": told, "actions": actions(folder / "model_metadata.json")}


def read(path: Path) -> str:
    """A small file's text."""
    with path.open("rb") as file:
        return file.read(MOST_TEXT).decode("utf-8-sig")


def actions(path: Path) -> int | None:
    """How many actions a model's metadata has; None for continuous ones, or if it cannot be read."""
    try:
        space = json.loads(read(path))["action_space"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return len(space) if isinstance(space, list) else None


def source_actions(checkpoints: Path) -> int | None:
    """How many actions the newest checkpoint's model has."""
    found = []
    for path in checkpoints.glob("*/**/model_metadata.json"):
        with contextlib.suppress(OSError):
            found.append((path.stat().st_mtime, path))
    return actions(max(found)[1]) if found else None


def looked(options: dict[str, Any]) -> dict[str, Any]:
    """Everything. ``network``: the stack's; ``model``: whether the folder is the training's."""
    answers = together(commands(str(options.get("network") or "sagemaker-local")))
    answers.update(together(second_look(answers)))
    volume, kept = os.environ.get("FLEET_VOLUME"), os.environ.get("FLEET_CHECKPOINTS")
    disk = None
    with contextlib.suppress(OSError):
        usage = shutil.disk_usage(volume or os.curdir)
        disk = {"total": usage.total, "used": usage.total - usage.free}
    return {
        "v": 1,
        "answers": answers,
        "disk": disk,
        "stack": files(Path(volume) / "s3") if volume else None,
        "kept": files(Path(kept)) if kept else None,
        "model": model(Path()) if kept else None,
        "source_actions": source_actions(Path(kept)) if kept else None,
    }


if __name__ == "__main__":
    print(json.dumps(looked(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})))
