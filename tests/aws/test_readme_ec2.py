"""The README's chapter about EC2, command by command, in an account that moto plays."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from fleet.boot import wheelhouse
from fleet.store.opening import open_objects
from tests.aws.ground import AMI
from tests.aws.moto import Moto
from tests.unit.cli.test_readme import EC2, README

CHAPTER = README.split(EC2)[1].split("\n## ")[0]
ASKS = {"init", "up", "down", "destroy"}


def commands() -> list[list[str]]:
    found = re.findall(r"```sh\n(.*?)```", CHAPTER, re.DOTALL)
    return [shlex.split(line, comments=True)[1:] for block in found for line in block.splitlines() if line.strip()]


def test_the_chapters_commands_do_what_it_says(moto: Moto, tmp_path: Path) -> None:
    (job,) = re.findall(r"```yaml\n(.*?)```", CHAPTER, re.DOTALL)
    job = job.replace("secrets:", "keep_failed: 1m\nsecrets:").replace("  market:", f"  image_id: {AMI}\n  market:")
    (tmp_path / "ec2.yaml").write_text(job)
    (tmp_path / "requirements.txt").write_text("")
    (tmp_path / "train.py").write_text("")
    env = {**os.environ, "FLEET_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}

    def fleet(*words: str) -> subprocess.CompletedProcess[str]:
        more = ["--yes"] if words[0] in ASKS - {"down"} else []
        return subprocess.run(
            [sys.executable, "-m", "fleet.cli", *words, *more], env=env, cwd=tmp_path, capture_output=True, text=True
        )

    said: dict[str, str] = {}
    for words in commands():
        told = fleet(*words)
        said[" ".join(words)] = told.stdout + told.stderr
        if words[:2] == ["init", "aws"]:
            assert told.returncode == 0, told
            agent_is_there(tmp_path)
        elif words[0] != "doctor":  # moto cannot say everything that a doctor asks
            assert told.returncode == 0, (words, told)
    assert "made   bucket" in said["init aws --region us-east-1"]
    assert "permission" in said["doctor aws"]
    assert "us-east-1a" in said["prices g4dn.xlarge"]
    assert "chosen" in said["plan ec2.yaml"]
    assert "launched" in said["up ec2.yaml --detach"]
    assert "mine-on-ec2" in said["ps"]
    assert "aws/us-east-1" in said["status mine-on-ec2"]
    assert "belongs to a run" in said["gc"]
    assert "stopped" in said["down mine-on-ec2"]


def agent_is_there(folder: Path) -> None:
    """Its archives are tested elsewhere, and take a minute to make: here they are empty."""
    import json

    from fleet import __version__

    url = json.loads((folder / "home" / "aws.json").read_text())["bucket"]
    wheelhouse.ensure_wheels(
        open_objects(url), __version__, arches=("x86_64",), build=lambda arch: [(f"cp312-{arch}", b"nothing")]
    )
