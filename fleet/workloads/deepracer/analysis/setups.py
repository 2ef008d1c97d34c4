"""What a log says at its beginning of how the training was set up: hyperparameters, actions, track, workers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from fleet.workloads.deepracer.analysis.recording import Setup

HYPERPARAMETERS = b"Using the following hyper-parameters"
_MOST = 8000
"""Bytes after that line within which the hyperparameters stand, prefixes of lines among them."""
MOST_EPISODES = 1_000_000
MOST_LINES = 40
"""Of hyperparameters: there are some fifteen."""
_PAIR = re.compile(rb'"(\w+)":\s*("[^"\n]*"|[-+.\w]+)')
_ACTIONS = b"ction space from file: "
_FIELDS: Mapping[str, tuple[bytes, ...]] = {
    "track": (rb"'WORLD_NAME': \[?'([^'\n]+)'", rb"\* /WORLD_NAME: (\S+)", rb"World name passed in YAML: (\S+)",
              rb"using world ([^\s,]+)"),
    "race": (rb"'RACE_TYPE': \[?'([^'\n]+)'", rb"\* /RACE_TYPE: (\S+)"),
    "job": (rb"'JOB_TYPE': \[?'([^'\n]+)'", rb"\* /JOB_TYPE: (\S+)"),
    "workers": (rb"'NUM_WORKERS': \[?'?(\d{1,4})", rb"\* /NUM_WORKERS: (\d{1,4})"),
    "prefix": (rb"S3 prefix: ([^\s]+)",),
    "version": (rb"simapp_version ([\d.]+)",),
}  # fmt: skip
_WORKER = re.compile(rb"Starting as worker (\d{1,4})\b")
_ANCHORS = {"track": (b"WORLD_NAME", b"World name", b"using world"), "race": (b"RACE_TYPE",), "job": (b"JOB_TYPE",),
            "workers": (b"NUM_WORKERS",), "prefix": (b"S3 prefix",), "version": (b"simapp_version",)}  # fmt: skip
"""What is looked for before an expression is tried: finding a word in megabytes is fast, trying expressions is not."""
MARKS = (*(anchor for anchors in _ANCHORS.values() for anchor in anchors), _ACTIONS)
"""Of lines that say something of it."""


def lines_with(data: bytes, mark: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines that hold a mark, once each, and where they begin."""
    at = data.find(mark)
    while at >= 0:
        begin = data.rfind(b"\n", 0, at) + 1
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        yield begin, data[begin:end]
        at = data.find(mark, end)


def setup_of(data: bytes) -> Setup:
    """As far as the log says. Never raises."""
    told = {name: _first(data, name) for name in _FIELDS}
    actions, continuous = _actions(data)
    return Setup(
        hyperparameters=_hyperparameters(data),
        actions=actions,
        continuous=continuous,
        track=told["track"],
        race=told["race"],
        job=told["job"],
        workers=int(told["workers"]) if told["workers"] else None,
        prefix=told["prefix"],
        version=told["version"],
    )


def per_worker(setup: Setup, worker: int) -> int | None:
    """Episodes that a worker drives in an iteration, which share them as evenly as they can; None: not told."""
    told = setup.hyperparameters.get("num_episodes_between_training")
    if not isinstance(told, (int, float)) or not 1 <= told <= MOST_EPISODES:
        return None
    each, more = divmod(int(told), max(1, setup.workers or 1))
    return max(1, each + (worker < more))


def worker_in(data: bytes) -> int | None:
    """Which worker's log it is, by its own word; None: it does not say."""
    found = _WORKER.search(data)
    return int(found[1]) if found else None


def setup_of_files(hyperparameters: bytes | None, metadata: bytes | None) -> Setup:
    """From ``hyperparameters.json`` and ``model_metadata.json``, as far as they are there and can be read."""
    told, model = _object(hyperparameters), _object(metadata)
    actions, continuous = _spaced(model.get("action_space"))
    return Setup(hyperparameters=told, actions=actions, continuous=continuous)


def _object(data: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(data.decode("utf-8-sig", "replace")) if data is not None else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _first(data: bytes, name: str) -> str:
    for anchor in _ANCHORS[name]:
        for _, line in lines_with(data, anchor):
            for expression in _FIELDS[name]:
                found = re.search(expression, line)
                if found:
                    return found[1].decode("utf-8", "replace").rstrip("/.")
    return ""


def _hyperparameters(data: bytes) -> dict[str, Any]:
    at = data.find(HYPERPARAMETERS)
    if at < 0:
        return {}
    begin = data.find(b"{", at, at + _MOST)
    end = data.find(b"}", begin, begin + _MOST) if begin >= 0 else -1
    if begin < 0:
        return {}
    text = data[begin : end if end >= 0 else begin + _MOST]
    return {found[1].decode(): value for found in _PAIR.finditer(text) if (value := _value(found[2])) is not None}


def _value(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _actions(data: bytes) -> tuple[tuple[tuple[float, float], ...], bool]:
    for _, line in lines_with(data, _ACTIONS):
        told = line.partition(_ACTIONS)[2].replace(b"'", b'"')
        try:
            # What follows on the same line is another program's.
            space, _ = json.JSONDecoder().raw_decode(told.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            continue
        found = _spaced(space)
        if found[0]:
            return found
    return (), b"action_space_type continuous" in data


def _spaced(space: Any) -> tuple[tuple[tuple[float, float], ...], bool]:
    """Steering and speed of each action; of a continuous space of its two ends."""
    try:
        if isinstance(space, dict):
            steering, speed = space["steering_angle"], space["speed"]
            ends = tuple((float(steering[end]), float(speed[end])) for end in ("low", "high"))
            return ends, True
        if isinstance(space, list):
            return tuple((float(one["steering_angle"]), float(one["speed"])) for one in space), False
    except (KeyError, TypeError, ValueError):
        pass
    return (), False
