"""Bad luck as the Python face tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

import fleet
from fleet.control.home import Home
from fleet.providers.local.provider import stop_everything


def test_a_script_that_is_not_packed_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work").mkdir()
    try:
        with pytest.warns(UserWarning, match=r"starts nowhere\.py, which is not in the packed workdir"):
            fleet.up({"name": "a", "workdir": "work", "run": "python nowhere.py"}, wait=False)
        fleet.down("a")
    finally:
        stop_everything(Home(tmp_path / "home").local)
