"""What ``stats``, ``plot`` and ``watch`` read: a run by its name or id, or whatever records of a training are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.analysis.opening import WHAT, Opened, open_paths
from fleet.workloads.deepracer.analysis.reading import Reader
from fleet.workloads.deepracer.analysis.recording import Recording, Setup

if TYPE_CHECKING:
    from fleet.control.controller import Controller
    from fleet.core.state import RunState
    from fleet.workloads.deepracer.spec import DeepRacer


@dataclass
class Records:
    """What was named, opened."""

    opened: Opened
    controller: Controller | None = None
    """The fleet that the run is in; None: no run was named, or more than one thing."""
    run: RunState | None = None


def open_recording(texts: Sequence[str], bucket: str | None = None) -> Recording:
    """All that is there now. Raises FleetError if nothing is."""
    return open_records(texts, bucket).opened.read()


def open_records(texts: Sequence[str], bucket: str | None = None, *, grows: bool = False) -> Records:
    """A run by name or id, a job's folder, or any paths; several are read as one training. Raises FleetError.

    A run goes before a file or folder of the same name; ``./NAME`` is the folder. ``grows``: it will be looked at again.
    """
    if not texts:
        raise FleetError("nothing is named", WHAT)
    if all(_is_a_file(text) for text in texts):
        return Records(open_paths(texts, grows=grows))  # a third of a second sooner: no fleet is asked
    from fleet.cli.deepracer_models import named_run
    from fleet.control.names import nearest

    readers: list[Opened] = []
    paths: list[str] = []
    found: tuple[Controller, RunState] | None = None
    for text in texts:
        known: list[str] = []
        found = named_run(text, bucket, known)
        if found is not None:
            readers.append(of_run(*found, grows=grows))
        elif "://" in text or Path(text).expanduser().exists():
            paths.append(text)
        else:
            told = nearest(text, known)
            raise FleetError(f"there is no {text}: no file, no folder, and no run of that name; {told}", WHAT)
    if paths:
        readers.append(open_paths(paths, grows=grows))
    if len(readers) == 1 and found is not None:
        return Records(readers[0], *found)
    return Records(_as_one(readers))


def _is_a_file(text: str) -> bool:
    """Whether it is one, and no job's, which means the run of its name."""
    path = Path(text).expanduser()
    return "://" not in text and path.suffix not in (".yaml", ".yml") and path.is_file()


def _as_one(many: Sequence[Opened]) -> Opened:
    if len(many) == 1:
        return many[0]
    return Opened([reader for one in many for reader in one.readers], ", ".join(one.where for one in many))


def of_run(controller: Controller, run: RunState, *, grows: bool = False) -> Opened:
    """What a run's machines told, as far as it can be seen from here. Raises FleetError for a run of another kind."""
    from fleet.cli.deepracer_run_records import RunRecords
    from fleet.cli.deepracer_sources import options
    from fleet.control.runs import view

    spec = options(run)
    records = RunRecords(controller, run)
    setup = _setup(spec)
    reader = Reader(records, run.name, course=lambda: records.course, of_run=True, setup=setup, grows=grows)

    def finish(recording: Recording) -> Recording:
        now = controller.state.runs[run.run_id]
        course = records.course
        return replace(
            recording,
            cost=view(controller, now).cost.total / 1e6,
            seconds=course.reached_seconds if course is not None and course.reached_seconds else None,
            problems=(*recording.problems, *records.problems),
        )

    return Opened([reader], f"run {run.run_id}", finish)


def _setup(spec: DeepRacer) -> Setup:
    return Setup(track=spec.tracks[0] if len(spec.tracks) == 1 else "", race=spec.race, workers=spec.workers)
