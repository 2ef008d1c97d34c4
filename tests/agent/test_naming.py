"""Which step a committed checkpoint holds: training saves first and says so afterwards, and its lines may be read late."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.agent.saver import SAVED_WITHIN
from tests.agent.fakes import Life, World


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    world = World(tmp_path)
    found = world.attempt(disk=world.disk())
    found.until("training")
    yield found
    world.close()


def save(life: Life, text: str) -> float:
    """Save as training does, without a word; when that was."""
    target = Path(life.training.env["FLEET_CHECKPOINTS"]) / "state.txt"
    now = life.world.clock()
    temporary = target.with_name("state.txt.tmp")
    temporary.write_text(text)
    os.utime(temporary, (now, now))
    temporary.replace(target)
    return now


def committed_steps(life: Life) -> list[int | None]:
    checkpoints = life.world.checkpoints
    refs = [life.agent.saver.newest] if life.agent.saver and life.agent.saver.newest else []
    return [checkpoints.manifest(manifest.ref).step for manifest in refs]


def test_a_set_that_is_found_before_its_name_waits_for_it(life: Life) -> None:
    life.training.say("fleet.progress step=9")
    life.live(0.05)
    at = save(life, "ten")
    life.live(SAVED_WITHIN / 2)  # looked at, and held
    assert committed_steps(life) == []
    life.training.say(f"fleet.saved step=10 at={at + 0.001}")
    life.live(2.5)
    assert committed_steps(life) == [10]


def test_a_line_that_is_read_late_does_not_name_the_next_set(life: Life) -> None:
    nine = save(life, "nine")
    life.live(0.05)
    ten = save(life, "ten")
    life.training.say(f"fleet.saved step=9 at={nine + 0.001}")  # read only now, after the set that holds ten
    life.live(0.2)
    life.training.say(f"fleet.saved step=10 at={ten + 0.001}")
    life.live(6)
    assert committed_steps(life) == [10]


def test_what_is_replaced_while_it_waits_for_its_name_is_committed_under_its_own(life: Life) -> None:
    life.training.say("fleet.progress step=9")
    at = save(life, "ten")
    life.live(0.1)
    life.training.say("fleet.progress step=10")
    save(life, "eleven")
    life.training.say(f"fleet.saved step=10 at={at + 0.001}")
    life.agent.tick()
    life.agent.tick()
    manifest = life.agent.saver.newest if life.agent.saver else None
    assert manifest is not None
    assert manifest.step == 10
    assert life.world.objects.get(manifest.files[0].key) == b"ten"


def test_a_training_that_names_nothing_is_waited_for_once(life: Life) -> None:
    life.training.say("fleet.progress step=5")
    life.live(0.1)
    save(life, "five")
    life.live(SAVED_WITHIN + 5)
    assert committed_steps(life) == [5]
    life.training.say("fleet.progress step=6")
    life.live(2.5)
    save(life, "six")
    life.live(3.5)  # the next look and its end, and no wait
    assert committed_steps(life) == [6]


def test_the_last_words_of_a_training_name_its_last_checkpoint(life: Life) -> None:
    life.training.say("fleet.progress step=41")
    at = save(life, "forty-two")
    life.live(0.1)  # held

    def goes() -> None:
        life.training.say(f"fleet.saved step=42 at={at + 0.001}")  # said, and not read before it is gone
        life.training.code = 0

    life.training.on_stop = goes
    life.machine.notice_until = life.world.clock() + 120
    life.until("released")
    assert committed_steps(life) == [42]
    assert not list((life.agent.disk.root / ".fleet").glob("staging/*"))
