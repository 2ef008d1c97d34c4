"""The kinds of training that a job may name under ``workload:``, and what is asked of each before anything is spent.

What a kind brings is in a package of its own: its options, what to look at before spending, and the driver that trains.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fleet.model.errors import JobError
from fleet.model.job import Job
from fleet.store.workdir import read_job as read
from fleet.workloads.deepracer.spec import DeepRacer

KINDS: Mapping[str, type[DeepRacer]] = {"deepracer": DeepRacer}
Where = Callable[..., str]
"""From the path of a field to the place where it stands: ``file:line:column``."""


def read_job(path: Path) -> tuple[Job, Path]:
    """The job of a file, its workload's options checked too, and the folder that its paths are relative to.

    Raises JobError that says where it is wrong and what to do.
    """
    return read(path, also=check_options)


def options_of(workload: Mapping[str, Any]) -> DeepRacer:
    """What a job says of its workload. Raises JobError for what it cannot mean."""
    return _options(workload, lambda *_path: "the job")


def check_options(job: Job, _folder: Path, where: Where) -> None:
    """Raise JobError, with the place of each, for options of a workload that it cannot have."""
    if job.workload is None:
        return
    _options(job.workload, where)
    if job.checkpoint.format == "marker":
        told = (
            f"{where('checkpoint', 'format')}: checkpoint.format: a workload's sets come whole, without a marker beside them"
        )
        raise JobError(told, "Leave it out: with `marker` nothing would ever be committed.")


def _options(workload: Mapping[str, Any], where: Where) -> DeepRacer:
    kind = workload.get("kind")
    model = KINDS.get(str(kind))
    if model is None:
        known = ", ".join(KINDS)
        raise JobError(f"{where('workload', 'kind')}: workload: there is no kind {kind!r}", f"Known are: {known}.")
    told = [f"{where('workload', *path)}: {'.'.join(('workload', *path))}: {bare}" for path, bare in _without_unit(workload)]
    try:
        found = model.model_validate(workload)
    except ValidationError as error:
        told += [f"{where('workload', *_named(one['loc']))}: {_words(one, model)}" for one in error.errors()]
    if told:
        raise JobError("\n".join(told), f"What it may hold: docs/{kind}.md")
    return found


def _without_unit(workload: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Durations that are bare numbers, as everywhere in a job file: 8 may mean seconds or hours."""
    until = workload.get("until")
    value = until.get("duration") if isinstance(until, Mapping) else None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield ("until", "duration"), f"{value} has no unit; write {value}m or {value}h"


def _named(path: Iterable[Any]) -> list[str | int]:
    return [part for part in path if isinstance(part, (str, int))]


def _words(found: Any, model: type[DeepRacer]) -> str:
    name = ".".join(("workload", *map(str, _named(found["loc"]))))
    if found["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(found["loc"][-1]), model.model_fields, n=1)
        said = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(model.model_fields)}"
        return f"{name} is no field; {said}"
    if found["type"] == "string_type" and isinstance(found["input"], (bool, int, float)):
        return f"{name}: {found['input']!r} is no text; put it in quotes"
    message = str(found["msg"]).removeprefix("Value error, ")
    return f"{name}: {message} (it is {str(found['input'])[:80]!r})"
