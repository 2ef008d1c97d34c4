"""A prepared image, made as Packer makes one: a machine is launched, ami/ runs on it, and its disk becomes an image."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import tarfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fleet.boot.baking import lay_archives, source
from fleet.model.documents import WheelIndex
from fleet.store.objects import Objects
from tests.ec2.container import Machine, Network
from tests.ec2.root import alone, has_image, machine_image
from tests.ec2.told import Told
from tests.system.engine import asked

FOLDER = "/tmp/fleet-bake"
UNDOCKED = """FROM {base}
RUN apt-get purge -q -y docker.io containerd runc && rm -rf /var/lib/docker /var/lib/containerd /etc/docker
"""
"""What a stock image has: no docker. (Nothing is downloaded for it.)"""
WITH_DOCKERS_OWN = "FROM {base}\nADD docker.tar /var/lib/\nADD containerd.tar /var/lib/\n"
"""The machine's docker keeps its own on a volume of the host's docker, which no commit takes along."""
KEYS = (b"PRIVATE KEY-----", b"AKIA", b"ASIA")
LOOKS_SECRET = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s[A-Za-z0-9+/=\s]{100,}-----END|(?<![A-Z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Z0-9])"
)
"""Keys as they look: with a body, since programs that read keys hold their headers."""


def stock_image() -> str:
    """The machines' image without docker, as the publishers' images are."""
    base = machine_image()
    text = UNDOCKED.format(base=base)
    image = f"fleet-test-stock:{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    with alone():
        if not has_image(image):
            build(image, text)
    return image


def build(image: str, dockerfile: str, files: dict[str, bytes] | None = None) -> None:
    """An image of the host's engine."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, data in {"Dockerfile": dockerfile.encode(), **(files or {})}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    env = {**os.environ, "DOCKER_BUILDKIT": "0"}
    words = ("docker", "build", "--quiet", "--tag", image, "-")
    done = subprocess.run(words, input=context.getvalue(), env=env, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr.decode()


def builders_user_data() -> bytes:
    """What the template gives its builder."""
    text = (source("ami") / "fleet.pkr.hcl").read_text()
    found = re.search(r"<<-END\n(.*?)\n *END\n", text, re.DOTALL)
    assert found is not None
    return textwrap.dedent(found[1]).encode() + b"\n"


def looks_secret(content: bytes) -> bool:
    """Whether a key is in it; most files are done with by the quicker look."""
    return any(word in content for word in KEYS) and LOOKS_SECRET.search(content) is not None


@dataclass
class Builder:
    """The machine that becomes an image."""

    machine: Machine
    folder: Path
    steps: dict[str, str] = field(default_factory=dict)

    @classmethod
    def launched(cls, network: Network, folder: Path, public_key: str) -> Builder:
        """As the template launches one, once cloud-init is through."""
        told = Told("i-0b1d0e5", network.address(), user_data=builders_user_data(), public_key=public_key)
        made = cls(Machine(network, told), folder)
        made.machine.wait("test", "-e", "/run/cloud-init/result.json")
        return made

    def put(self, what: Path, where: str) -> None:
        """A folder, as Packer uploads it. (`docker cp` does not reach what is mounted there.)"""
        self.machine.run("mkdir", "-p", where)
        packed = subprocess.run(("tar", "-C", str(what), "-c", "."), capture_output=True, check=True).stdout
        words = ("docker", "exec", "--interactive", self.machine.name, "tar", "-x", "--no-same-owner", "-C", where)
        subprocess.run(words, input=packed, check=True, capture_output=True)

    def bake(self, objects: Objects, wheels: WheelIndex, images: list[str], **env: str) -> str:
        """What the template's provisioners do until the image's facts are fetched; what they said."""
        lay_archives(self.folder / "archives", wheels, objects.get, "x86_64")
        self.put(source("userdata"), f"{FOLDER}/userdata")
        self.put(source("ami"), f"{FOLDER}/ami")
        self.put(self.folder / "archives", f"{FOLDER}/archives")
        given = {
            "BAKE_RECIPE": "1",
            "BAKE_BASE": "debian-12",
            "BAKE_VARIANT": "cpu",
            "BAKE_DRIVER": "",
            "BAKE_ARCH": "x86_64",
            "BAKE_VERSION": "0.0.1",
            "BAKE_MADE": "2026-01-31T12:00:00Z",
            "BAKE_IMAGES": " ".join(images),
            **env,
        }
        words = [word for name, value in given.items() for word in ("--env", f"{name}={value}")]
        said = self._script(f"ami/bake.sh {FOLDER}", words)
        self.steps = dict(re.findall(r"^bake: (\w+) took (\d+) s$", said, re.MULTILINE))
        return said

    def clean(self) -> None:
        """And the last of them."""
        self._script("ami/clean.sh", [])

    def _script(self, script: str, env: list[str]) -> str:
        command = ("docker", "exec", *env, self.machine.name, "sh", "-c", f"sh {FOLDER}/{script} 2>&1")
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, f"{script}: {done.stdout}"
        return done.stdout

    def image(self, name: str) -> str:
        """It is shut down, and its disk becomes an image."""
        self.machine.terminate()
        committed = f"{name}-disk"
        asked("docker", "commit", self.machine.name, committed)
        dockers = {f"{what}.tar": self._packed(f"/var/lib/{what}") for what in ("docker", "containerd")}
        build(name, WITH_DOCKERS_OWN.format(base=committed), dockers)
        return name

    def _packed(self, path: str) -> bytes:
        words = ("docker", "cp", "--archive", f"{self.machine.name}:{path}", "-")
        return subprocess.run(words, capture_output=True, check=True).stdout


def files_of(image: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Everything on an image's disk."""
    name = f"{image.replace(':', '-')}-look"
    asked("docker", "create", "--name", name, image)
    try:
        asked("docker", "export", "--output", str(folder / "root.tar"), name, seconds=300)
    finally:
        asked("docker", "rm", "--volumes", name)
    with tarfile.open(folder / "root.tar") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            yield member.name, content.read() if content is not None else b""
    (folder / "root.tar").unlink()
