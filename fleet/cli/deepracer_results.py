"""How far versions came: by the runs of their names, or by what lies in their folders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fleet.cli.deepracer_evaluated import Evaluated, evaluated, is_evaluation
from fleet.cli.deepracer_sources import look
from fleet.control.controller import Controller
from fleet.control.opened import known_runs
from fleet.core.state import RunState
from fleet.model.errors import FleetError
from fleet.workloads.deepracer.evaluating.results import OnTrack
from fleet.workloads.deepracer.metrics import COMPLETE, Episode
from fleet.workloads.deepracer.prefix import Prefix, open_folder
from fleet.workloads.deepracer.records import PrefixShelf, read_part
from fleet.workloads.deepracer.sets import newest_whole
from fleet.workloads.deepracer.versions.lineage import Found
from fleet.workloads.deepracer.whole_run import Part, WholeRun, first_set, whole_run

if TYPE_CHECKING:
    from fleet.cli.deepracer_version_objects import DeepRacerEvaluatedObject, DeepRacerResultObject

METRICS = "metrics/"


@dataclass(frozen=True)
class Result:
    """What a version came to."""

    whole: WholeRun
    newest: int
    """N of its newest set."""
    run: str | None = None
    problem: str = ""
    """What cannot be read, for people."""
    evaluated: tuple[tuple[Evaluated, OnTrack], ...] = ()
    """By track, what its newest evaluation there came to."""

    def laps(self) -> list[DeepRacerEvaluatedObject]:
        """Those evaluations for programs."""
        return [
            {
                "run": one.run.run_id,
                "set": one.results.set,
                "track": track.track,
                "trials": len(track.trials),
                "laps_completed": len(track.laps),
                "mean_completion_percent": track.progress,
                "best_lap_seconds": track.best,
            }
            for one, track in self.evaluated
        ]

    def told(self) -> DeepRacerResultObject | None:
        """None: nothing was trained, as far as can be seen."""
        whole = self.whole
        if not whole.iterations and not self.newest:
            return None
        best = whole.best
        rows = [one for one in whole.iterations if one.done] or list(whole.iterations)
        percent = best.result.progress if best is not None else rows[-1].progress if rows else None
        by: Literal["evaluation", "training"] = "evaluation" if best is not None else "training"
        lap = min((one.seconds for one in driven(whole) if one.status == COMPLETE), default=None)
        return {
            "run": self.run,
            "newest_set": self.newest,
            "best_lap_seconds": round(lap, 3) if lap is not None else None,
            "mean_completion_percent": round(percent, 2) if percent is not None else None,
            "judged_by": by if percent is not None else None,
        }


def driven(whole: WholeRun) -> Iterable[Episode]:
    """Training and evaluation, of what the model holds: nothing that was lost."""
    kept = {one.n for one in whole.judged}
    for iteration in whole.iterations:
        yield from iteration.episodes
    for part in whole.parts:
        yield from (one for one in part.episodes if one.phase == "evaluation" and first_set(part) + one.iteration in kept)


def results_of(found: Iterable[Found], root: Path, bucket: str | None) -> dict[str, Result]:
    """By the versions' paths. A fleet or a run that cannot be read hides no other: it is told of."""
    runs, problem = _runs(bucket)
    trained = {run.name: (controller, run) for controller, run in runs if not is_evaluation(run)}
    driven_by = _evaluated(runs)
    results: dict[str, Result] = {}
    for one in found:
        known = trained.get(one.job)
        result = _of_run(*known) if known is not None else _of_folder(open_folder(root / one.path))
        laps = {**driven_by.get(one.job, {}), **driven_by.get(str(one.version), {})}
        if result is not None or laps or problem:
            result = result or Result(WholeRun(), 0, problem=problem)
            results[one.path] = replace(result, evaluated=tuple(laps[track] for track in sorted(laps)))
    return results


def _runs(bucket: str | None) -> tuple[list[tuple[Controller, RunState]], str]:
    """Every DeepRacer run, the oldest first; and why some are not known."""
    try:
        runs, _ = known_runs(bucket)
    except FleetError as error:
        if bucket is not None:
            raise
        return [], error.message
    return [(controller, run) for controller, run in runs if (run.job.workload or {}).get("kind") == "deepracer"], ""


def _evaluated(runs: Iterable[tuple[Controller, RunState]]) -> dict[str, dict[str, tuple[Evaluated, OnTrack]]]:
    """By model and track the newest evaluation that has laps."""
    found: dict[str, dict[str, tuple[Evaluated, OnTrack]]] = {}
    for controller, run in runs:
        if is_evaluation(run):
            one = evaluated(controller, run)
            found.setdefault(one.results.model, {}).update({on.track: (one, on) for on in one.tracks if on.trials})
    return found


def _of_run(controller: Controller, run: RunState) -> Result:
    try:
        known = look(controller, run)
    except FleetError as error:
        return Result(WholeRun(), 0, run.run_id, error.message)
    newest = max([known.whole.done, *([known.kept[0]] if known.kept else [])])
    return Result(known.whole, newest, run.run_id)


def _of_folder(prefix: Prefix) -> Result | None:
    """A model that lies in the folder itself; None if there is none."""
    try:
        listing = prefix.list()
        newest = newest_whole(listing)
        names = [name for name in listing if name.startswith(METRICS)]
        problems: list[str] = []
        episodes, by = read_part(PrefixShelf(prefix), "", names, problems)
    except FleetError as error:
        return Result(WholeRun(), 0, problem=error.message)
    if newest is None and not episodes:
        return None
    whole = whole_run([Part("", episodes=episodes)], by or "progress")
    return Result(whole, newest.n if newest is not None else whole.done, problem="; ".join(problems))
