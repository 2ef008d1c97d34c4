"""What a clone changes, as it is typed: ``--set learning_rate=0.0001``, ``--set workers=2``. Pure.

Hyperparameters go by their names in ``hyperparameters.json`` or by those that people use; what the job says goes by its name
under ``workload``, with dots (``until.iterations``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import BaseModel

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.checking.hyperparameters import KEYS, NUMBERS, OTHER_NAMES, WORDS
from fleet.workloads.deepracer.checking.words import nearest
from fleet.workloads.deepracer.spec import DeepRacer, Images, OnNan, Until

FRIENDLY = {
    **OTHER_NAMES,
    "batch": "batch_size",
    "loss": "loss_type",
    "exploration": "exploration_type",
    "alpha": "sac_alpha",
    "stack_frames": "stack_size",
}
"""Hyperparameters by other names."""
OF_JOB = {
    "track": ("tracks",),
    "iterations": ("until", "iterations"),
    "duration": ("until", "duration"),
}
"""What stands under ``workload``, by other names."""
SECTIONS: Mapping[str, type[BaseModel]] = {"until": Until, "nan": OnNan, "images": Images}
FIXED = {
    "kind": "another kind of training is another job.",
    "pretrained": "a clone goes on from its source; --from says from which of its sets.",
    "evaluate": "laps are driven by `fleet deepracer evaluate`.",
    "name": "the new name is the clone's second argument.",
    "actions": "weights fit one number of actions; angles and speeds are changed in model_metadata.json.",
    "action_space": "weights fit one number of actions; angles and speeds are changed in model_metadata.json.",
}
"""What is not set, and why."""
_LOSSES = dict.fromkeys(("mse", "mean_squared_error", "mean-squared-error"), "mean squared error")
Path = tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """What is wanted otherwise than in the source."""

    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    workload: Mapping[Path, Any] = field(default_factory=dict)
    """By the path below ``workload``."""


def parse_settings(words: Iterable[str], tracks: Sequence[str] = ()) -> Settings:
    """Of ``NAME=VALUE``, and tracks that were named apart. Raises FleetError for what there is not, or is said twice."""
    hyperparameters: dict[str, Any] = {}
    workload: dict[Path, Any] = {}
    for word in [*words, *([f"tracks={','.join(tracks)}"] if tracks else [])]:
        name, equals, text = word.partition("=")
        name, text = name.strip(), text.strip()
        if not equals or not name or not text:
            raise FleetError(f"--set {word}: NAME=VALUE is expected", "For example: --set learning_rate=0.0001")
        if name.lower().replace("-", "_") in FIXED:
            raise FleetError(f"--set {name}: it is not set so", f"Why: {FIXED[name.lower().replace('-', '_')]}")
        key = _hyperparameter(name)
        into: dict[Any, Any] = hyperparameters if key is not None else workload
        where: Any = key if key is not None else _field(name)
        if where in into:
            raise FleetError(f"--set {name}: it is set twice", "Name each setting once, tracks by --track or by --set.")
        into[where] = _read_value(key, text) if key is not None else _read_field(where, text)
    return Settings(hyperparameters, workload)


def with_hyperparameters(text: str, changes: Mapping[str, Any]) -> str:
    """``hyperparameters.json`` with these; the order of its keys and its indentation stay.

    Raises FleetError if the text is no JSON object.
    """
    if not changes:
        return text
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise FleetError("the source's hyperparameters.json is no JSON object", "Correct it, or clone without --set.")
    indented = next((line for line in text.splitlines() if line[:1] in (" ", "\t") and line.strip()), "  x")
    indent = indented[: len(indented) - len(indented.lstrip())]
    return json.dumps({**value, **changes}, indent=indent, ensure_ascii=False) + "\n"


def _hyperparameter(name: str) -> str | None:
    plain = name.lower().replace("-", "_")
    return plain if plain in KEYS else FRIENDLY.get(plain)


def _field(name: str) -> Path:
    """Of what the job says. Raises FleetError."""
    plain = name.removeprefix("workload.")
    path = OF_JOB.get(plain) or tuple(plain.split("."))
    fields = DeepRacer.model_fields
    if len(path) == 1 and path[0] in fields and path[0] not in (*SECTIONS, "env"):
        return path
    if len(path) == 2 and path[0] in SECTIONS and path[1] in SECTIONS[path[0]].model_fields:
        return path
    if len(path) == 2 and path[0] == "env" and path[1]:
        return path
    inside = [f"{section}.{one}" for section, model in SECTIONS.items() for one in model.model_fields]
    plain_fields = [one for one in fields if one not in (*SECTIONS, "env", *FIXED)]
    below = [one for one in inside if one.startswith(f"{plain}.")]
    near = f"it has {', '.join(below)}" if below else nearest(name, [*KEYS, *FRIENDLY, *plain_fields, *OF_JOB, *inside])
    raise FleetError(f"--set {name}: there is no such setting; {near}", "docs/deepracer.md lists what a clone may set.")


def _read_value(key: str, text: str) -> Any:
    """A hyperparameter's: numbers as such, whole ones without a point. Whether they have sense is for the check to say."""
    if key in WORDS:
        word = text.strip("\"'").lower()
        return _LOSSES.get(word, word)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise FleetError(f"--set {key}={text}: a number is expected", f"Its default is {NUMBERS[key].default:g}.")
    return int(value) if NUMBERS[key].whole and value == int(value) else value


def _read_field(path: Path, text: str) -> Any:
    """As YAML reads it, which is where it goes."""
    if path == ("tracks",):
        return [one.strip() for one in text.strip("[]").split(",") if one.strip()]
    if path[0] in ("env", "images") or path == ("stack",):
        return text
    if path == ("race",):
        return text.upper().replace("-", "_")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError):
        value = text
    return value if isinstance(value, (str, int, float, bool)) else text
