"""ami/bake.sh: what it refuses to make an image of, and that the first step that fails ends it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.boot.baking import source
from fleet.boot.packing import archive
from tests.boot.shims import Shims

DIGEST = f"sha256:{'0' * 64}"
GIVEN = {
    "BAKE_RECIPE": "1",
    "BAKE_BASE": "ubuntu-24.04",
    "BAKE_VARIANT": "cpu",
    "BAKE_DRIVER": "",
    "BAKE_ARCH": platform.machine(),
    "BAKE_VERSION": "0.0.1",
    "BAKE_MADE": "2026-01-31T12:00:00Z",
    "BAKE_IMAGES": "",
}
STEPS = {"docker.sh": "engine", "gpu.sh": "driver", "agent.sh": "agent"}


class Builder:
    """A machine whose scripts are stand-ins, and ami/bake.sh as it is."""

    def __init__(self, folder: Path) -> None:
        self.root, self.folder = folder / "root", folder / "bake"
        self.shims = Shims(folder / "shims")
        self.shims.add("docker")
        self.shims.add("systemctl")
        self.shims.add("modinfo", 'case "$2" in *-1002-aws) exit 1 ;; esac')
        (self.root / "lib/modules/6.8.0-999-aws").mkdir(parents=True)
        for name in ("userdata", "ami", "archives"):
            (self.folder / name).mkdir(parents=True)
        for name in (*STEPS, "packages.sh"):
            self.script(f"userdata/{name}", f'echo {name} "$@" >>"{self.folder}/done"')
        self.script("ami/tune.sh", f'echo tune >>"{self.folder}/done"')
        (self.folder / "ami/seed.sh").write_text((source("ami") / "seed.sh").read_text())
        (self.folder / "ami/facts.py").write_text("")
        self.archives()

    def script(self, name: str, body: str) -> None:
        (self.folder / name).write_text(f"#!/bin/sh\n{body}\n")

    def archives(self, broken: bool = False) -> None:
        this = f"cp3{sys.version_info[1]}-{platform.machine()}"
        lines = []
        for name, files in ((this, {"needed.py": b"one = 1\n"}), ("any", {"fleet.py": b"two = 2\n"}), ("cp399-x86_64", {})):
            data = archive(files)
            sha = hashlib.sha256(data).hexdigest()
            (self.folder / "archives" / f"{sha}.tar.gz").write_bytes(b"" if broken else data)
            lines.append(f"{name} agent/{name} {sha}\n")
        (self.folder / "archives/agent").write_text("".join(lines))

    def bake(self, **given: str) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{self.shims.path}"
        env = {"FLEET_ROOT": str(self.root), "PATH": path, **GIVEN, **given}
        words = ["sh", str(source("ami") / "bake.sh"), str(self.folder)]
        return subprocess.run(words, env=env, capture_output=True, text=True, check=False)

    def done(self) -> list[str]:
        file = self.folder / "done"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder(tmp_path)


def test_an_image_gets_docker_and_the_agents_packages_unpacked_and_compiled(builder: Builder) -> None:
    done = builder.bake()
    assert done.returncode == 0, done.stderr
    assert builder.done() == ["docker.sh", "agent.sh", "tune"]
    (kept,) = (builder.root / "opt/fleet/kept").iterdir()  # of another Python nothing; fleet's own come with each run
    assert (kept / "needed.py").exists()
    assert list((kept / "__pycache__").glob("needed.*.pyc"))
    assert not (builder.root / "opt/fleet/image/seed.sh").exists()


def test_the_variant_with_a_gpu_gets_its_driver_after_docker(builder: Builder) -> None:
    assert builder.bake(BAKE_VARIANT="gpu", BAKE_DRIVER="580-server").returncode == 0
    assert builder.done() == ["docker.sh", "gpu.sh 580-server", "agent.sh", "tune"]


def test_nothing_upgrades_itself_while_an_image_is_made(builder: Builder) -> None:
    builder.script("userdata/docker.sh", f"cp {builder.shims.log} {builder.folder}/before")
    assert builder.bake().returncode == 0
    units = "apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service"
    assert (builder.folder / "before").read_text().splitlines()[0] == f"systemctl mask --now {units}"


def test_an_image_whose_newest_kernel_has_no_driver_is_none(builder: Builder) -> None:
    (builder.root / "lib/modules/6.8.0-1002-aws").mkdir()
    done = builder.bake(BAKE_VARIANT="gpu", BAKE_DRIVER="580-server")
    assert done.returncode != 0
    assert "the newest kernel, 6.8.0-1002-aws, has no driver" in done.stderr
    assert builder.bake().returncode == 0  # nobody asks without a GPU


def test_docker_images_are_pulled_by_digest_and_known_by_their_tags(builder: Builder) -> None:
    done = builder.bake(BAKE_IMAGES=f"host:5000/a/one:v2@{DIGEST} two@{DIGEST}")
    assert done.returncode == 0, done.stderr
    assert builder.shims.calls("docker") == [
        f"pull --quiet host:5000/a/one@{DIGEST}",
        f"tag host:5000/a/one@{DIGEST} host:5000/a/one:v2",
        f"pull --quiet two@{DIGEST}",
    ]
    assert (builder.root / "opt/fleet/image/seed.sh").exists()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"BAKE_VARIANT": "gpu"}, "variant gpu"),
        ({"BAKE_DRIVER": "580-server"}, "variant cpu"),
        ({"BAKE_VARIANT": "tpu"}, "variant tpu"),
        ({"BAKE_ARCH": "vax"}, "not vax"),
        ({"BAKE_VERSION": ""}, "BAKE_VERSION"),
        ({"BAKE_IMAGES": "two:latest"}, "digest"),
    ],
)
def test_what_cannot_become_an_image_is_refused_before_anything_is_installed(
    builder: Builder, given: dict[str, str], reason: str
) -> None:
    done = builder.bake(**given)
    assert done.returncode != 0
    assert reason in done.stderr
    assert builder.done() == []


@pytest.mark.parametrize("name", ["userdata/docker.sh", "userdata/gpu.sh", "userdata/agent.sh", "ami/tune.sh"])
def test_a_step_that_fails_fails_the_bake(builder: Builder, name: str) -> None:
    builder.script(name, "exit 3")
    done = builder.bake(BAKE_VARIANT="gpu", BAKE_DRIVER="580-server")
    assert done.returncode == 3
    assert "bake: done" not in done.stdout


def test_an_archive_with_other_bytes_fails_the_bake(builder: Builder) -> None:
    builder.archives(broken=True)
    assert builder.bake().returncode != 0
    assert "agent.sh" not in builder.done()


def test_a_docker_image_that_cannot_be_pulled_fails_the_bake(builder: Builder) -> None:
    builder.shims.add("docker", "exit 1")
    assert builder.bake(BAKE_IMAGES=f"two@{DIGEST}").returncode != 0


def test_what_a_tag_is_stripped_of_leaves_the_registrys_port(tmp_path: Path) -> None:
    code = "import json, facts; print(json.dumps([facts.by_digest(name) for name in facts.pulled()]))"
    env = {**os.environ, "BAKE_IMAGES": f"host:5000/a/one:v2@{DIGEST} two@{DIGEST}"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=source("ami"), env=env, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [f"host:5000/a/one@{DIGEST}", f"two@{DIGEST}"]
