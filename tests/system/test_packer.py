"""ami/ as Debian's Packer sees it: valid in every combination, in Packer's own form, and refused where it must be."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path

import pytest

from fleet.boot.baking import lay_template, source
from tests.system.engine import REMEDY

pytestmark = pytest.mark.system
COMBINATIONS = list(itertools.product(("ubuntu-24.04", "ubuntu-22.04"), ("cpu", "gpu"), ("x86_64", "aarch64")))


def packer(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["packer", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise AssertionError(f"there is no program packer: {REMEDY}") from None


def validate(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """By the Packer that is here. (What needs downloaded plugins is the newer one's.)"""
    found = re.search(r"v(\d+)\.(\d+)", packer("version").stdout)
    assert found is not None
    version = (int(found[1]), int(found[2]))
    assert version < (1, 7), "the packaged Packer is a newer one: check the folder itself, with `packer init`"
    (folder / "archives").mkdir(exist_ok=True)
    given = {
        "region": "us-east-1",
        "ssh_from": "203.0.113.7/32",
        "project": "some-project",
        "archives": str(folder / "archives"),
        **lay_template(folder / "template", version),
        **variables,
    }
    words = [word for name, value in given.items() for word in ("-var", f"{name}={value}")]
    return packer("validate", *words, str(folder / "template"))


@pytest.mark.parametrize(("base", "variant", "arch"), COMBINATIONS)
def test_every_combination_is_valid_for_both_clouds(tmp_path: Path, base: str, variant: str, arch: str) -> None:
    driver = "580-server" if variant == "gpu" else ""
    done = validate(tmp_path, base=base, variant=variant, arch=arch, driver=driver, images=f'["a:b@sha256:{"0" * 64}"]')
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"ssh_from": "0.0.0.0/0"}, "not opened to everybody"),
        ({"images": '["training:latest"]'}, "by their digests"),
        ({"variant": "tpu"}, "cpu or gpu"),
        ({"base": "windows"}, "ubuntu-24.04 or"),
        ({"arch": "amd64"}, "x86_64 or"),
        ({"archives": "/nowhere"}, "Bad source"),
    ],
)
def test_what_would_make_a_bad_image_is_refused_before_anything_is_launched(
    tmp_path: Path, variables: dict[str, str], reason: str
) -> None:
    done = validate(tmp_path, **variables)
    assert done.returncode != 0
    assert reason in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("folder", [".", "packer-1.6"])
def test_it_is_in_packers_own_form(folder: str) -> None:
    done = packer("fmt", "-check", "-diff", str(source("ami") / folder))
    assert (done.returncode, done.stdout) == (0, ""), done.stdout
