"""Images from scratch that speak the DeepRacer stack's protocol: the same commands, variables, files, ports and lines.

One image plays coach, trainer and simulator, as today's does; its programs are shell scripts over busybox, rclone (to reach
the bucket) and compose (with which coach starts the trainer). Nothing is pulled. What they do wrong is chosen by variables
(``variant``); the scripts say which.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.system import engine, traces

HERE = Path(__file__).parent / "fake"
NAME = "fleet-fake-deepracer"
STATUS = ("prepare", *("in_progress",) * 18, "off_track")


@dataclass(frozen=True, slots=True)
class Fakes:
    """The images' names."""

    simapp: str
    """Today's; its name says cpu, as coach looks for gpu in it."""
    simapp_gpu: str
    s3: str
    coach_2019: str
    simapp_2019: str
    """2019's trainer and simulator."""

    def images(self) -> dict[str, str]:
        """``workload: {images: …}`` of a job for today's stack."""
        return {"simapp": self.simapp, "s3": self.s3}

    def images_2019(self) -> dict[str, str]:
        """The same for 2019's."""
        return {"coach": self.coach_2019, "trainer": self.simapp_2019, "simulator": self.simapp_2019, "s3": self.s3}


def real_logs() -> Path | None:
    """Where logs of real trainings lie, if they are at hand: they are no part of this project."""
    measured = traces.folder()
    found = measured.parent / "deepracer" if measured is not None else None
    return found if found is not None and found.is_dir() else None


def trace_lines() -> list[str]:
    """What a simulator says while it drives: a real one's lines, or some like them. 20 a step at a time, 20 times."""
    logs = real_logs()
    if logs is not None:
        text = (logs / "droa" / "training-simulation.log").read_text(errors="replace")
        found = [line[line.index("SIM_TRACE_LOG") :] for line in text.splitlines() if "SIM_TRACE_LOG" in line]
        return found[:400]
    return [
        f"SIM_TRACE_LOG:{number // 20},{number % 20 + 1},{number / 100:.4f},0.4000,12.5000,10.00,2.00,3,1.0000,False,True,"
        f"{number % 20:.4f},{number % 20},17.67,{number / 15:.3f},{STATUS[number % 20]},0.00,0,1772822267.7927"
        for number in range(400)
    ]


def build(folder: Path) -> Fakes:
    """All of them; seconds the first time, at once as long as nothing they are made of changes."""
    made_of = {
        "busybox": _program("busybox"),
        "rclone": Path(sys.prefix) / "bin" / "rclone",
        "docker-compose": engine.compose_program(),
    }
    files = folder / "files"
    files.mkdir(parents=True)
    for script in HERE.glob("*.sh"):
        shutil.copy(script, files)
    (files / "trace.log").write_text("\n".join(trace_lines()) + "\n")
    shutil.copy(HERE / "Dockerfile", folder)
    base = f"{NAME}:{_hash(*made_of.values(), folder / 'Dockerfile', *sorted(files.iterdir()))}-cpu"
    if not _there(base):
        for name, path in made_of.items():
            shutil.copy(path, folder / name)
        _build(folder, base)
    gpu = f"{base.removesuffix('-cpu')}-gpu"
    engine.asked("docker", "tag", base, gpu)
    old = variant(base, FAKE_FORMAT="2019")
    return Fakes(
        simapp=base,
        simapp_gpu=gpu,
        s3=_derived(base, 'ENTRYPOINT ["/fake/minio.sh"]', "s3"),
        coach_2019=_derived(old, "ENTRYPOINT []\nWORKDIR /deepracer", "coach"),
        simapp_2019=old,
    )


def variant(image: str, **variables: str) -> str:
    """The same image with variables of its own: how a fake is told what to do wrong, in whatever way it is started."""
    lines = "\n".join(f'ENV {name}="{value}"' for name, value in sorted(variables.items()))
    return _derived(image, lines, "")


def _derived(image: str, lines: str, role: str) -> str:
    text = f"FROM {image}\n{lines}\n"
    repository, _, tag = image.partition(":")
    digest, _, device = tag.rpartition("-")
    name = f"{repository}{'-' + role if role else ''}:{digest}-{hashlib.sha256(text.encode()).hexdigest()[:8]}-{device}"
    if not _there(name):
        words = ["docker", "build", "--quiet", "--tag", name, "-"]
        env = {**os.environ, "DOCKER_BUILDKIT": "0"}
        subprocess.run(words, input=text, env=env, text=True, check=True, capture_output=True)
    return name


def _program(name: str) -> Path:
    found = shutil.which(name)
    assert found is not None, f"there is no program {name}: {engine.REMEDY}"
    return Path(found)


def _there(image: str) -> bool:
    return subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0


def _build(folder: Path, name: str) -> None:
    env = {**os.environ, "DOCKER_BUILDKIT": "0"}
    engine.asked("docker", "build", "--quiet", "--tag", name, str(folder), env=env, seconds=180)


def _hash(*files: Path) -> str:
    made = hashlib.sha256()
    for file in files:
        made.update(file.read_bytes())
    return made.hexdigest()[:12]
