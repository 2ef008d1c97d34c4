"""What two models differ in: reward function, hyperparameters, tracks, race, actions, images. Pure.

A model is told by its texts, as far as there are: of a job's folder, of a prefix that the stack wrote, of a run.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from fleet.model.errors import FleetError
from fleet.model.jobfile import parse_job
from fleet.store.workdir import JOB_FILE
from fleet.workloads.deepracer.checking.hyperparameters import NUMBERS, WORDS
from fleet.workloads.deepracer.checking.reading import said
from fleet.workloads.deepracer.params import PARAMS
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD, DeepRacer

Kind = Literal["hyperparameter", "track", "race", "actions", "sensors", "image", "job"]
_ABSENT = object()
_OWN = ("kind", "pretrained")
"""Of a job, what tells nothing of the model: every clone has another source."""
_KINDS: Mapping[str, Kind] = {"tracks": "track", "race": "race", "images": "image"}
SHOWN = 4
"""Changes that one line names."""


@dataclass(frozen=True)
class Described:
    """A model by what it is trained with. None: that is not told."""

    name: str
    reward: str | None = None
    metadata: Mapping[str, Any] | None = None
    hyperparameters: Mapping[str, Any] | None = None
    job: Mapping[str, Any] | None = None
    """What stands under ``workload``, defaults among it; of a prefix only its tracks, race and workers."""
    problems: tuple[str, ...] = ()
    """Texts that are there, and cannot be read."""


@dataclass(frozen=True, slots=True)
class Change:
    """One value that is another one."""

    kind: Kind
    name: str
    """Of the hyperparameter, the job's field with dots, the action (``action_space[2]``) or the metadata's key."""
    before: Any
    """As in JSON; None: it is not there."""
    after: Any

    def told(self) -> str:
        """For people, on one line."""
        return f"{self.name} {_shown(self.before)} → {_shown(self.after)}"


@dataclass(frozen=True)
class Differences:
    """From one model to another."""

    changes: tuple[Change, ...] = ()
    reward_diff: str = ""
    """Unified; empty: it is the same, or one of the two is not told."""
    unknown: tuple[str, ...] = ()
    """What cannot be compared, in words."""

    @property
    def same(self) -> bool:
        """Nothing that can be compared differs."""
        return not self.changes and not self.reward_diff

    def summary(self, most: int = SHOWN) -> str:
        """On one line: ``reward function +3 -1, lr 0.0003 → 0.0001``; empty if nothing differs."""
        lines = self.reward_diff.splitlines()[2:]
        parts = [f"reward function +{_count(lines, '+')} -{_count(lines, '-')}"] if lines else []
        parts += [change.told() for change in self.changes]
        more = [f"{len(parts) - most} more"] if len(parts) > most else []
        return ", ".join([*parts[:most], *more])


def texts_of(files: Mapping[str, bytes]) -> dict[str, str]:
    """Files as text, for comparing: without the mark that Windows' editors put first, whatever their encoding."""
    return {name: data.decode("utf-8-sig", "replace") for name, data in files.items()}


def described(name: str, texts: Mapping[str, str]) -> Described:
    """By the names of files: those of a model's folder, and of a prefix ``training_params.yaml``. Never raises."""
    problems: list[str] = []
    metadata, hyperparameters = (_object(texts.get(one), one, name, problems) for one in (METADATA, HYPERPARAMETERS))
    job = _job(texts[JOB_FILE], name, problems) if JOB_FILE in texts else _params(texts.get(PARAMS))
    return Described(name, texts.get(REWARD), metadata, hyperparameters, job, tuple(problems))


def differences(before: Described, after: Described) -> Differences:
    """What changed from one to the other."""
    changes: list[Change] = []
    unknown = [*before.problems, *after.problems]
    for what, one, other, found in (
        ("hyperparameters", before.hyperparameters, after.hyperparameters, _hyperparameters),
        ("what the job says", before.job, after.job, _jobs),
        ("model_metadata.json", before.metadata, after.metadata, _metadata),
    ):
        if one is not None and other is not None:
            changes += found(one, other)
        elif one is not other:
            unknown.append(f"{what}: {(before if one is None else after).name} does not tell")
    if (before.reward is None) != (after.reward is None):
        unknown.append(f"the reward function: {(before if before.reward is None else after).name} does not tell")
    return Differences(tuple(changes), _reward(before, after), tuple(unknown))


def _reward(before: Described, after: Described) -> str:
    if before.reward is None or after.reward is None:
        return ""
    one, other = (text.removeprefix("\ufeff").splitlines() for text in (before.reward, after.reward))
    names = f"{before.name}/{REWARD}", f"{after.name}/{REWARD}"
    return "\n".join(difflib.unified_diff(one, other, *names, lineterm=""))


def _hyperparameters(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """What is not written has its default; a number in quotes is one."""
    for key in dict.fromkeys((*before, *after)):
        default = NUMBERS[key].default if key in NUMBERS else WORDS[key][0] if key in WORDS else _ABSENT
        if _number(before.get(key, default)) != _number(after.get(key, default)):
            yield Change("hyperparameter", key, before.get(key), after.get(key))


def _jobs(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """Fields that both tell: a prefix knows of few."""
    for key in before:
        if key in after and key not in _OWN and before[key] != after[key]:
            kind = _KINDS.get(key, "job")
            if isinstance(before[key], Mapping) and isinstance(after[key], Mapping):
                yield from _keys(kind, f"{key}.", before[key], after[key])
            else:
                yield Change(kind, key, before[key], after[key])


def _metadata(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    one, other = before.get("action_space"), after.get("action_space")
    if isinstance(one, list) and isinstance(other, list):
        for place in range(max(len(one), len(other))):
            pair = [actions[place] if place < len(actions) else None for actions in (one, other)]
            if pair[0] != pair[1]:
                yield Change("actions", f"action_space[{place}]", *pair)
    elif one != other:
        yield Change("actions", "action_space", one, other)
    rest = ({key: value for key, value in each.items() if key != "action_space"} for each in (before, after))
    yield from _keys("sensors", "", *rest)


def _keys(kind: Kind, prefix: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for key in dict.fromkeys((*before, *after)):
        if before.get(key) != after.get(key):
            yield Change(kind, f"{prefix}{key}", before.get(key), after.get(key))


def _object(text: str | None, file: str, name: str, problems: list[str]) -> Mapping[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text.removeprefix("\ufeff"), parse_constant=str, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()  # halves of characters can be escaped, and then be shown by nobody
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    problems.append(f"{file} of {name} is no JSON object")
    return None


def _finite(text: str) -> float | str:
    """A number; what is too large for one, as it is written: infinities are no JSON."""
    value = float(text)
    return value if math.isfinite(value) else text


def _job(text: str, name: str, problems: list[str]) -> Mapping[str, Any] | None:
    """What stands under ``workload``, as fleet understands it."""
    from fleet.workloads.kinds import options_of

    try:
        workload = parse_job(text.removeprefix("\ufeff")).workload
        return of_spec(options_of(workload)) if workload is not None else None
    except FleetError as error:
        problems.append(f"{JOB_FILE} of {name}: {error.message.splitlines()[0]}")
        return None


def of_spec(spec: DeepRacer) -> Mapping[str, Any]:
    """A job's options as plain data."""
    plain: dict[str, Any] = spec.model_dump(mode="json")
    return plain


def _params(text: str | None) -> Mapping[str, Any] | None:
    """Of ``training_params.yaml``, which the simulator is told; None if it tells nothing."""
    try:
        told = yaml.safe_load(text) if text is not None and len(text) < 100_000 else None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        told = None
    if not isinstance(told, dict):
        return None
    found: dict[str, Any] = {}
    if isinstance(told.get("WORLD_NAME"), str):
        found["tracks"] = [told["WORLD_NAME"]]
    if isinstance(told.get("RACE_TYPE"), str):
        found["race"] = told["RACE_TYPE"]
    if str(told.get("NUM_WORKERS", "")).isdecimal():
        found["workers"] = int(told["NUM_WORKERS"])
    return found or None


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            number = float(value)
            return value.strip().lower() if math.isnan(number) else number
        except ValueError:
            return value.strip().lower()
    return value


def _shown(value: Any) -> str:
    """Short, without the quotes and braces of JSON where they tell nothing."""
    if value is None:
        return "(none)"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " ".join(value) or "(none)"
    if isinstance(value, Mapping) and set(value) >= {"steering_angle", "speed"}:
        return f"{value['steering_angle']}° {value['speed']} m/s"
    return value if isinstance(value, str) else said(value)


def _count(lines: list[str], sign: str) -> int:
    return sum(line.startswith(sign) for line in lines)
