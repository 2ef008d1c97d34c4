"""The tutorial and the pictures, as they are written: page to shell, shell to outcome."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fleet.providers.local.provider import stop_everything

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
SAVED = "until fleet checkpoints list mine | grep -q /; do sleep 0.2; done\n"
"""A reader takes longer than a shell to go on."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for home in tmp_path.glob("**/local/instances"):
        stop_everything(home.parent)


def as_script(page: str) -> str:
    """What a reader does with the page: files are saved under the names that it gives, commands are typed."""
    parts = ["set -eu\n"]
    for kind, block in re.findall(r"^```(sh|python|yaml)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        if kind == "sh":
            parts.append(block.replace("fleet logs mine\n", f"{SAVED}fleet logs mine\n"))
        else:
            name = "train.py" if kind == "python" else "fleet.yaml"
            parts.append(f"cat > {name} <<'END OF FILE'\n{block}END OF FILE\n")
    return "".join(parts)


def test_the_tutorial_does_what_it_says(place: Path) -> None:
    script = as_script((ROOT / "docs" / "tutorial.md").read_text())
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "TMPDIR": str(place), "COLUMNS": "200"}
    done = subprocess.run(["sh"], input=script, cwd=place, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in (
        "chosen", "attempts 3, interruptions 2", "notice      the cloud takes", "taken by the cloud", "resumed     at step",
        "goes on (", "fleet.progress step=", "stopped: the user said stop", "lies in mine-checkpoint: 1 file(s), verified",
        "stopped: the user said down", "Every machine and volume belongs to a run.",
    ):  # fmt: skip
        assert words in done.stdout, words
    [result] = place.glob("tmp.*/bucket/models/mine/result.json")
    assert '"step": 200' in result.read_text()
    assert (place / "five-minutes" / "sample" / "fleet.yaml").exists()
    assert (place / "five-minutes" / "mine-checkpoint" / "state.json").exists()


def test_the_pictures_are_drawn_from_commands_that_run(place: Path) -> None:
    words = [sys.executable, str(ROOT / "scripts" / "pictures.py"), "--into", str(place / "drawn")]
    less = ["--only", "plan", "ps", "demo", "--iterations", "160"]  # the others are drawn in the same way
    done = subprocess.run(
        [*words, *less], env={**os.environ, "TMPDIR": str(place)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    drawn = sorted((place / "drawn").glob("*.svg"))
    assert {picture.stem for picture in drawn} == {"demo", "plan", "ps"}
    for picture in drawn:
        text = "".join(ElementTree.parse(picture).getroot().itertext())
        assert str(place) not in text, picture.name
