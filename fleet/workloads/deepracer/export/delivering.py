"""Sends an export: nothing into a place that holds something else, what lies there already not again, the pointers last;
then reads all of it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fleet.model.errors import FleetError, NotFoundError, StoreError
from fleet.workloads.deepracer.export.contents import POINTERS
from fleet.workloads.deepracer.export.staging import Staged
from fleet.workloads.deepracer.export.target import Target
from fleet.workloads.deepracer.pointers import COACH, JSON, TEXT, parse_pointers, text_bytes

SHOWN = 5
"""Files that a message names."""
Progress = Callable[[str, int, int], None]
"""What is done (``sending``, ``reading back``), bytes that are done, and of how many."""


def deliver(staged: Sequence[Staged], target: Target, stem: str, progress: Progress, *, alone: bool = True) -> int:
    """Send what is not there; returns the bytes that were. ``alone``: the place is to hold nothing else (an archive may lie
    among others). Raises FleetError if it does, StoreError.
    """
    only = None if alone else [one.name for one in staged]
    there = target.sizes(only)
    known = {one.name for one in staged if one.name in there and there[one.name] == one.size and target.holds(one)}
    _refuse_others(staged, target, there, known)
    missing = [one for one in staged if one.name not in known]
    total, done = sum(one.size for one in missing), 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        progress("sending", done, total)

    for one in missing:
        target.send(one, tell)
    _read_back(staged, target, stem, progress, only)
    return total


def _refuse_others(staged: Sequence[Staged], target: Target, there: Mapping[str, int], known: set[str]) -> None:
    """An export that was broken off is gone on with; metrics that it had sent may have been written anew since."""
    names = {one.name for one in staged}
    strange = sorted(name for name in there if name not in names)
    other = [name for name in there if name in names and name not in known]
    if not strange and all(name.startswith("metrics/") for name in other) and not any(name in there for name in POINTERS):
        return
    found = [*(f"{name} (not of this export)" for name in strange), *(f"{name} (other bytes)" for name in other)]
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise FleetError(
            f"{target.where} holds something else: {', '.join(found[:SHOWN])}{more}",
            "Nothing was written. Name a new place; fleet replaces no model.",
        )


def _read_back(staged: Sequence[Staged], target: Target, stem: str, progress: Progress, only: Sequence[str] | None) -> None:
    """Every byte, and whether the pointers name the set. Raises StoreError."""
    total, done = sum(one.size for one in staged), 0
    sizes = target.sizes(only)
    for one in staged:
        progress("reading back", done, total)
        if sizes.get(one.name) != one.size or _digest(target, one.name) != one.sha256:
            raise _wrong(target, f"{one.name} is not what was sent")
        done += one.size
    progress("reading back", done, total)
    strange = sorted(set(sizes).difference(one.name for one in staged))
    if strange:
        raise _wrong(target, f"somebody else wrote there meanwhile: {', '.join(strange[:SHOWN])}")
    raw = {one.name: target.read(one.name) for one in staged if one.name in POINTERS}
    told = parse_pointers(raw)
    says = {COACH: (told.coach,), TEXT: (told.text,), JSON: (told.last, told.best)}
    wrong = [name for name in raw if any(named != stem for named in says[name])]
    if wrong or (TEXT in raw and raw[TEXT] != text_bytes(stem)):
        raise _wrong(target, f"{', '.join(wrong) or TEXT} does not name {stem}")


def _digest(target: Target, name: str) -> str:
    try:
        return target.digest(name)
    except NotFoundError:
        return ""


def _wrong(target: Target, why: str) -> StoreError:
    return StoreError(f"{target.where}: read back, {why}", "Export it again, to a new place.")
