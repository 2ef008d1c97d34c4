"""An agent's world, and a user's shell, closed after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.providers.local.provider import stop_everything
from tests.agent.fakes import World
from tests.unit.cli.test_commands import Shell

Make = Callable[..., World]
NO_WRITES = "/sys/kernel" if Path("/sys/kernel").is_dir() else "/System"
"""A folder that nobody may write to, not even root."""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[World] = []

    def new(**job: object) -> World:
        made.append(World(tmp_path, job))
        return made[-1]

    yield new
    for one in made:
        one.close()


@pytest.fixture
def world(make: Make) -> World:
    return make()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    stop_everything(made.home.local)


@pytest.fixture(scope="module")
def a_run_that_ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    made = Shell(tmp_path_factory.mktemp("ended"))
    made.env |= {"HOME": str(made.folder), "XDG_CONFIG_HOME": ""}
    tools = made.folder / "bin"
    tools.mkdir()
    (tools / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {made.folder}/calls\n')
    (tools / "systemctl").chmod(0o755)
    made.env["PATH"] = f"{tools}:{made.env['PATH']}"
    made.run("up", made.job())
    yield made
    stop_everything(made.home.local)
