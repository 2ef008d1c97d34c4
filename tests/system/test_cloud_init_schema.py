"""What is rendered is what cloud-init itself takes for a cloud-config, as it comes: packed."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from fleet.boot.userdata import cloud_config, render
from fleet.model.cloud import BootTarget
from fleet.model.documents import BootDocument
from tests.unit.boot.test_userdata import GPU, STACK, TARGET, WHEELS, _boot

pytestmark = pytest.mark.system


@pytest.mark.parametrize(("boot", "target"), [(_boot(), TARGET), (STACK, GPU)], ids=["command", "stack on a GPU"])
def test_it_is_valid(tmp_path: Path, boot: BootDocument, target: BootTarget) -> None:
    file = tmp_path / "user-data.yaml"
    file.write_text(cloud_config(boot, target, WHEELS))
    done = subprocess.run(["cloud-init", "schema", "--config-file", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Valid" in done.stdout


def test_cloud_init_unpacks_it(tmp_path: Path) -> None:
    """By its own code, with the system's Python, which has it."""
    file = tmp_path / "user-data"
    file.write_bytes(base64.b64decode(render(STACK, GPU, WHEELS)))
    code = f"from cloudinit import util; print(util.decomp_gzip(open({str(file)!r}, 'rb').read()), end='')"
    done = subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == cloud_config(STACK, GPU, WHEELS)
