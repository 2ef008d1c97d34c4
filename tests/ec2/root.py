"""The root file system of the tests' machines: Debian with systemd, cloud-init, sshd and Docker, as a Docker image.

Made once with debootstrap (one to three minutes), then kept outside the checkout under a name that is the hash of its
recipe: in ``$FLEET_TEST_CACHE``, or ``~/.cache/fleet-tests``. What lies on top of it is in the folder ``image``.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.system.engine import REMEDY, asked

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    "apparmor",
    "ca-certificates",
    "cloud-init",
    "curl",
    "dbus",
    "docker.io",
    "e2fsprogs",
    "fdisk",
    "iproute2",
    "kmod",
    "openssh-server",
    "procps",
    "python3-cffi-backend",  # debootstrap resolves no virtual packages, and cloud-init's dependencies need one
    "sudo",
    "systemd",
    "systemd-sysv",
    "udev",
)
"""Beside what a minimal Debian has. Without locales: C.UTF-8 does, and they take long to make."""
NEEDLESS = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")
IMAGE = Path(__file__).parent / "image"


def recipe() -> str:
    """Names the root by what it is made of."""
    text = "\n".join((SUITE, *PACKAGES, *NEEDLESS))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def cache() -> Path:
    """Where roots are kept."""
    folder = Path(os.environ.get("FLEET_TEST_CACHE") or Path.home() / ".cache" / "fleet-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def machine_image() -> str:
    """The name of the image that machines start from; makes what is missing."""
    base = f"fleet-test-root:{recipe()}"
    parts = sorted(IMAGE.iterdir())
    digest = hashlib.sha256(b"\0".join(part.name.encode() + part.read_bytes() for part in parts))
    image = f"fleet-test-machine:{recipe()}-{digest.hexdigest()[:12]}"
    with alone():
        if not has_image(base):
            asked("docker", "import", str(archive()), base, seconds=300)
        if not has_image(image):
            env = {**os.environ, "DOCKER_BUILDKIT": "0"}
            asked("docker", "build", "--quiet", "--build-arg", f"BASE={base}", "--tag", image, str(IMAGE), env=env)
    return image


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One test session at a time makes a root; the others wait, and find it."""
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def has_image(name: str) -> bool:
    """Whether the engine has it."""
    return bool(asked("docker", "images", "--quiet", name).strip())


def archive() -> Path:
    """The root as a tar file."""
    made = cache() / f"root-{recipe()}.tar"
    if made.exists():
        return made
    with tempfile.TemporaryDirectory(dir=cache(), prefix="making-") as folder:
        root, unfinished = Path(folder) / "root", Path(folder) / "root.tar"
        words = ("--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root), MIRROR)
        with (cache() / "debootstrap.log").open("w") as log:
            code = subprocess.call(("debootstrap", *words), stdout=log, stderr=log)
        assert code == 0, f"debootstrap failed, see {log.name}\n{REMEDY}"
        for name in NEEDLESS:
            shutil.rmtree(root / name, ignore_errors=True)
        asked("tar", "--numeric-owner", "-C", str(root), "-cf", str(unfinished), ".", seconds=300)
        unfinished.replace(made)
    return made


if __name__ == "__main__":
    sys.stdout.write(f"{machine_image()}\n")
