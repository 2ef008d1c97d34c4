"""SIGKILL of controller, agent and training, one by one and in turn: the model is what it would have been."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable

import psutil
import pytest

from tests.system.conftest import RacerShell

pytestmark = pytest.mark.system


ITERATIONS = 120


def kill_on_the_machine(shell: RacerShell, word: str) -> bool:
    """SIGKILL the process of the run's machine that has ``word`` in its command line; False if there is none yet."""
    instance = shell.runs()[-1]["instance"]
    for process in psutil.process_iter():
        try:
            mine = process.environ().get("FLEET_INSTANCE_ID") == instance and process.status() != psutil.STATUS_ZOMBIE
            if mine and word in " ".join(process.cmdline()) and "bash" not in process.name():
                process.kill()
                return True
        except (psutil.Error, OSError):
            continue
    return False


def reached(shell: RacerShell, step: int) -> bool:
    """Whether training came so far."""
    return shell.step() >= step


@pytest.mark.parametrize(
    "victims",
    [["controller"] * 3, ["agent"] * 2, ["training"] * 2, ["controller", "agent", "training"] * 2],
    ids=["controller", "agent", "training", "in turn"],
)
def test_whoever_is_killed_the_model_is_the_same(
    shell: RacerShell, uninterrupted: Callable[[int], str], victims: list[str]
) -> None:
    job = shell.racer(ITERATIONS)
    controller = shell.start("up", job)
    shell.until(lambda: shell.step() > 0)
    chance = random.Random("in turn")
    at = shell.step()
    for victim in victims:
        at += chance.randint(6, 14)
        shell.until(functools.partial(reached, shell, at), seconds=90)
        if victim == "controller":
            controller.kill()
            controller.communicate(timeout=20)
            controller = shell.start("controller", "run")
        else:
            word = {"agent": "fleet.agent", "training": "train.py"}[victim]
            shell.until(functools.partial(kill_on_the_machine, shell, word))
            shell.until(lambda: shell.runs()[-1]["state"] == "training", seconds=90)
    shell.until(lambda: shell.runs()[-1]["state"] == "succeeded", seconds=180)
    controller.kill()
    controller.communicate(timeout=20)
    assert shell.model() == uninterrupted(ITERATIONS)
    run = shell.runs()[-1]
    assert (run["attempt"], run["interruptions"]) == (1, 0)
    shell.run("controller", "run", "--once")
