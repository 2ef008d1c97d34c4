"""The docker engine that system tests of stacks use: its image, the composes on this computer, and what is left on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

IMAGE = "fleet-test-busybox"
DOCKERFILE = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\nENV PATH=/bin\n'
PLUGINS = ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
"""Below these Docker looks for its plugins."""
REMEDY = "`make test-system` installs and starts what is missing (scripts/system-programs.sh)"


def asked(*words: str, env: Mapping[str, str] | None = None, seconds: float = 120) -> str:
    """What a command says; a failed test, naming the remedy, if it cannot."""
    try:
        return subprocess.run(words, env=env, check=True, capture_output=True, text=True, timeout=seconds).stdout
    except FileNotFoundError:
        raise AssertionError(f"there is no program {words[0]}: {REMEDY}") from None
    except subprocess.CalledProcessError as error:
        raise AssertionError(f"{' '.join(words)}: {error.stderr.strip()}\n{REMEDY}") from None


def build_image(folder: Path) -> str:
    """An image whose only program is busybox: nothing is pulled. Its name."""
    busybox = shutil.which("busybox")
    assert busybox is not None, f"there is no program busybox: {REMEDY}"
    shutil.copy(busybox, folder / "busybox")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    asked("docker", "build", "--quiet", "--tag", IMAGE, str(folder), env={**os.environ, "DOCKER_BUILDKIT": "0"})
    return IMAGE


def kinds() -> list[str]:
    """The composes to test with: v2 always, v1 (a Python program) where this computer has one."""
    v1 = shutil.which("docker-compose")
    if v1 is None:
        return ["v2"]
    with Path(v1).open("rb") as program:
        return ["v2", "v1"] if b"python" in program.readline() else ["v2"]


def compose_env(kind: str, folder: Path) -> dict[str, str]:
    """An environment in which fleet finds that compose, and no other."""
    docker = shutil.which("docker")
    assert docker is not None, f"there is no program docker: {REMEDY}"
    if kind == "v1":
        (folder / "docker").write_text(f'#!/bin/sh\n[ "$1" = compose ] && exit 1\nexec {docker} "$@"\n')
        (folder / "docker").chmod(0o755)
        return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return {}
    plugins = Path(sys.prefix) / "compose-v2"
    assert (plugins / "cli-plugins" / "docker-compose").exists(), f"docker has no compose plugin: {REMEDY}"
    return {"DOCKER_CONFIG": str(plugins)}


def compose_program() -> Path:
    """Compose v2's program on this computer."""
    ours = Path(sys.prefix) / "compose-v2" / "bin" / "docker-compose"
    theirs = [Path(folder) / "docker" / "cli-plugins" / "docker-compose" for folder in PLUGINS]
    found = next((path for path in (ours, *theirs) if path.exists()), None)
    assert found is not None, f"docker has no compose plugin: {REMEDY}"
    return found


def running(run_id: str) -> list[str]:
    """The names of a run's containers."""
    return sorted(asked("docker", "ps", "--format", "{{.Names}}", "--filter", f"label=fleet.run={run_id}").split())


def containers(run_id: str) -> set[str]:
    """The ids of a run's containers that run."""
    return set(asked("docker", "ps", "--quiet", "--filter", f"label=fleet.run={run_id}").split())


def left(run_id: str) -> list[str]:
    """The names of everything that a run's stacks left on the engine."""
    looks = (("ps", "--all", "{{.Names}}"), ("network", "ls", "{{.Name}}"), ("volume", "ls", "{{.Name}}"))
    found = [name for *look, form in looks for name in asked("docker", *look, "--format", form).split()]
    return [name for name in found if run_id in name]
