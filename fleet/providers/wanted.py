"""What a set-up wants in a cloud, compared with what is there, field by field: pure, and the same for every cloud.

A thing that exists is not a thing that is right: a network may have been made and its rules not, a role without its policy.
So every thing is a few named fields, what was found is compared with what is wanted, and the outcome is a list of steps,
each with a sentence. Done again, it finds nothing to do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fleet.model.base import Micros

Action = Literal["make", "mend", "leave"]
SHORT = 60
"""Characters of a field's value that are shown; of longer ones only that they differ."""


@dataclass(frozen=True, slots=True)
class Thing:
    """Something wanted: its kind, where, its name, and what must be so."""

    kind: str
    region: str
    """Empty: of the whole account."""
    name: str
    why: str
    fields: Mapping[str, Any]
    monthly: Micros = 0


@dataclass(frozen=True, slots=True)
class Found:
    """Something that is there."""

    id: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, or to leave as it is."""

    action: Action
    kind: str
    region: str
    name: str
    told: str
    differs: tuple[str, ...]
    """The fields to set: all of what is made."""
    monthly: Micros = 0
    """What it costs by itself, micro-dollars per month."""


Place = tuple[str, str, str]
"""Kind, region and name."""


def nothing_to_do(steps: Sequence[Step]) -> bool:
    """Whether everything is as it should be."""
    return all(step.action == "leave" for step in steps)


def step_of(thing: Thing, found: Found | None) -> Step:
    """What is to be done about one thing: it is compared field by field."""
    if found is None:
        return Step("make", thing.kind, thing.region, thing.name, thing.why, tuple(thing.fields), thing.monthly)
    differs = tuple(name for name, value in thing.fields.items() if found.fields.get(name) != value)
    told = "; ".join(difference(name, found.fields.get(name), thing.fields[name]) for name in differs) or thing.why
    return Step("mend" if differs else "leave", thing.kind, thing.region, thing.name, told, differs, thing.monthly)


def difference(name: str, is_now: Any, should: Any) -> str:
    """``inbound: tcp 22 from 0.0.0.0/0 → none``; of long values only that they differ."""
    if name == "data":
        return f"{', '.join(_keys_that_differ(is_now, should))}: a new version"
    if not is_now:
        return f"{name}: is missing"
    old, new = _short(is_now), _short(should)
    return f"{name}: {old} → {new or 'none'}" if max(len(old), len(new)) <= SHORT else f"{name}: is another"


def _keys_that_differ(is_now: Any, should: Mapping[str, Any]) -> list[str]:
    found: Mapping[str, Any] = is_now if isinstance(is_now, Mapping) else {}
    return sorted(key for key in {*found, *should} if found.get(key) != should.get(key))


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
