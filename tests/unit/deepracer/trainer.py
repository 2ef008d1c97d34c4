"""A model of who writes a prefix and who reads it: the trainer's protocol, today's and that of 2019, and the loader's rules.

The trainer's life is a list of effects, so that it can be crashed between any two; what it meant to write is known, so that
what must be found afterwards is known too.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fleet.model.errors import AlreadyExistsError, NotFoundError
from fleet.workloads.deepracer.pointers import COACH, JSON, TEXT, Era
from fleet.workloads.deepracer.prefix import Stat
from fleet.workloads.deepracer.repair import SIGNALS
from fleet.workloads.deepracer.sets import SUFFIXES

Effect = tuple[str, str, bytes]
"""``put``, ``delete`` or ``rename``; a name; what is written, or the new name."""
Writing = Literal["at once", "empty first", "beside"]
"""How a file comes to be: a bucket's objects at once, files of a folder in steps, a download under another name."""


class Crash(Exception):  # noqa: N818 - it is no error, but what happens
    """The machine is gone."""


@dataclass
class Memory:
    """A prefix in memory, which may crash before any of its effects."""

    renames: bool = True
    """A folder renames in one; a bucket copies, then deletes."""
    files: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    clock: float = 0.0
    fuse: int | None = None
    """So many effects until it crashes."""

    @property
    def where(self) -> str:
        return "memory"

    def now(self) -> float:
        return self.clock

    def list(self) -> dict[str, Stat]:
        return {name: Stat(len(data), at) for name, (data, at) in sorted(self.files.items())}

    def read(self, name: str) -> bytes:
        if name not in self.files:
            raise NotFoundError(name)
        return self.files[name][0]

    def _effect(self) -> None:
        if self.fuse is not None:
            if self.fuse == 0:
                raise Crash
            self.fuse -= 1
        self.clock += 1

    def write(self, name: str, data: bytes) -> None:
        self._effect()
        self.files[name] = data, self.clock

    def move(self, name: str, to: str) -> None:
        data = self.read(name)
        if to in self.files:
            if self.files[to][0] != data:
                raise AlreadyExistsError(to)
        elif self.renames:
            self._effect()
            self.files[to] = self.files.pop(name)
            return
        else:
            self.write(to, data)
        self.remove(name)

    def remove(self, name: str) -> None:
        self._effect()
        self.files.pop(name, None)

    def fetch(self, name: str, path: Path) -> None:
        path.write_bytes(self.read(name))

    def send(self, name: str, path: Path) -> None:
        self.write(name, path.read_bytes())

    def carry(self, effect: Effect) -> None:
        """One of the trainer's."""
        kind, name, data = effect
        if kind == "put":
            self.write(name, data)
        elif kind == "delete":
            self.remove(name)
        else:
            self.files[data.decode()] = self.files.pop(name)

    @property
    def contents(self) -> dict[str, bytes]:
        return {name: data for name, (data, _) in sorted(self.files.items())}

    def copy(self, *, renames: bool | None = None) -> Memory:
        return Memory(self.renames if renames is None else renames, dict(self.files), self.clock)


def content(stem: str, suffix: str) -> bytes:
    """What the trainer writes there: known by its name."""
    return f"the weights of {stem}, {suffix}".encode()


def intact(files: dict[str, bytes], stem: str) -> bool:
    """All three are there as the trainer meant them."""
    return all(files.get(f"model/{stem}{suffix}") == content(stem, suffix) for suffix in SUFFIXES)


@dataclass
class Trainer:
    """Lives of a trainer, one after the other, in one prefix."""

    era: Era
    writing: Writing = "at once"
    shuffled: Callable[[Sequence[str]], Sequence[str]] = tuple
    keeps: int = 4
    made: list[str] = field(default_factory=list)
    """Stems, in the order in which their last file was begun."""

    def life(self, start: int, saves: int, steps: int = 100, *, best: int = 0, ends: bool = False) -> Iterator[Effect]:
        """From the set number ``start``; its first save is that set again, as ``N_Step-0``."""
        yield "put", "ip/ip.json", b'{"IP": "172.18.0.4"}'
        yield "put", "ip/done", b"done"
        for index in range(saves):
            yield from self._save(start + index, steps * index, best)
            if index == 0 and self.era == "today":
                yield "put", "model/.ready", b""
        if ends:
            yield "put", "model/.lock", b""
            yield "put", "model/.finished", b""
            yield "delete", "model/.lock", b""

    def _save(self, n: int, y: int, best: int) -> Iterator[Effect]:
        stem = f"{n}_Step-{y}.ckpt"
        yield "put", "model/.lock", b""
        for suffix in self.shuffled(SUFFIXES):
            yield from self._file(f"model/{stem}{suffix}", content(stem, suffix))
        self.made.append(stem)
        graph: Effect = ("put", f"model/model_{n}.pb", f"graph {n}".encode())
        unlock: Effect = ("delete", "model/.lock", b"")
        if self.era == "today":
            yield "put", COACH, stem.encode()
            yield graph
            yield from self._evaluated(best)
            yield from self._drop(n, best)
            yield unlock
        else:
            yield "put", TEXT, f'model_checkpoint_path: "{stem}"\nall_model_checkpoint_paths: "{stem}"\n'.encode()
            yield unlock
            yield graph
            yield from self._drop(n, -1)

    def _file(self, name: str, data: bytes) -> Iterator[Effect]:
        if self.writing == "beside":
            yield "put", f"{name}.8aF3", data[:5]
            yield "put", f"{name}.8aF3", data
            yield "rename", f"{name}.8aF3", name.encode()
            return
        if self.writing == "empty first":
            yield "put", name, b""
        yield "put", name, data

    def _evaluated(self, best: int) -> Iterator[Effect]:
        """The simulator's word: the last evaluated set is one behind."""
        if len(self.made) > 1:
            good = next((stem for stem in self.made if stem.startswith(f"{best}_")), self.made[-2])
            told = {"best_checkpoint": good, "last_checkpoint": self.made[-2]}
            entries: dict[str, Any] = {
                key: {"name": stem, "avg_eval_metric": 1.5, "time_stamp": 2} for key, stem in told.items()
            }
            yield "put", JSON, json.dumps(entries).encode()

    def _drop(self, n: int, best: int) -> Iterator[Effect]:
        for stem in [one for one in dict.fromkeys(self.made) if int(one.split("_")[0]) <= n - self.keeps]:
            number = int(stem.split("_")[0])
            if number != best:
                for suffix in self.shuffled(SUFFIXES):
                    yield "delete", f"model/{stem}{suffix}", b""
                if self.era == "today":
                    yield "delete", f"model/model_{number}.pb", b""

    def whole(self, files: dict[str, bytes]) -> list[str]:
        """What is there and as it was meant, oldest first."""
        last_first = dict.fromkeys(reversed(self.made))
        return [stem for stem in reversed(list(last_first)) if intact(files, stem)]


def load(files: dict[str, bytes], era: Era) -> str | None:
    """What the next trainer would begin from, by the loader's rules. ``waits`` before a lock, for ever."""
    if any(name.startswith("model/.lock") for name in files):
        return "waits"
    named = None
    if era == "today" and COACH in files:
        match = re.match(r"([0-9]+)[^0-9].*?\.ckpt", files[COACH].decode(errors="replace"))
        named = match and match[0]
    if era == "2019" and TEXT in files:
        quoted = re.findall(r'"(.*?)"', files[TEXT].decode(errors="replace").splitlines()[0])
        named = quoted[0] if quoted else None
    if named and any(name.startswith(f"model/{named}") for name in files):
        return named
    return highest(files)


def highest(files: dict[str, bytes]) -> str | None:
    """The largest N that any file says, whole or not."""
    stems = [match for name in files if (match := re.match(r"model/(([0-9]+)_Step-[0-9]+\.ckpt)", name))]
    return max(stems, key=lambda match: int(match[2]))[1] if stems else None


def kept(files: dict[str, bytes]) -> Counter[tuple[str, bytes]]:
    """Everything that no repair may lose: what is neither a signal nor a pointer nor a repair's own note."""
    own = (*SIGNALS, COACH, TEXT, JSON)
    left = ((name, data) for name, data in files.items() if name not in own and not name.endswith("/repair.json"))
    return Counter((name.rpartition("/")[2], data) for name, data in left)
