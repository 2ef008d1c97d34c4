"""Looks at a machine for ``fleet deepracer doctor``, and prints what it found as one JSON object.

Run as a program of its own, here or over SSH, in the folder and environment of the training if there is one
(``python3 -I -c … [OPTIONS]``): it needs nothing but Python's own library, 3.8 or later. It judges nothing (doctor.py does),
changes nothing, and waits for nothing longer than its timeouts: all commands run at the same time.
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
from typing import Any, Dict, List, Optional

LOOK, RUN = 20.0, 60.0
"""Seconds that a look may take, and the start of a container."""
MOST = 4000
"""Characters of an answer that are passed on."""
MOST_FILES = 3000
GAZEBO = "timeout 8 gz stats -p -d 3 2>/dev/null || timeout 8 gz topic -e -n 1 -t /stats"

Answers = Dict[str, Dict[str, Any]]


def commands(network):
    # type: (str) -> Dict[str, tuple[List[str], float]]
    """What is asked of the machine, and how long it may take."""
    smi = ["nvidia-smi", "--format=csv,noheader"]
    return {
        "engine": (["docker", "version", "--format", "{{.Server.Version}}"], LOOK),
        "hello": (["docker", "run", "--rm", "hello-world"], RUN),
        "compose": (["docker", "compose", "version", "--short"], LOOK),
        "compose-1": (["docker-compose", "version", "--short"], LOOK),
        "gpu": ([*smi, "--query-gpu=name,driver_version,compute_cap,memory.total"], LOOK),
        "gpu-2019": ([*smi, "--query-gpu=name,driver_version,memory.total"], LOOK),
        "gpu-use": ([*smi, "--query-compute-apps=process_name,used_memory"], LOOK),
        "runtimes": (["docker", "info", "--format", "{{json .Runtimes}}"], LOOK),
        "network": (["docker", "network", "inspect", "--format", "{{.Name}} {{.Driver}}", network], LOOK),
        "containers": (["docker", "ps", "--all", "--format", "{{json .}}"], LOOK),
        "images": (["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"], LOOK),
        "disk": (["docker", "system", "df"], RUN),
    }


def asked(words, timeout):
    # type: (List[str], float) -> Dict[str, Any]
    """A command's exit code and what it printed; no code: it is not there, or does not answer."""
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return {"code": None, "out": "", "why": "no answer within %d s" % timeout}
    except OSError as error:
        return {"code": None, "out": "", "why": "%s: %s" % (words[0], error.strerror or error)}
    text = done.stdout.decode("utf-8", "replace")
    return {"code": done.returncode, "out": text if len(text) <= MOST * 4 else text[-MOST * 4 :], "why": ""}


def together(wanted):
    # type: (Dict[str, tuple[List[str], float]]) -> Answers
    """All at the same time."""
    found = {}  # type: Answers
    threads = []
    for name, (words, timeout) in wanted.items():

        def ask(name: str = name, words: List[str] = words, timeout: float = timeout) -> None:
            found[name] = asked(words, timeout)

        threads.append(threading.Thread(target=ask, name=name))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return found


def simulators(containers):
    # type: (str) -> List[str]
    """The running simulators among docker's containers."""
    names = []
    for line in containers.splitlines():
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            told = "%s %s %s" % (row.get("Names"), row.get("Labels"), row.get("Command"))
            if row.get("State") == "running" and ("simulator" in told or "robomaker" in told):
                names.append(str(row.get("Names")))
    return names


def second_look(first):
    # type: (Answers) -> Dict[str, tuple[List[str], float]]
    """What can only be asked once the containers and images are known."""
    wanted = {}  # type: Dict[str, tuple[List[str], float]]
    running = simulators(first["containers"]["out"])
    if running:
        wanted["pace"] = (["docker", "exec", running[0], "sh", "-c", GAZEBO], LOOK)
    image = next((one for one in first["images"]["out"].split() if "deepracer" in one and "<none>" not in one), None)
    if image is not None and first["gpu"]["code"] == 0:
        words = ["docker", "run", "--rm", "--gpus", "all", "--entrypoint", "nvidia-smi", image, "-L"]
        wanted["gpu-in-docker"] = (words, RUN)
    return wanted


def files(root):
    # type: (Optional[str]) -> List[List[Any]]
    """Names, sizes and ages below a folder, the newest first. MinIO keeps an object as a folder: the object is told."""
    found = {}  # type: Dict[str, List[Any]]
    now = time.time()
    for folder, _, names in os.walk(root or ""):
        for name in names:
            with contextlib.suppress(OSError):
                path = os.path.join(folder, name)
                stat = os.stat(path)
                told = os.path.relpath(path, root)
                if name == "xl.meta":
                    told = os.path.dirname(told)
                elif os.path.basename(os.path.dirname(folder)).count("-") and name.startswith("part."):
                    told = os.path.dirname(os.path.dirname(told))
                before = found.get(told, [told, 0, now - stat.st_mtime])
                found[told] = [told, before[1] + stat.st_size, min(before[2], now - stat.st_mtime)]
    return sorted(found.values(), key=lambda one: one[2])[:MOST_FILES]


def model_files(folder):
    # type: (str) -> Dict[str, Any]
    """The three files that a user writes: whether each is there and can be read, and how many actions there are."""
    told = {}  # type: Dict[str, Any]
    for name in ("reward_function.py", "model_metadata.json", "hyperparameters.json"):
        try:
            with open(os.path.join(folder, name), encoding="utf-8-sig") as file:
                text = file.read()
            told[name] = "" if (ast.parse(text, name) if name.endswith(".py") else json.loads(text)) is not None else "empty"
        except OSError as error:
            told[name] = error.strerror or "cannot be read"
        except (ValueError, SyntaxError, RecursionError) as error:
            told[name] = str(error) or type(error).__name__
    told["actions"] = actions(os.path.join(folder, "model_metadata.json"))
    return told


def actions(path):
    # type: (str) -> Any
    """How many actions a model's metadata has; None for continuous ones, or if it cannot be read."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            space = json.load(file)["action_space"]
        return len(space) if isinstance(space, list) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def source_actions(checkpoints):
    # type: (Optional[str]) -> Any
    """How many actions the newest checkpoint's model has."""
    newest = None  # type: Any
    for folder, _, names in os.walk(checkpoints or ""):
        if "model_metadata.json" in names:
            path = os.path.join(folder, "model_metadata.json")
            with contextlib.suppress(OSError):
                newest = max(newest or (0.0, ""), (os.stat(path).st_mtime, path))
    return actions(newest[1]) if newest else None


def looked(options):
    # type: (Dict[str, Any]) -> Dict[str, Any]
    """Everything."""
    answers = together(commands(str(options.get("network") or "sagemaker-local")))
    answers.update(together(second_look(answers)))
    volume, kept = os.environ.get("FLEET_VOLUME"), os.environ.get("FLEET_CHECKPOINTS")
    disk = None
    with contextlib.suppress(OSError):
        usage = shutil.disk_usage(volume or os.curdir)
        disk = {"total": usage.total, "free": usage.free}
    return {
        "v": 1,
        "answers": answers,
        "disk": disk,
        "stack": files(os.path.join(volume, "s3")) if volume else None,
        "kept": files(kept) if kept else None,
        "model": model_files(os.curdir) if kept else None,
        "source_actions": source_actions(kept),
    }


if __name__ == "__main__":
    print(json.dumps(looked(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})))
