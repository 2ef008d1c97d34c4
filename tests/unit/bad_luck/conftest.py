"""An agent's world, closed after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agent.fakes import World

Make = Callable[..., World]


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
