"""Lines of the ledger put together: by run, day, type, zone, kind or attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from fleet.core.ledger.line import SMALL, Known, Line
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span, date_text, day_of, next_day

By = Literal["run", "day", "type", "zone", "kind", "attempt"]
_SURE: Mapping[Known, int] = {"measured": 0, "listed": 1, "estimated": 2}


@dataclass(frozen=True, slots=True)
class Group:
    """Some lines put together."""

    key: str
    instances: Micros
    volumes: Micros
    small: Micros
    """Root disks, addresses, storage, requests: what ``fleet status`` does not count."""
    on_demand: Micros
    """What all of it would have cost with every machine on demand."""
    seconds: Seconds
    """Of machines."""
    known: Known
    """As sure as the least sure of its lines."""

    @property
    def amount(self) -> Micros:
        """Everything together."""
        return self.instances + self.volumes + self.small


def total(lines: Iterable[Line], key: str = "total") -> Group:
    """All lines as one group."""
    instances = volumes = small = on_demand = least = 0
    seconds = 0.0
    for line in lines:
        on_demand += line.on_demand
        least = max(least, _SURE[line.known])
        if line.kind == "instance":
            instances, seconds = instances + line.amount, seconds + line.quantity
        elif line.kind in SMALL:
            small += line.amount
        else:
            volumes += line.amount
    known = next(word for word, rank in _SURE.items() if rank == least)
    return Group(key, instances, volumes, small, on_demand, seconds, known)


def group(lines: Iterable[Line], by: By, zone: str = "UTC") -> list[Group]:
    """Lines by what they have in common, in the order in which each first begins. Lines by day must not go across a
    midnight (see ``ledger``'s cuts)."""
    key = _key(by, zone)
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(key(line), []).append(line)
    first = {name: min(line.start for line in some) for name, some in found.items()}
    return [total(found[name], name) for name in sorted(found, key=lambda name: (first[name], name))]


def midnights(span: Span, zone: str) -> list[Seconds]:
    """Where the days within a span meet, ascending: as ``ledger`` takes its cuts."""
    found: list[Seconds] = []
    day = day_of(span.start, zone)
    while day.end < span.end:
        found.append(day.end)
        day = next_day(day, zone)
    return found


def _key(by: By, zone: str) -> Callable[[Line], str]:
    keys: dict[By, Callable[[Line], str]] = {
        "run": lambda line: line.run or line.name,
        "day": lambda line: date_text(line.start, zone),
        "type": lambda line: line.instance_type or line.kind,
        "zone": lambda line: "/".join(filter(None, (line.provider, line.zone or line.region))),
        "kind": lambda line: line.kind,
        "attempt": _attempt,
    }
    return keys[by]


def _attempt(line: Line) -> str:
    whose = line.run or line.name
    return f"{whose} #{line.attempt}" if line.attempt is not None else f"{whose} {line.kind}"
