"""``model_metadata.json``: the action space, the sensors and the network, as the simulator and the trainer read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from fleet.workloads.deepracer.checking.reading import Document, Where, number, said
from fleet.workloads.deepracer.checking.words import nearest
from fleet.workloads.deepracer.findings import Finding

STEERING = (-30.0, 30.0)
"""Degrees; the simulator turns no further, whatever is asked for."""
SPEED = (0.1, 4.0)
"""Metres per second; the simulator drives neither slower nor faster."""
MOST_ACTIONS = 30
"""AWS's own limit; the local stack has none."""
CAMERAS = ("FRONT_FACING_CAMERA", "STEREO_CAMERAS", "LEFT_CAMERA", "observation")
LIDARS = ("LIDAR", "SECTOR_LIDAR", "DISCRETIZED_SECTOR_LIDAR")
NETWORKS = ("DEEP_CONVOLUTIONAL_NETWORK_SHALLOW", "DEEP_CONVOLUTIONAL_NETWORK", "DEEP_CONVOLUTIONAL_NETWORK_DEEP")
ALGORITHMS = ("clipped_ppo", "sac")
SPACES = ("discrete", "continuous")
VERSIONS = (1.0, 6.0)
KEYS = ("action_space", "action_space_type", "sensor", "neural_network", "training_algorithm", "version", "lidar_config")
_AN_ACTION = 'An action is {"steering_angle": -30, "speed": 1.0, "index": 0}.'
_RANGES = '{"steering_angle": {"low": -30, "high": 30}, "speed": {"low": 0.5, "high": 3}}'


@dataclass(frozen=True, slots=True)
class Metadata:
    """What else depends on: actions for the reward function's check, and what a resume may not change."""

    space: Literal["discrete", "continuous"]
    actions: tuple[tuple[float, float], ...]
    """Steering angle and speed: every action, or the corners of a continuous space."""
    algorithm: str
    sensors: tuple[str, ...]
    network: str

    @property
    def count(self) -> int:
        """How many outputs the policy has: a continuous one has two, the angle and the speed."""
        return len(self.actions) if self.space == "discrete" else 2


def check(document: Document, stack: Literal["today", "2019"] = "today") -> tuple[Metadata | None, list[Finding]]:
    """The metadata, if there is an action space to speak of, and what is wrong with it."""
    value = document.value
    found = [*_keys(document), *_version(document)]
    algorithm, more = _word(document, "training_algorithm", ALGORITHMS, "clipped_ppo")
    found += more
    space, more = _word(document, "action_space_type", SPACES, "discrete")
    found += more
    network, more = _word(document, "neural_network", NETWORKS, NETWORKS[0], strict=True)
    found += more
    sensors, more = _sensors(document)
    found += more
    if algorithm == "sac" and space == "discrete":
        told = "sac trains on continuous actions only, and the actions here are discrete"
        remedy = 'Use "training_algorithm": "clipped_ppo", or a continuous action space.'
        found.append(document.finding("metadata-algorithm", told, remedy, "training_algorithm"))
    if stack == "2019" and (space == "continuous" or algorithm == "sac"):
        told = "the 2019 stack knows discrete actions and clipped_ppo only"
        found.append(document.finding("metadata-space-type", told, "Use `stack: today`.", "action_space_type"))
    if "action_space" not in value:
        told = "there is no action_space: the car could do nothing"
        return None, [*found, document.finding("metadata-no-actions", told, f"List the actions. {_AN_ACTION}")]
    actions, more = (_discrete if space == "discrete" else _continuous)(document, value["action_space"])
    found += more
    if not actions:
        return None, found
    kind: Literal["discrete", "continuous"] = "continuous" if space == "continuous" else "discrete"
    return Metadata(kind, tuple(actions), algorithm, sensors, network), found


def _keys(document: Document) -> Iterator[Finding]:
    for key in document.value:
        if key not in KEYS:
            told = f"nothing reads {said(key)}; {nearest(key, KEYS)}"
            yield document.finding("metadata-unknown-key", told, "Correct its name, or remove it.", key).warned()
    for key, line in document.twice:
        told = f"{said(key)} stands here a second time; only the last one counts"
        yield Finding("metadata-key-twice", told, "Remove one of them.", document.file, line)


def _version(document: Document) -> Iterator[Finding]:
    remedy = 'Write "version": "5".'
    if "version" not in document.value:
        told = "there is no version: the simulator takes that of 2019 or 2020, with other wheels and thus other speeds"
        yield document.finding("metadata-version", told, remedy).warned()
        return
    given = document.value["version"]
    try:
        version = float(given) if isinstance(given, (str, int, float)) and not isinstance(given, bool) else None
    except ValueError:
        version = None
    if version is None or not VERSIONS[0] <= version <= VERSIONS[1]:
        told = f"version {said(given)} is none: a number from {VERSIONS[0]:g} to {VERSIONS[1]:g} is expected"
        yield document.finding("metadata-version", told, remedy, "version")


def _word(
    document: Document, key: str, known: tuple[str, ...], absent: str, *, strict: bool = False
) -> tuple[str, list[Finding]]:
    """A word of several; the simulator forgives case and spaces around it, except where ``strict``."""
    given = document.value.get(key, absent)
    word = given if strict or not isinstance(given, str) else given.lower().strip()
    if isinstance(word, str) and word in known:
        return word, []
    told = f"{key} {said(given)} is not known; {nearest(str(given), known)}"
    code = {"action_space_type": "space-type", "training_algorithm": "algorithm", "neural_network": "network"}[key]
    return absent, [document.finding(f"metadata-{code}", told, f"Use one of {', '.join(known)}.", key)]


def _sensors(document: Document) -> tuple[tuple[str, ...], list[Finding]]:
    key = "sensor"
    given = document.value.get(key, ["observation"])
    remedy = 'Write "sensor": ["FRONT_FACING_CAMERA"], with "LIDAR" beside it if the car is to have one.'
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        return (), [document.finding("metadata-sensor", f"sensor is {said(given)}, not a list of names", remedy, key)]
    found = [
        document.finding(
            "metadata-sensor", f"no sensor is called {said(one)}; {nearest(one, CAMERAS + LIDARS)}", remedy, key, at
        )
        for at, one in enumerate(given)
        if one not in CAMERAS + LIDARS
    ]
    cameras, lidars = sum(one in CAMERAS for one in given), sum(one in LIDARS for one in given)
    if cameras != 1 and not found:
        told = f"a car has exactly one camera, and here are {cameras or 'none'}"
        found.append(document.finding("metadata-sensor", told, remedy, key))
    if lidars > 1:
        found.append(document.finding("metadata-sensor", f"{lidars} lidars are listed; one is the most", remedy, key))
    return tuple(given), found


def _discrete(document: Document, given: object) -> tuple[list[tuple[float, float]], list[Finding]]:
    root: Where = ("action_space",)
    if not isinstance(given, list):
        told = f"discrete actions are a list, and action_space is {said(given)}"
        remedy = f'{_AN_ACTION} For ranges write "action_space_type": "continuous".'
        return [], [document.finding("metadata-actions", told, remedy, *root)]
    if not given:
        told = "action_space is empty: there are 0 actions, and the car could do nothing"
        return [], [document.finding("metadata-no-actions", told, f"List the actions. {_AN_ACTION}", *root)]
    actions, found = [], []
    for place, action in enumerate(given):
        if not isinstance(action, dict):
            told = f"action {place} is {said(action)}"
            found.append(document.finding("metadata-action", told, _AN_ACTION, *root, place))
            continue
        read = [_within(document, action, key, (*root, place), found) for key in ("steering_angle", "speed")]
        if read[0] is not None and read[1] is not None:
            actions.append((read[0], read[1]))
    found += [*_numbering(document, given), *_several(document, given, actions)]
    return actions, found


def _within(document: Document, action: dict[str, Any], key: str, where: Where, found: list[Finding]) -> float | None:
    """One number of an action. What lies outside its range is driven at the range's end: the model learns what is not so."""
    low, high = STEERING if key == "steering_angle" else SPEED
    unit = "degrees" if key == "steering_angle" else "m/s"
    value = number(action.get(key))
    if value is None:
        told = f"action {where[1]} has no number for {key}" + (f": {said(action[key])}" if key in action else "")
        found.append(document.finding("metadata-action", told, _AN_ACTION, *where, key))
    elif not low <= value <= high:
        driven = min(max(value, low), high)
        told = f"{key} {value:g} is outside {low:g} to {high:g} {unit}: the simulator drives it as {driven:g}"
        code = "metadata-steering" if key == "steering_angle" else "metadata-speed"
        found.append(document.finding(code, told, f"Write a number from {low:g} to {high:g}.", *where, key))
    return value


def _numbering(document: Document, given: list[Any]) -> Iterator[Finding]:
    """The car reads ``index``, the simulator the place in the list: the two have to say the same."""
    root = "action_space"
    indices = [action.get("index") if isinstance(action, dict) else None for action in given]
    if all(index is None for index in indices):
        return
    remedy = f"Number the actions from 0 to {len(given) - 1} in the order of the list, or leave index out everywhere."
    for place, index in enumerate(indices):
        if isinstance(index, bool) or index != place:
            told = f"action {place} has {'no index' if index is None else f'the index {said(index)}'}: "
            told += "actions are numbered from 0, one after another, without gaps"
            yield document.finding("metadata-index", told, remedy, root, place, "index")
            return  # one gap shifts all that follow


def _several(document: Document, given: list[Any], actions: list[tuple[float, float]]) -> Iterator[Finding]:
    root = "action_space"
    if len(given) == 1:
        told = "there is one action only: nothing can be chosen, and nothing learned"
        yield document.finding("metadata-one-action", told, "List at least two.", root).warned()
    if len(given) > MOST_ACTIONS:
        told = f"{len(given)} actions: AWS takes at most {MOST_ACTIONS}, and so many are learned slowly"
        yield document.finding("metadata-many-actions", told, "Leave out what the car hardly needs.", root).warned()
    if len(actions) == len(given):
        for place, action in enumerate(actions):
            if action in actions[:place]:
                told = f"action {place} is the same as action {actions.index(action)}"
                yield document.finding(
                    "metadata-same-action", told, "Change one of them, or remove it.", root, place
                ).warned()
        if len(actions) > 1 and len({angle for angle, _ in actions}) == 1:
            told = f"every action steers {actions[0][0]:g} degrees: the car cannot follow a track"
            yield document.finding("metadata-steering", told, "Add actions that steer to both sides.", root).warned()


def _continuous(document: Document, given: object) -> tuple[list[tuple[float, float]], list[Finding]]:
    root: Where = ("action_space",)
    if not isinstance(given, dict):
        told = f"continuous actions are ranges, and action_space is {said(given)}"
        return [], [document.finding("metadata-actions", told, f"Write {_RANGES}.", *root)]
    found: list[Finding] = []
    ends: list[tuple[float, float]] = []
    for key, (low, high), unit in (("steering_angle", STEERING, "degrees"), ("speed", SPEED, "m/s")):
        part = given.get(key)
        read = [number(part.get(end)) for end in ("low", "high")] if isinstance(part, dict) else [None, None]
        if read[0] is None or read[1] is None:
            told = f"{key} has no numbers for low and high"
            found.append(document.finding("metadata-action", told, f"Write {_RANGES}.", *root, key))
            continue
        if read[0] >= read[1]:
            told = f"{key} goes from {read[0]:g} to {read[1]:g}: low must be below high, or the trainer stops"
            found.append(document.finding("metadata-action", told, "Exchange or widen them.", *root, key))
        if read[0] < low or read[1] > high:
            code = "metadata-steering" if key == "steering_angle" else "metadata-speed"
            told = f"{key} from {read[0]:g} to {read[1]:g} goes beyond {low:g} to {high:g} {unit}: the simulator cuts it off"
            found.append(document.finding(code, told, f"Stay within {low:g} to {high:g}.", *root, key))
        ends.append((read[0], read[1]))
    if len(ends) < 2:
        return [], found
    return [(angle, speed) for angle in (*ends[0], sum(ends[0]) / 2) for speed in ends[1]], found
