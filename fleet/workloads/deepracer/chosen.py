"""Choosing one set of a model: the best, the last, or the one of a number. Never silently another than was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.mirror import usable
from fleet.workloads.deepracer.pointers import Pointers, committed, read_pointers
from fleet.workloads.deepracer.prefix import Prefix, Stat
from fleet.workloads.deepracer.records import PrefixShelf, read_part
from fleet.workloads.deepracer.sets import ModelSet, frozen_graphs, sets_of
from fleet.workloads.deepracer.whole_run import Judged, Part, whole_run

Wanted = Literal["best", "last"] | int
"""``best``, ``last``, or the N of ``N_Step-Y.ckpt``."""
MOST = 10**18
"""No trainer counts so far."""
SHOWN = 8
"""Runs of numbers that a message names: the newest."""


class NoSetError(FleetError):
    """A model has no whole set, or none yet."""


@dataclass(frozen=True, slots=True)
class Best:
    """Which set evaluations call the best."""

    n: int
    words: str
    """Why, as the rest of a sentence: ``the evaluations' best (83.2 % of a lap, …)``."""


@runtime_checkable
class KnowsBest(Protocol):
    """A prefix that is told which its best set is from elsewhere: a run's, by the metrics of all its machines."""

    def best(self) -> Best | None:
        """None: nothing was evaluated yet."""
        ...


@dataclass(frozen=True)
class Chosen:
    """A whole set of a model, and what lies around it."""

    prefix: Prefix
    set: ModelSet
    graph: str | None
    """Its frozen graph ``model/model_N.pb``, if there is one."""
    listing: Mapping[str, Stat]
    """Of the whole prefix, as it was when the set was chosen."""
    pointers: Pointers
    words: str
    """Why this one, in a sentence for people."""


def parse_wanted(text: str) -> Wanted:
    """``best``, ``last`` or a number. Raises FleetError."""
    if text == "best":
        return "best"
    if text == "last":
        return "last"
    if text.isascii() and text.isdecimal() and int(text) < MOST:
        return int(text)
    raise FleetError(f"{text!r} names no set of a model", "Say best, last, or the number N of N_Step-Y.ckpt.")


def choose(prefix: Prefix, wanted: Wanted) -> Chosen:
    """The set that is wanted. Raises FleetError, with what there is, if it is not there or not whole; StoreError.

    ``last`` is the committed set: what a live trainer is still writing is left alone. ``best`` is what the trainer says is
    best; where it says nothing, what its evaluations say. Where the best is not kept any more, that is an error.
    """
    listing = prefix.list()
    pointers = read_pointers(prefix, listing)
    there = usable(listing, pointers)
    if not there:
        raise NoSetError(f"{prefix.where} holds no whole set of a model{_partial(listing)}", _mend(prefix, listing))
    if wanted == "best":
        best = _best(prefix, listing, pointers, there)
        found = _of_number(prefix, listing, there, best.n, best.words)
        words = f"Set {found.n} ({found.stem}) is {best.words}."
    elif wanted == "last":
        found, words = _last(listing, pointers, there)
    else:
        found = _of_number(prefix, listing, there, wanted, "asked for")
        words = f"Set {found.n} ({found.stem}) was asked for{_twice(listing, found)}."
    return Chosen(prefix, found, frozen_graphs(listing).get(found.n), listing, pointers, words)


def numbers(found: Iterable[int]) -> str:
    """Numbers for people: ``1, 4 to 7, 12``; the newest, if there are many."""
    runs: list[list[int]] = []
    for n in sorted(set(found)):
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    told = [str(a) if a == b else f"{a}, {b}" if b == a + 1 else f"{a} to {b}" for a, b in runs[-SHOWN:]]
    return ("…, " if len(runs) > SHOWN else "") + ", ".join(told)


def _last(listing: Mapping[str, Stat], pointers: Pointers, there: Mapping[int, ModelSet]) -> tuple[ModelSet, str]:
    newest = there[max(there)]
    pointed = committed(listing, pointers)
    if pointed is None or pointed.n not in there:
        return newest, f"Set {newest.n} ({newest.stem}) is the newest whole one; no pointer names a set that is there."
    if newest.n > pointed.n:
        more = f" set {newest.n} is newer, but no pointer names it: `fleet deepracer repair` does, once the trainer is dead"
        return pointed, f"Set {pointed.n} ({pointed.stem}) is the last that was committed;{more}."
    return pointed, f"Set {pointed.n} ({pointed.stem}) is the last."


def _best(prefix: Prefix, listing: Mapping[str, Stat], pointers: Pointers, there: Mapping[int, ModelSet]) -> Best:
    """Raises FleetError if nobody knows."""
    if isinstance(prefix, KnowsBest):
        found = prefix.best()
    else:
        found = _said(pointers) or _judged(prefix, listing, there) or _named(pointers)
    if found is None and len(there) == 1:
        return Best(next(iter(there)), "the only one")
    if found is None:
        raise FleetError(
            f"{prefix.where}: no evaluation is known, so that nobody can tell which set is the best",
            f"Take the last, or one by its number: there {_are(there)}.",
        )
    return found


def _said(pointers: Pointers) -> Best | None:
    """The trainer's own word, where there is an evaluation behind it: a repair names a best one without."""
    entry = pointers.document.get("best_checkpoint") if pointers.best is not None else None
    metric = next((entry[key] for key in _METRICS if entry.get(key) is not None), None) if entry else None
    if pointers.best is None or metric is None:
        return None
    return Best(_n(pointers.best), f"the trainer's best ({_number(metric)} in its evaluation)")


_METRICS = ("avg_eval_metric", "avg_comp_pct")
"""What the mean of a set's evaluation is called in deepracer_checkpoints.json: since 2020, and before."""


def _named(pointers: Pointers) -> Best | None:
    if pointers.best is None:
        return None
    return Best(_n(pointers.best), "named as the best, though no evaluation of it is told")


def _n(stem: str) -> int:
    return int(stem.partition("_")[0])


def _judged(prefix: Prefix, listing: Mapping[str, Stat], there: Mapping[int, ModelSet]) -> Best | None:
    """By the metrics beside it, where their iterations can be told from the sets' numbers: they began together, at 0.

    Metrics count from where the trainer was started; a model that began from another has other numbers.
    """
    names = [name for name in listing if name.startswith("metrics/")]
    episodes, best_by = read_part(PrefixShelf(prefix), "", names, [])
    iterations = {one.iteration for one in episodes if one.phase == "training"}
    if max(there) not in (len(iterations), len(iterations) - 1):
        return None
    found = whole_run([Part("", episodes=episodes)], best_by or "progress").best
    return Best(found.n, by_evaluation(found)) if found is not None else None


def by_evaluation(one: Judged) -> str:
    """In words, for ``Best``."""
    result = one.result
    told = f"{result.progress:.1f} % of a lap, reward {result.reward:.2f} over {result.trials}"
    return f"the best by its evaluation ({told} {'trial' if result.trials == 1 else 'trials'})"


def _of_number(prefix: Prefix, listing: Mapping[str, Stat], there: Mapping[int, ModelSet], n: int, words: str) -> ModelSet:
    """Exactly that one: a prefix of names would take 10 for 1. Raises FleetError."""
    if n in there:
        return there[n]
    lacking = next((one.lacks for one in reversed(sets_of(listing)) if one.n == n and not one.whole), "")
    if lacking:
        why = f"it is not whole: {lacking}"
    elif any(one.n == n for one in sets_of(listing)):
        why = "a repair after a NaN gave it up"
    else:
        why = "it is not there, or not any more" if n <= max(there) else "it is not there yet"
    if words != "asked for":
        why = f"it is {words}, and {why.removeprefix('it is ')}"
    raise FleetError(f"{prefix.where}: set {n} cannot be taken: {why}", f"There {_are(there)}.")


def _are(there: Mapping[int, ModelSet]) -> str:
    return f"{'is set' if len(there) == 1 else 'are sets'} {numbers(there)}"


def _twice(listing: Mapping[str, Stat], found: ModelSet) -> str:
    """A trainer that was started again in the same prefix counts Y from 0 again."""
    others = [one.stem for one in sets_of(listing) if one.n == found.n and one.stem != found.stem and one.whole]
    return f"; of that number there is also the older {' and '.join(others)}" if others else ""


def _partial(listing: Mapping[str, Stat]) -> str:
    found = [one for one in sets_of(listing) if not one.whole]
    return f": of {found[-1].stem} {found[-1].lacks}" if found else ""


def _mend(prefix: Prefix, listing: Mapping[str, Stat]) -> str:
    if any(name.startswith("model/") for name in listing):
        return f"Look at it: fleet deepracer repair {prefix.where}"
    return "Has its training come to a first checkpoint? A model's folder or prefix holds model/."


def _number(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
