"""The driver on a real engine: it starts, keeps, resumes and ends a stack of fakes, whatever happens to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deepracer import images
from tests.deepracer.machine import Machine
from tests.system import engine

pytestmark = pytest.mark.system
Make = Callable[..., Machine]


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> images.Fakes:
    return images.build(tmp_path_factory.mktemp("images"))


@pytest.fixture
def make(tmp_path: Path, fakes: images.Fakes, request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Machine] = []
    (tmp_path / "bin").mkdir()

    def new(fake: dict[str, str] | None = None, **options: object) -> Machine:
        run = f"drive-{abs(hash(request.node.name)) % 10**8:08d}"
        simapp = images.variant(fakes.simapp, **fake) if fake else fakes.simapp
        given = {"images": {"simapp": simapp, "s3": fakes.s3}, **options}
        made.append(Machine(tmp_path, run, engine.compose_env("v2", tmp_path / "bin"), **given))
        return made[-1]

    yield new
    for machine in made:
        machine.close()


def test_it_starts_keeps_each_set_and_hands_the_model_over(make: Make) -> None:
    machine = make(until={"iterations": 3})
    machine.start()
    assert machine.ended() == 0, machine.log
    assert machine.saved() == [1, 2, 3]
    assert machine.kept() == [2, 3]
    assert machine.left() == []
