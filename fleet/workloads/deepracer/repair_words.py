"""What a repair found and does, in sentences for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleet.workloads.deepracer.pointers import COACH, JSON, TEXT, Era, Pointers
from fleet.workloads.deepracer.sets import MODEL, SUFFIXES, ModelSet, parse_stem

DATA = SUFFIXES[-1]

if TYPE_CHECKING:
    from fleet.workloads.deepracer.repair import Repair


def told(
    plan: Repair,
    found: Sequence[ModelSet],
    aside: Sequence[ModelSet],
    pointers: Pointers,
    eras: Sequence[Era],
    *,
    back: int,
    went: int,
    done: bool,
    doomed: bool,
) -> tuple[str, ...]:
    """Findings first, then what is done about them."""
    return (
        *_sets(found),
        *_pointer(plan, found, pointers, eras),
        *_best(found, aside, pointers, eras),
        *_short(plan, found),
        *_way_back(plan, back, went, done=done, doomed=doomed),
        *_deeds(plan),
    )


def _sets(found: Sequence[ModelSet]) -> list[str]:
    whole = [one for one in found if one.whole]
    words = []
    if whole:
        newest = f"the newest is {whole[-1].stem}" if len(whole) > 1 else whole[0].stem
        words.append(f"{_count(len(whole), 'whole set')}: {newest}.")
    elif found:
        words.append("There is no whole set: nothing that training could go on from.")
    else:
        words.append("There is no set at all: nothing that training could go on from.")
    words += [f"{one.stem} is partial: {one.lacks}." for one in found if not one.whole]
    return words


def _pointer(plan: Repair, found: Sequence[ModelSet], pointers: Pointers, eras: Sequence[Era]) -> list[str]:
    words = list(pointers.problems)
    by_stem = {one.stem: one for one in found}
    whole = [one.stem for one in found if one.whole]
    for name, named, era in ((COACH, pointers.coach, "today"), (TEXT, pointers.text, "2019")):
        if era not in eras:
            if name in pointers.raw:
                words.append(f"{name} is left alone: it is of the other format.")
        elif name not in pointers.raw:
            words.append(f"There is no {name}.")
        elif named is not None and named not in by_stem:
            words.append(f"{name} names {named}, of which there is no file.")
        elif named is not None and not by_stem[named].whole:
            words.append(f"{name} names {named}, which is partial.")
        elif named is not None:
            words.append(f"{name} names {named}, {_behind(whole[whole.index(named) + 1 :])}.")
    if len(eras) > 1:
        words.append("Pointers of both formats are here, of today and of 2019: both are made to name the same set.")
    return words + _apart(plan)


def _behind(newer: Sequence[str]) -> str:
    if not newer:
        return "the newest whole set"
    return f"though {' and '.join(newer)} {'is' if len(newer) == 1 else 'are'} newer and whole"


def _apart(plan: Repair) -> list[str]:
    """A trainer's pointer is one iteration behind at most."""
    was, now = parse_stem(plan.was or ""), parse_stem(plan.committed or "")
    if was is None or now is None or now[0] - was[0] <= 1:
        return []
    return [f"{now[0] - was[0]} iterations lie between {plan.was} and {plan.committed}: do two trainings share this prefix?"]


def _short(plan: Repair, found: Sequence[ModelSet]) -> list[str]:
    """One model's data files are all of one size. A copy that was cut off is not seen otherwise: only empty ones are."""
    sizes = {one.stem: one.files[DATA].size for one in found if one.whole}
    own, most = sizes.get(plan.committed or "", 0), max(sizes.values(), default=0)
    if own == most:
        return []
    return [f"{plan.committed}{DATA} has {own} bytes, another set's {most}: was it cut off?"]


def _best(found: Sequence[ModelSet], aside: Sequence[ModelSet], pointers: Pointers, eras: Sequence[Era]) -> list[str]:
    stay = {one.stem for one in found if one.whole and one not in aside}
    if "today" not in eras or pointers.best is None or pointers.best in stay:
        return []
    return [f"{JSON} names {pointers.best} as the best, whose set is gone, partial or set aside."]


def _way_back(plan: Repair, back: int, went: int, *, done: bool, doomed: bool) -> list[str]:
    if doomed:
        return ["An earlier repair after a NaN was broken off: this one goes on with it."]
    if back == 0 or plan.committed is None:
        return []
    if done:
        return [f"An earlier repair went back to {plan.committed} after a NaN, and nothing was trained since."]
    if went < back:
        return [f"There are no {back} sets to go back by: {plan.committed} is the oldest whole one. Is it sound?"]
    return [f"After a NaN training goes on {_count(went, 'set')} before the newest, from {plan.committed}."]


def _deeds(plan: Repair) -> list[str]:
    if plan.idle:
        return ["Nothing to repair."]
    words = [f"Write {name}, to name {plan.committed}." for name in plan.written]
    if plan.set_aside:
        words.append(f"Set aside in {plan.aside}: {', '.join(_in_short(plan.set_aside))}.")
    if plan.removed:
        words.append(f"Remove {', '.join(plan.removed)}: a dead trainer's signals.")
    return words


def _in_short(names: Sequence[str]) -> list[str]:
    """A set by its stem, with its files if it is not one of three."""
    told: dict[str, list[str]] = {}
    for name in names:
        stem, found, suffix = name.removeprefix(MODEL).partition(".ckpt")
        told.setdefault(stem + found, []).append(suffix)
    return [stem if len(files) == len(SUFFIXES) else f"{stem}{', '.join(files)}" for stem, files in told.items()]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
