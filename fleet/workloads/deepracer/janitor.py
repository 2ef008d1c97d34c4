"""What may be cleaned away, and what never: decided here, done elsewhere. Pure.

Whole sets go as wholes, oldest first. What the pointer, ``last`` and ``best`` name stays, as do the newest, as many as a
resume could ask for: the newest one, or one further back once a loss is no number. While the trainer holds its lock, or a
pointer cannot be read, no set of that prefix is touched. Of partial sets only what an earlier cleaning left of an old one
goes: newer ones are for repair to judge.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from fleet.workloads.deepracer.prefix import Stat
from fleet.workloads.deepracer.sets import ModelSet, frozen_graphs, parse_stem, sets_of, whole_sets

Kind = Literal["container-log", "temporary", "frozen-graph", "trace", "set", "prefix", "image"]
ORDER: tuple[Kind, ...] = ("container-log", "temporary", "frozen-graph", "trace", "image", "set", "prefix")
"""The least missed first."""
LOCK = "model/.lock"
FRESH_LOCK = 120.0
"""Seconds: a lock that is younger is held."""
LARGE_LOG = 50_000_000
"""Bytes: docker's logs that are rotated stay below this."""
OLD_TEMPORARY = 86400.0
_TRACE = re.compile(r"(?:^|.*/)(?:training|evaluation)-simtrace/(\d+)-iteration\.csv(?:\.gz)?")
FROM = "-from"
"""Ends the name of the copy that a prefix was resumed from."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How much is kept."""

    sets: int = 4
    """Whole sets of a prefix, beside those that something names."""
    back: int = 2
    """So many sets back training goes on after a loss that is no number."""
    traces: int = 50
    """Iterations of a prefix whose simulator traces stay."""

    @property
    def newest(self) -> int:
        """Whole sets that stay for being the newest."""
        return max(self.sets, self.back + 1, 2)


@dataclass(frozen=True, slots=True)
class Seen:
    """One prefix, as it was looked at."""

    name: str
    """By which whoever cleans knows it."""
    listing: Mapping[str, Stat]
    now: float
    """By the clock of the listing."""
    named: frozenset[str] = frozenset()
    """Stems that pointers name."""
    unclear: str = ""
    """Why a pointer cannot be read; empty if all can."""


@dataclass(frozen=True, slots=True)
class Image:
    """A docker image of the DeepRacer stack."""

    id: str
    name: str
    """``repository:tag``."""
    size: int
    created: float
    used: bool
    """A container was made of it, running or not."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What docker and the launcher leave on a machine, outside of prefixes."""

    logs: Mapping[str, int] = field(default_factory=dict)
    """The log files of the stack's own containers → bytes."""
    temporary: Mapping[str, Stat] = field(default_factory=dict)
    """What lies in ``/tmp/sagemaker`` and is mounted by no container; the time is that of the newest file in it."""
    images: tuple[Image, ...] = ()
    wanted: frozenset[str] = frozenset()
    """Images that the job names."""
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class Action:
    """Something that may go, as a whole."""

    kind: Kind
    place: str
    """The prefix's name; empty for the machine."""
    names: tuple[str, ...]
    """Files within the prefix, paths on the machine, or an image's id."""
    size: int
    why: str
    """For people: what it is, and why nobody needs it."""


def kept_sets(seen: Seen, rules: Rules) -> dict[str, str]:
    """The stems of sets that stay → why."""
    found = sets_of(seen.listing)
    if seen.unclear or locked(seen):
        return dict.fromkeys((one.stem for one in found), seen.unclear or "the trainer holds its lock")
    whole = [one for one in found if one.whole]
    why = {one.stem: f"among the newest {rules.newest}" for one in whole[-rules.newest :]}
    why |= dict.fromkeys(seen.named, "a pointer names it")
    oldest = min((_age(one) for one in whole[-rules.newest :]), default=None)
    for one in found:
        if not one.whole and (oldest is None or _age(one) > oldest):
            why.setdefault(one.stem, "not whole: `fleet deepracer repair` judges it")
    return why


def locked(seen: Seen) -> bool:
    """Whether the trainer is just writing there, or deleting."""
    lock = seen.listing.get(LOCK)
    return lock is not None and seen.now - lock.modified < FRESH_LOCK


def _age(one: ModelSet) -> tuple[int, float, int]:
    return one.n, one.modified, one.y


def plan_prefix(seen: Seen, rules: Rules) -> list[Action]:
    """What of one prefix may go."""
    kept = kept_sets(seen, rules)
    found = sets_of(seen.listing)
    stays = {one.n for one in found if one.stem in kept} | {parsed[0] for stem in kept if (parsed := parse_stem(stem))}
    going = {one.n: one for one in found if one.stem not in kept}
    graphs = {n: name for n, name in frozen_graphs(seen.listing).items() if n in going and n not in stays}
    sets = [_set(seen, one, graphs.get(one.n) if going[one.n] is one else None) for one in found if one.stem not in kept]
    return [*_frozen_graphs(seen), *_traces(seen, rules), *sets]


def _set(seen: Seen, one: ModelSet, graph: str | None) -> Action:
    """A set, with its graph for the car: that is of no use without it."""
    more = (graph,) if graph is not None else ()
    told = f"set {one.stem}: newer ones are there, and nothing names it" if one.whole else f"what is left of set {one.stem}"
    return Action("set", seen.name, (*one.names, *more), one.size + sum(seen.listing[name].size for name in more), told)


def _frozen_graphs(seen: Seen) -> list[Action]:
    """Graphs whose set is gone; one that is newer than every set may be about to get it, and stays."""
    if seen.unclear or locked(seen):
        return []
    sets = {one.n for one in sets_of(seen.listing)}
    named = {found[0] for stem in seen.named if (found := parse_stem(stem)) is not None}
    newest = max(sets, default=-1)
    return [
        Action("frozen-graph", seen.name, (name,), seen.listing[name].size, f"graph of set {n}, which is gone")
        for n, name in sorted(frozen_graphs(seen.listing).items())
        if n < newest and n not in sets | named
    ]


def _traces(seen: Seen, rules: Rules) -> list[Action]:
    """Simulator traces but for the newest iterations of each folder: nothing but pictures is made of them."""
    folders: dict[str, list[tuple[int, str]]] = {}
    for name in seen.listing:
        found = _TRACE.fullmatch(name)
        if found is not None:
            folders.setdefault(name.rpartition("/")[0], []).append((int(found[1]), name))
    actions = []
    for folder, traces in sorted(folders.items()):
        old = sorted(traces)[: -rules.traces or None]
        if old:
            size = sum(seen.listing[name].size for _, name in old)
            why = f"traces of {len(old)} iterations before the newest {rules.traces} in {folder}"
            actions.append(Action("trace", seen.name, tuple(name for _, name in old), size, why))
    return actions


class Leg(Protocol):
    """What the run's course tells of a prefix (course.py)."""

    @property
    def prefix(self) -> str:
        """Its name."""
        ...

    @property
    def source(self) -> int | None:
        """The N of the set that it began from; None: from nothing."""
        ...

    def allows(self, n: int, /) -> bool:
        """Whether its set may be gone on from."""
        ...


def plan_old_prefixes(seen: Iterable[Seen], legs: Sequence[Leg], carried: Collection[str], rules: Rules) -> list[Action]:
    """Whole prefixes of a run that no resume can ask for: its earlier legs, once the later ones hold sets enough.

    ``legs``: the run's own, in order; another prefix is nobody's to delete. ``carried``: those whose metrics are kept
    elsewhere, so that the run still reads as one.
    """
    by_name = {one.name: one for one in seen}
    needed: set[str] = set()
    numbers: set[int] = set()
    bound: int | None = None
    for number, leg in enumerate(reversed(legs)):
        if len(numbers) >= rules.newest and number > 1:
            break
        for name in (leg.prefix, leg.prefix + FROM):
            needed.add(name)
            whole = whole_sets(by_name[name].listing) if name in by_name else ()
            numbers.update(one.n for one in whole if leg.allows(one.n) and (bound is None or one.n <= bound))
        begun = leg.source if leg.source is not None else -1
        bound = begun if bound is None else min(bound, begun)
    names = dict.fromkeys(name for leg in legs if leg.prefix in carried for name in (leg.prefix, leg.prefix + FROM))
    return [_prefix(by_name[name], name) for name in names if name in by_name and name not in needed]


def _prefix(seen: Seen, name: str) -> Action:
    size = sum(stat.size for stat in seen.listing.values())
    why = f"prefix {name}: later ones hold sets enough, and its metrics are kept in the run's history"
    return Action("prefix", name, tuple(seen.listing), size, why)


def plan_machine(machine: Machine) -> list[Action]:
    """What docker and the launcher left, and nobody reads."""
    actions = [
        Action("container-log", "", (path,), size, f"docker's own log {path}, which is not rotated; it is emptied")
        for path, size in sorted(machine.logs.items())
        if size > LARGE_LOG
    ]
    actions += [
        Action("temporary", "", (path,), stat.size, f"{path}: the launcher's leftovers, a day old and mounted nowhere")
        for path, stat in sorted(machine.temporary.items())
        if machine.now - stat.modified > OLD_TEMPORARY
    ]
    newest: dict[str, float] = {}
    for image in machine.images:
        repository = image.name.rpartition(":")[0]
        newest[repository] = max(newest.get(repository, image.created), image.created)
    for image in machine.images:
        latest = image.created >= newest[image.name.rpartition(":")[0]]
        if not (image.used or latest or {image.id, image.name} & machine.wanted):
            told = f"image {image.name}: no container uses it, and a newer one is there"
            names = (image.name if "<none>" not in image.name else image.id,)
            actions.append(Action("image", "", names, image.size, told))
    return actions


def in_order(actions: Iterable[Action]) -> list[Action]:
    """The least missed first; of a kind as they came."""
    return sorted(actions, key=lambda one: ORDER.index(one.kind))


def enough(actions: Iterable[Action], wanted: float) -> list[Action]:
    """Of the actions in their order as many as free so many bytes."""
    taken: list[Action] = []
    freed = 0
    for one in in_order(actions):
        if freed >= wanted:
            break
        if one.size > 0:
            taken.append(one)
            freed += one.size
    return taken
