"""What single files hold: traces, metrics, setups. Nothing here raises: what cannot be read is left out and named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fleet.workloads.deepracer.analysis.columns import columns_of
from fleet.workloads.deepracer.analysis.encodings import plain
from fleet.workloads.deepracer.analysis.layouts import Place
from fleet.workloads.deepracer.analysis.log_text import is_cut
from fleet.workloads.deepracer.analysis.numbering import in_order, without_false_starts
from fleet.workloads.deepracer.analysis.recording import Setup, Trial
from fleet.workloads.deepracer.analysis.setups import setup_of_files
from fleet.workloads.deepracer.analysis.steps import Steps
from fleet.workloads.deepracer.evaluating.results import trial_of
from fleet.workloads.deepracer.metrics import Metrics, read_metrics
from fleet.workloads.deepracer.pointers import JSON, parse_pointers
from fleet.workloads.deepracer.sets import parse_stem
from fleet.workloads.deepracer.unzipping import unzipped


@dataclass(frozen=True, eq=False)
class Loaded:
    """One file. Which of the values are there depends on its kind."""

    place: Place
    steps: Steps | None = None
    metrics: Metrics | None = None
    trials: tuple[Trial, ...] = ()
    setup: Setup | None = None
    best: int | None = None
    problems: tuple[str, ...] = ()
    blank: bool = False
    """Metrics in which no episode stands yet."""


def load(name: str, place: Place, data: bytes) -> Loaded:
    """A file that is no log."""
    data, whole = unzipped(data)
    cut = () if whole else (f"{name} is cut off: what stands before the cut is read.",)
    data = plain(data)
    if place.kind in ("training", "evaluation"):
        return _trace(name, place, data, cut)
    if place.kind in ("metrics", "evaluation-metrics"):
        return _metrics(name, place, data, cut)
    if place.kind == "checkpoints":
        stem = parse_pointers({JSON: data}).best
        numbers = parse_stem(stem) if stem is not None else None
        return Loaded(place, best=numbers[0] if numbers else None, problems=cut)
    if place.kind == "params":
        return Loaded(place, setup=_params(data), problems=cut)
    setup = setup_of_files(data if place.kind == "hyperparameters" else None, data if place.kind == "metadata" else None)
    return Loaded(place, setup=setup, problems=cut)


def _trace(name: str, place: Place, data: bytes, cut: tuple[str, ...]) -> Loaded:
    rows = [row for row in data.split(b"\n") if row.strip() and not row.lstrip(b'"').startswith(b"episode")]
    torn = 0
    if rows and not data.endswith(b"\n") and is_cut(rows[-1], rows[-2] if len(rows) > 1 else b""):
        rows, torn = rows[:-1], 1
    steps, places, lost = columns_of(rows, np.arange(len(rows)))
    steps, places = without_false_starts(steps, places)
    steps, _ = in_order(steps, places)
    torn += lost
    said = (f"{name}: {torn} torn or cut {'step is' if torn == 1 else 'steps are'} left out.",) if torn else ()
    return Loaded(place, steps=replace(steps, iteration=np.full(len(steps), place.number, np.int64)), problems=(*cut, *said))


def _metrics(name: str, place: Place, data: bytes, cut: tuple[str, ...]) -> Loaded:
    if not data.strip():
        return Loaded(place, problems=(*cut, f"{name} is empty."), blank=True)
    entries = _entries(data)
    if entries is None and (mended := _closed(data)) is not None:
        data, entries = mended, _entries(mended)
        cut = (f"{name} is cut off: what stands before the cut is read.",)
    if place.kind == "evaluation-metrics" and not any("phase" in one for one in entries or ()):
        trials = tuple(one for each in entries or () if (one := _trial(each, place.stream)) is not None)
        missing = len(entries) - len(trials) if entries is not None else 0
        said = (f"{name}: {missing} of {len(trials) + missing} trials cannot be read.",) if missing else ()
        said = said if entries is not None else (f"{name}: the metrics are not whole JSON.",)
        return Loaded(place, trials=trials, problems=(*cut, *said))
    found = read_metrics(data, place.worker or 0)
    said = (f"{name}: {found.problem}.",) if found.problem else ()
    return Loaded(place, metrics=found, problems=(*cut, *said), blank=entries == [])


def _entries(data: bytes) -> list[Mapping[str, Any]] | None:
    """None: there is no list of them."""
    try:
        told = json.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None
    found = told.get("metrics") if isinstance(told, dict) else None
    return [one if isinstance(one, dict) else {} for one in found] if isinstance(found, list) else None


def _closed(data: bytes) -> bytes | None:
    """Metrics that were cut, as they are up to the last whole entry; None: they are something else."""
    end = data.rfind(b"}")
    mended = data[: end + 1] + b"]}"
    return mended if end > 0 and _entries(mended) is not None else None


def is_metrics(data: bytes) -> bool:
    """Whether a file that nobody's name tells of holds metrics, be they cut."""
    return _of_some_file(data) is not None


def are_of_evaluation(data: bytes) -> bool:
    """Metrics of training say the phase of each episode, those of an evaluation do not."""
    entries = _of_some_file(data)
    return entries is not None and bool(entries) and not any("phase" in one for one in entries)


def _of_some_file(data: bytes) -> list[Mapping[str, Any]] | None:
    data = plain(unzipped(data)[0])
    entries = _entries(data)
    mended = _closed(data) if entries is None else None
    return _entries(mended) if mended is not None else entries


def _trial(told: Mapping[str, Any], stream: str) -> Trial | None:
    """None: it is not whole, or does not say which it is."""
    one = trial_of(told, 0)
    if one is None or one.number < 1:
        return None
    return Trial(
        stream=stream,
        number=one.number,
        progress=one.progress,
        seconds=one.seconds,
        status=one.status,
        off_track=one.off_track,
        crashed=one.crashes,
        resets=one.resets,
    )


def _params(data: bytes) -> Setup:
    """``training_params.yaml``: what the simulator is told."""
    import yaml

    try:
        told = yaml.safe_load(data.decode("utf-8", "replace"))
    except (yaml.YAMLError, RecursionError, ValueError):
        told = None
    if not isinstance(told, dict):
        return Setup()
    workers = str(told.get("NUM_WORKERS", ""))
    return Setup(
        track=_first(told.get("WORLD_NAME")),
        race=_first(told.get("RACE_TYPE")),
        job=_first(told.get("JOB_TYPE")),
        workers=int(workers) if workers.isdecimal() and int(workers[:5]) > 0 else None,
    )


def _first(value: object) -> str:
    """Some values are lists of one."""
    value = value[0] if isinstance(value, list) and value else value
    return value if isinstance(value, str) else ""
