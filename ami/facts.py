#!/usr/bin/env python3
"""Write down what the image is made of: /etc/fleet-image.json. With the standard library of the image's own Python."""

import json
import os
import platform
import re
import subprocess
from pathlib import Path

ROOT = Path(os.environ.get("FLEET_ROOT") or "/")
TARGET = ROOT / "etc" / "fleet-image.json"
ASKED = {
    "docker": ("docker", "version", "--format", "{{.Server.Version}}"),
    "compose": ("docker", "compose", "version", "--short"),
    "containerd": ("containerd", "--version"),
    "cloud_init": ("cloud-init", "--version"),
    "systemd": ("systemctl", "--version"),
}
ASKED_WITH_GPU = {
    "driver": ("modinfo", "-F", "version", "nvidia"),
    "toolkit": ("nvidia-ctk", "--version"),
}
VERSION = re.compile(r"v?(\d+[\w.:~+-]*)")


def said(*words: str) -> str:
    """What a program says; one that cannot answer fails the bake."""
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    return done.stdout.strip()


def version(*words: str) -> str:
    """The first thing that looks like a version in what a program says."""
    found = VERSION.search(said(*words))
    if found is None:
        raise SystemExit(f"facts: {' '.join(words)} tells no version")
    return found[1]


def source() -> str:
    """The image that the builder booted from, as cloud-init was told of it."""
    words = ("cloud-init", "query", "ds.meta_data.ami_id")
    told = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
    return told.stdout.strip() if told.returncode == 0 else os.environ.get("BAKE_SOURCE", "")


def release() -> str:
    """The distribution, for people."""
    lines = (ROOT / "etc/os-release").read_text().splitlines()
    return next(line.partition("=")[2].strip('"') for line in lines if line.startswith("PRETTY_NAME="))


def packages() -> dict[str, str]:
    """What the agent imports, by the names that its archive keeps."""
    found = {}
    for folder in sorted((ROOT / "opt/fleet/agent").glob("*.dist-info")):
        name, _, number = folder.name.removesuffix(".dist-info").rpartition("-")
        found[name] = number
    return found


def archives() -> dict[str, str]:
    """Hashes of what the agent was put together from."""
    lines = (ROOT / "opt/fleet/agent/.made-from").read_text().splitlines()
    return {name: sha for name, _, sha in (line.split() for line in lines)}


def images() -> dict[str, str]:
    """What was pulled ahead, and what docker calls it here."""
    return {name: said("docker", "image", "inspect", "--format", "{{.Id}}", by_digest(name)) for name in pulled()}


def pulled() -> list[str]:
    """As they were named."""
    return os.environ.get("BAKE_IMAGES", "").split()


def by_digest(name: str) -> str:
    """Without the tag: name:tag@digest → name@digest."""
    named, _, digest = name.partition("@")
    folder, slash, last = named.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}@{digest}"


def facts() -> dict[str, object]:
    """Everything, by name."""
    env = os.environ
    asked = {**ASKED, **(ASKED_WITH_GPU if env["BAKE_VARIANT"] == "gpu" else {})}
    return {
        "recipe": env["BAKE_RECIPE"],
        "base": env["BAKE_BASE"],
        "variant": env["BAKE_VARIANT"],
        "driver_branch": env.get("BAKE_DRIVER", ""),
        "arch": env["BAKE_ARCH"],
        "version": env["BAKE_VERSION"],
        "made": env["BAKE_MADE"],
        "source": source(),
        "system": release(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {name: version(*words) for name, words in asked.items()},
        "packages": packages(),
        "archives": archives(),
        "images": images(),
    }


if __name__ == "__main__":
    TARGET.write_text(json.dumps(facts(), indent=2, sort_keys=True) + "\n")
