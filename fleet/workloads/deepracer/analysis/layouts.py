"""Which file of a training is which, in every layout that there is. Pure: by names alone.

DeepRacer for Cloud (one worker or several), the console's downloads, those of DeepRacer on AWS, the folders of 2019, and the
history that fleet keeps of a run's prefixes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from fleet.workloads.deepracer.ordering import natural

Kind = Literal[
    "training", "evaluation", "metrics", "evaluation-metrics", "log", "hyperparameters", "metadata", "params", "checkpoints"
]
Role = Literal["training", "evaluation"]

_TRAINING = re.compile(r"(?:(?P<base>.+)/)?training-simtrace/(?P<number>\d{1,9})-iteration\.csv(?:\.gz)?")
_EVALUATION = re.compile(r"(?:(?P<base>.+)/)?evaluation-simtrace/(?P<number>\d{1,9})-iteration\.csv(?:\.gz)?")
_WORKERS_METRICS = re.compile(r"TrainingMetrics(?:_(?P<worker>\d{1,4}))?\.json(?:\.gz)?")
_TRAINING_METRICS = re.compile(r"training-(?:metrics|\d{14}-.*)\.json")
_EVALUATION_METRICS = re.compile(r"EvaluationMetrics-(?P<stream>.+)\.json|evaluation-(?P<console>\d{14}-.*)\.json")
_LOG = re.compile(r"(?P<stem>.+\.log)(?:\.(?P<rotation>\d{1,3}))?(?:\.gz)?")
_PARAMS = re.compile(r"training_params(?:_(?P<worker>\d{1,4}))?\.yaml")
_SIMULATOR = re.compile(r"simulator(?:-(?P<number>\d{1,4}))?\.log|.*robomaker\.(?P<replica>\d{1,4})\..*\.log")
_NO_STACK = re.compile(r"(?:.*[-_.])?(?:s3|minio|coach|loki|fluent-?bit)(?:[-_.].*)?\.log", re.IGNORECASE)
"""Of programs that neither drive nor train: coach's launcher only repeats its trainer."""
_WORKER = re.compile(r"\d{1,4}")


@dataclass(frozen=True, slots=True)
class Place:
    """What a file is."""

    kind: Kind
    root: str
    """The folder of its part, without ``/`` at the end; empty: the topmost."""
    worker: int | None = None
    """From 0; None: its name does not say."""
    number: int = 0
    """Of the iteration; of a log how often it was rotated."""
    stream: str = ""
    """Of an evaluation: which. Of a log: its name without rotations."""
    role: Role = "training"


def place_of(name: str) -> Place | None:
    """None: it is no record of a training."""
    found = _trace(name) or _metrics(name) or _told_once(name)
    return found or _log(name)


def is_told(name: str) -> bool:
    """Whether a file is a record of a training."""
    return place_of(name.removeprefix("./")) is not None


def by_root(names: Iterable[str]) -> dict[str, dict[str, Place]]:
    """The records by the folders of their parts, in people's order; folders without anything driven are left out."""
    found: dict[str, dict[str, Place]] = {}
    names = set(names)
    for name in sorted(names):
        place = place_of(name)
        if place is not None and name.removesuffix(".gz") not in names.difference([name]):
            found.setdefault(place.root, {})[name] = place
    driven = {root for root, own in found.items() if any(one.kind in DRIVEN for one in own.values())}
    return {root: found[root] for root in sorted(driven, key=natural)}


DRIVEN: frozenset[Kind] = frozenset({"training", "evaluation", "metrics", "evaluation-metrics", "log"})
"""Kinds that tell of something driven; the others say how it was set up."""


def _trace(name: str) -> Place | None:
    found = _TRAINING.fullmatch(name)
    if found:
        root, worker = _root_and_worker(found["base"] or "")
        return Place("training", root, worker, int(found["number"]))
    found = _EVALUATION.fullmatch(name)
    if found:
        base = found["base"] or ""
        stream = base.rpartition("/")[2]
        root = _root_and_worker(base)[0] if "sim-trace" in base.split("/") else base.rpartition("/")[0]
        return Place("evaluation", root, None, int(found["number"]), stream.removeprefix("evaluation-"), "evaluation")
    return None


def _root_and_worker(base: str) -> tuple[str, int]:
    """``3`` below a part is its fourth worker; ``sim-trace/training/<time>`` belongs to what lies around it."""
    pieces = base.split("/") if base else []
    if "sim-trace" in pieces:
        return "/".join(pieces[: pieces.index("sim-trace")]), 0
    if pieces and _WORKER.fullmatch(pieces[-1]):
        return "/".join(pieces[:-1]), int(pieces[-1])
    return base, 0


def _metrics(name: str) -> Place | None:
    folder, _, file = name.rpartition("/")
    pieces = folder.split("/") if folder else []
    root = _before(pieces, ("metrics", "DeepRacer-Metrics"))
    if found := _WORKERS_METRICS.fullmatch(file):
        return Place("metrics", root, int(found["worker"] or 0))
    if found := _EVALUATION_METRICS.fullmatch(file):
        return Place("evaluation-metrics", root, stream=found["stream"] or found["console"], role="evaluation")
    if _TRAINING_METRICS.fullmatch(file):
        return Place("metrics", root, 0)
    if file.endswith(".json") and pieces[-2:-1] == ["metrics"]:
        if pieces[-1] == "training":
            return Place("metrics", root, 0)
        if pieces[-1] in ("evaluation", "leaderboard"):
            return Place("evaluation-metrics", root, stream=file.removesuffix(".json"), role="evaluation")
    return None


def _told_once(name: str) -> Place | None:
    """Files of which a part has one."""
    folder, _, file = name.rpartition("/")
    pieces = folder.split("/") if folder else []
    if file == "hyperparameters.json" and pieces[-1:] != ["custom_files"]:
        return Place("hyperparameters", _before(pieces, ("ip",)))
    if file == "model_metadata.json" and pieces[-1:] != ["custom_files"]:
        return Place("metadata", _before(pieces, ("model",)))
    if file == "deepracer_checkpoints.json" and pieces[-1:] == ["model"]:
        return Place("checkpoints", "/".join(pieces[:-1]))
    if found := _PARAMS.fullmatch(file):
        return Place("params", folder, int(found["worker"]) - 1 if found["worker"] else None)
    return None


def _log(name: str) -> Place | None:
    folder, _, file = name.rpartition("/")
    found = _LOG.fullmatch(file)
    if found is None or _NO_STACK.fullmatch(found["stem"]):
        return None
    stem = found["stem"]
    pieces = folder.split("/") if folder else []
    inner = pieces[pieces.index("logs") + 1 :] if "logs" in pieces else []
    evaluates = stem.startswith(("evaluation", "leaderboard")) or inner[:1] in (["evaluation"], ["leaderboard"])
    simulator = _SIMULATOR.fullmatch(stem)
    number = (simulator["number"] or simulator["replica"]) if simulator else None
    return Place(
        "log",
        _before(pieces, ("logs", "log")),
        max(0, int(number) - 1) if number else None,
        int(found["rotation"] or 0),
        f"{folder}/{stem}" if folder else stem,
        "evaluation" if evaluates else "training",
    )


def _before(pieces: list[str], names: tuple[str, ...]) -> str:
    """The folder around the first one of these names."""
    at = next((place for place, one in enumerate(pieces) if one in names), len(pieces))
    return "/".join(pieces[:at])
