"""On a resume: the model here against the one that is gone on from.

Weights fit one number of outputs, one network and one kind of input. Everything else may change, and is shown as a diff.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from fleet.model.errors import FleetError, NotFoundError
from fleet.workloads.deepracer.checking import metadata as meta
from fleet.workloads.deepracer.checking.metadata import Metadata
from fleet.workloads.deepracer.checking.reading import Document, parse
from fleet.workloads.deepracer.findings import Finding
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD

PLACES = {
    METADATA: ("model/model_metadata.json", "model_metadata.json"),
    HYPERPARAMETERS: ("ip/hyperparameters.json", "hyperparameters.json"),
    REWARD: ("reward_function.py", "reward.py"),
}
"""Where each file may lie in a model's prefix; the first that is there counts."""
TRAINING = "training_params.yaml"
_WORLD = re.compile(r"^\s*WORLD_NAME\s*:\s*[\"']?([^\"'\s#]+)", re.MULTILINE)
_MOST_LINES = 200


class Source(Protocol):
    """What a prefix offers (``prefix.Prefix``)."""

    @property
    def where(self) -> str:
        """For people."""
        ...

    def read(self, name: str) -> bytes:
        """Raises NotFoundError, and StoreError."""
        ...


@dataclass(frozen=True, slots=True)
class Compared:
    """What a resume would change."""

    findings: tuple[Finding, ...]
    diff: str
    """Empty: nothing that may change did."""


def compare(source: Source, texts: Mapping[str, str], here: Metadata | None, tracks: tuple[str, ...]) -> Compared:
    """The files of the model's folder (by name) and its tracks against the source's."""
    try:
        there = {name: _read(source, places) for name, places in PLACES.items()}
        trained = _read(source, (TRAINING,))
    except FleetError as error:
        remedy = error.hint or "Correct workload: pretrained:, or make it readable from here."
        wrong = Finding("source-unreadable", f"{source.where} cannot be read: {error.message}", remedy, "fleet.yaml")
        return Compared((wrong,), "")
    if not any([*there.values(), trained]):
        told = f"{source.where} holds nothing of a model: no metadata, no hyperparameters, no reward function"
        remedy = "Name the prefix that holds model/ (a relative folder is one of the workdir)."
        return Compared((Finding("source-missing", told, remedy, "fleet.yaml"),), "")
    findings = list(_actions(source, there[METADATA], here))
    lines: list[str] = []
    for name, text in there.items():
        if text is not None and name in texts:
            lines += _diff(f"{source.where}/{name}", name, text, texts[name])
    if trained is not None and (world := _WORLD.search(trained)) and world[1] not in tracks:
        lines += [f"-track: {world[1]}", *(f"+track: {track}" for track in tracks)]
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"… and {len(lines) - _MOST_LINES} lines more"]
    return Compared(tuple(findings), "\n".join(lines))


def _read(source: Source, places: tuple[str, ...]) -> str | None:
    for place in places:
        try:
            return source.read(place).decode("utf-8", "replace")
        except NotFoundError:
            continue
    return None


def _actions(source: Source, text: str | None, here: Metadata | None) -> Iterator[Finding]:
    """What has to be as it was."""
    if here is None:
        return
    document = parse(text, METADATA, "metadata") if text is not None else None
    there = meta.check(document)[0] if isinstance(document, Document) else None
    if there is None:
        why = "holds no model_metadata.json" if text is None else "holds a model_metadata.json that cannot be understood"
        told = f"{source.where} {why}: whether its actions are as many as here cannot be told"
        yield Finding(
            "source-metadata", told, "Compare them yourself: a model with another number does not load.", severity="warning"
        )
        return
    if (there.space, there.count) != (here.space, here.count):
        told = (
            f"the model in {source.where} was trained with {_told(there)}, and here are {_told(here)}: it cannot be loaded"
        )
        remedy = f"Keep {_told(there)} (their angles and speeds may change), or begin anew without pretrained."
        yield Finding("source-actions", told, remedy, METADATA)
    for what, old, new in (
        ("neural_network", there.network, here.network),
        ("sensor", ", ".join(sorted(there.sensors)), ", ".join(sorted(here.sensors))),
        ("training_algorithm", there.algorithm, here.algorithm),
    ):
        if old != new:
            told = f"{what} is {new}, and the model in {source.where} has {old}: it cannot be loaded"
            yield Finding("source-network", told, f"Keep {old}, or begin anew without pretrained.", METADATA)


def _told(one: Metadata) -> str:
    return f"{one.count} discrete actions" if one.space == "discrete" else "a continuous action space"


def _diff(old_name: str, new_name: str, old: str, new: str) -> list[str]:
    """Of JSON only what it says, not how it is laid out."""
    if new_name.endswith(".json"):
        old, new = _normal(old), _normal(new)
    return list(difflib.unified_diff(old.splitlines(), new.splitlines(), old_name, new_name, n=1, lineterm=""))


def _normal(text: str) -> str:
    """A line for each key, and for each action."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    lines = []
    for key, one in sorted(value.items()) if isinstance(value, dict) else [("", value)]:
        parts = enumerate(one) if isinstance(one, list) and key == "action_space" else ()
        lines += [f"{key}[{place}]: {json.dumps(part, sort_keys=True)}" for place, part in parts]
        if not lines or not lines[-1].startswith(f"{key}["):
            lines.append(f"{key}: {json.dumps(one, sort_keys=True)}")
    return "\n".join(lines)
