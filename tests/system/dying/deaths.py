"""Real processes that kill themselves with SIGKILL at a numbered change of a file, or their training.

On ``local`` every effect is one: calls of the cloud, entries of the journal and objects of the bucket are files. A plan lies
in the folder that ``TEST_DEATHS`` names; each role counts there, over all its processes, and notes there who died where.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Role = Literal["controller", "agent"]
Victim = Literal["controller", "agent", "training"]
How = Literal["before", "after", "middle"]
FOLDER = "TEST_DEATHS"
KEPT: list[object] = []
"""What must not be collected before the process ends."""


@dataclass(frozen=True)
class Death:
    """Somebody's end. What counts is whoever makes the effect; ``training`` dies of its agent's."""

    victim: Victim
    number: int
    how: How

    @property
    def role(self) -> Role:
        """Whose effects are counted."""
        return "controller" if self.victim == "controller" else "agent"


def write_plan(folder: Path, deaths: list[Death]) -> None:
    """What is to happen to the processes that have the folder in their environment."""
    folder.mkdir()
    (folder / "plan.json").write_text(json.dumps([asdict(death) for death in deaths]))
    roles: tuple[Role, ...] = ("controller", "agent")
    for role in roles:
        (folder / role).write_bytes(bytes(8))
    (folder / "told").touch()


def told(folder: Path) -> list[str]:
    """Who died where, in order."""
    return (folder / "told").read_text().splitlines()


def count(folder: Path, role: Role) -> int:
    """How many effects those who play a role have had."""
    return int.from_bytes((folder / role).read_bytes(), "little")


class Dying:
    """Counts this process's changes of files, and ends it at one of them."""

    def __init__(self, folder: Path, role: Role) -> None:
        plan = [Death(**one) for one in json.loads((folder / "plan.json").read_text())]
        self.folder = Path("/")
        self._told_fd = os.open(folder / "told", os.O_WRONLY | os.O_APPEND)
        self._count_fd = os.open(folder / role, os.O_RDWR)
        over = len([line for line in told(folder) if line.startswith(role)])
        self._deaths = [death for death in plan if death.role == role][over:]
        self._role = role
        self._write = os.write
        self._count = count(folder, role)
        self._lock = threading.RLock()

    def around_file(self, what: str, do: Callable[[], Any], middle: Callable[[], Any] | None = None) -> Any:
        """One change."""
        with self._lock:
            self._count += 1
            os.pwrite(self._count_fd, self._count.to_bytes(8, "little"), 0)
            death = self._deaths[0] if self._deaths and self._count >= self._deaths[0].number else None
            if death is None:
                pass
            elif death.victim == "training":
                self._kill_training(death, what)
            else:  # with the lock held: no other thread changes anything between this effect and the end
                self._die(death, what, do, middle)
        return do()

    def _die(self, death: Death, what: str, do: Callable[[], Any], middle: Callable[[], Any] | None) -> None:
        if death.how == "after":
            self._deaths = []  # what is done may be told of as effects of its own
            do()
        elif death.how == "middle" and middle is not None:
            middle()
        self._tell(death, what)
        os.kill(os.getpid(), signal.SIGKILL)

    def _kill_training(self, death: Death, what: str) -> None:
        import psutil

        for child in psutil.Process().children(recursive=True):
            if "train.py" in " ".join(child.cmdline()):
                self._deaths = self._deaths[1:]
                self._tell(death, what)
                os.killpg(os.getpgid(child.pid), signal.SIGKILL)
                return

    def _tell(self, death: Death, what: str) -> None:
        line = f"{self._role}: {death.victim} dies {death.how} effect {self._count}, {what}\n"
        self._write(self._told_fd, line.encode())


def join() -> None:
    """Take part, if this process plays a role and a plan is there."""
    folder, words = os.environ.get(FOLDER), sys.orig_argv
    role: Role | None = None
    if "fleet.agent" in words:
        role = "agent"
    elif "fleet.cli" in words and {"up", "controller"} & set(words):
        role = "controller"
    if folder is None or role is None:
        return
    from tests.simulation.chaos.filework import numbered

    dying = Dying(Path(folder), role)
    holding = numbered(dying)
    KEPT.extend((dying, holding))
    holding.__enter__()
