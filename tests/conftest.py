"""What all tests share: no machine is left behind, and in CI nothing is skipped."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.control.home import Home
from fleet.providers.local.provider import stop_everything


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A fleet's home of its own; its machines end with the test."""
    found = Home(tmp_path / f"fleet-{secrets.token_hex(4)}")
    found.path.mkdir()
    yield found
    stop_everything(found.local)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With FLEET_NO_SKIPS a skipped test is a failed session: CI must not pass for lack of a program."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if os.environ.get("FLEET_NO_SKIPS") and skipped and exitstatus == 0:
        session.exitstatus = 1
