"""What an `up` that was killed while it packed leaves in the system's temporary folder."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from fleet.control.runs import ABANDONED, PACKING, _clear_abandoned


def test_what_a_killed_up_packed_is_removed_by_a_later_one_and_nothing_younger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old, young, other = tmp_path / f"{PACKING}old", tmp_path / f"{PACKING}young", tmp_path / "theirs"
    for folder in (old, young, other):
        folder.mkdir()
        (folder / "packed.tar").write_bytes(b"half")
    for folder in (old, other):
        os.utime(folder, (time.time() - 2 * ABANDONED,) * 2)
    _clear_abandoned()
    assert (old.exists(), young.exists(), other.exists()) == (False, True, True)
