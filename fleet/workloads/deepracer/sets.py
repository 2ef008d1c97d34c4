"""Sets: the files that together are one checkpoint of a DeepRacer model. Pure.

A set is whole if its three files share one stem (``N_Step-Y.ckpt``) and none is empty. Newer is the larger N, never the
larger Y: a resume goes on counting N, and begins Y at 0 again (``308_Step-0.ckpt`` is real).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleet.workloads.deepracer.prefix import Stat

MODEL = "model/"
SUFFIXES = (".index", ".meta", ".data-00000-of-00001")
_STEM = re.compile(r"(0|[1-9][0-9]{0,17})_Step-(0|[1-9][0-9]{0,17})\.ckpt")
_FROZEN = re.compile(r"model/model_(0|[1-9][0-9]{0,17})\.pb")


@dataclass(frozen=True, slots=True)
class ModelSet:
    """Everything below ``model/`` that has one stem, whole or not."""

    n: int
    """Iterations of training before it."""
    y: int
    """Steps since the trainer was started: no measure of age."""
    files: Mapping[str, Stat]
    """By what follows the stem; also what is none of the three, such as a download's leftovers."""

    @property
    def stem(self) -> str:
        """``N_Step-Y.ckpt``, as pointers say it."""
        return f"{self.n}_Step-{self.y}.ckpt"

    @property
    def whole(self) -> bool:
        """All three are there, and none is empty."""
        return all(suffix in self.files and self.files[suffix].size > 0 for suffix in SUFFIXES)

    @property
    def names(self) -> tuple[str, ...]:
        """Its files, relative to the prefix, sorted."""
        return tuple(f"{MODEL}{self.stem}{suffix}" for suffix in sorted(self.files))

    @property
    def size(self) -> int:
        """Bytes, all files together."""
        return sum(stat.size for stat in self.files.values())

    @property
    def modified(self) -> float:
        """When the last of its files was written."""
        return max((stat.modified for stat in self.files.values()), default=0.0)

    @property
    def lacks(self) -> str:
        """In words, why it is not whole; empty if it is."""
        gone = [suffix for suffix in SUFFIXES if suffix not in self.files]
        empty = [suffix for suffix in SUFFIXES if suffix in self.files and self.files[suffix].size == 0]
        parts = [f"{' and '.join(gone)} missing"] if gone else []
        return ", ".join([*parts, f"{' and '.join(empty)} empty"] if empty else parts)


def parse_stem(text: str) -> tuple[int, int] | None:
    """N and Y of exactly ``N_Step-Y.ckpt``; None for anything else."""
    match = _STEM.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None


def frozen_graphs(listing: Mapping[str, Stat]) -> dict[int, str]:
    """The ``model_N.pb`` files: their names by N."""
    return {int(match[1]): name for name in listing if (match := _FROZEN.fullmatch(name))}


def sets_of(listing: Mapping[str, Stat]) -> tuple[ModelSet, ...]:
    """What there is below ``model/``, whole or not, oldest first.

    By N; where one N is there twice (a trainer was started again in the same prefix, and Y began anew), by time, then Y.
    """
    found: dict[tuple[int, int], dict[str, Stat]] = {}
    for name, stat in listing.items():
        rest = name[len(MODEL) :] if name.startswith(MODEL) else ""
        match = _STEM.match(rest)
        if match and "/" not in rest:
            found.setdefault((int(match[1]), int(match[2])), {})[rest[match.end() :]] = stat
    return tuple(sorted((ModelSet(n, y, files) for (n, y), files in found.items()), key=_age))


def _age(one: ModelSet) -> tuple[int, float, int]:
    return one.n, one.modified, one.y


def whole_sets(listing: Mapping[str, Stat]) -> tuple[ModelSet, ...]:
    """The sets that training can go on from, oldest first."""
    return tuple(one for one in sets_of(listing) if one.whole)


def newest_whole(listing: Mapping[str, Stat]) -> ModelSet | None:
    """What a resume should begin from. None: there is nothing to go on from."""
    found = whole_sets(listing)
    return found[-1] if found else None
