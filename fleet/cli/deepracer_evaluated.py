"""The evaluations that there are: runs whose workload is one, and what their newest checkpoints tell.

An evaluation's results are its run's checkpoint, in the fleet's own bucket: they outlive machine, volume and this computer.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet.cli.deepracer_evaluate_objects import DeepRacerEvaluationObject, DeepRacerOnTrackObject
from fleet.cli.deepracer_sources import options
from fleet.cli.views import dollars, state_of
from fleet.control.controller import Controller
from fleet.control.opened import known_runs
from fleet.control.runs import RunView, view
from fleet.control.saved import list_saved
from fleet.core.state import RunState
from fleet.model.documents import CheckpointRef, Manifest
from fleet.model.errors import FleetError
from fleet.store.checkpoints import Checkpoints
from fleet.store.objects import Objects
from fleet.workloads.deepracer.evaluating.results import RESULTS, Evaluation, OnTrack, parse_results
from fleet.workloads.deepracer.spec import Evaluate


@dataclass(frozen=True)
class Evaluated:
    """One evaluation, as its run tells it."""

    seen: RunView
    wish: Evaluate
    results: Evaluation
    """Without a track as long as none of its laps are known."""
    problem: str = ""
    """Why the results could not be read; empty: they could, or there are none yet."""

    @property
    def run(self) -> RunState:
        """The run that drives."""
        return self.seen.run

    @property
    def tracks(self) -> list[OnTrack]:
        """All that were asked for, those without a lap, too."""
        return [self.results.on(name) or OnTrack(track=name) for name in self.wish.tracks]


def is_evaluation(run: RunState) -> bool:
    """Whether a run drives laps, and trains nothing."""
    workload = run.job.workload
    return workload is not None and workload.get("kind") == "deepracer" and workload.get("evaluate") is not None


def evaluations(bucket: str | None) -> list[Evaluated]:
    """Of every fleet known here, or of the one in ``bucket``; oldest first."""
    return [evaluated(controller, run) for controller, run in known_runs(bucket)[0] if is_evaluation(run)]


def evaluated(controller: Controller, run: RunState) -> Evaluated:
    """One run's evaluation. Raises FleetError for a run of another kind."""
    spec = options(run)
    assert spec.evaluate is not None
    wish, problem = spec.evaluate, ""
    try:
        results = _newest(controller.objects, run)
    except FleetError as error:
        results, problem = None, error.message
    if results is None:
        n = wish.checkpoint if isinstance(wish.checkpoint, int) else None
        name = wish.model or spec.pretrained or ""
        results = Evaluation(run=run.run_id, model=name, set=n, race=spec.race, resets=wish.resets, laps=wish.laps)
    return Evaluated(view(controller, run), wish, results, problem)


def _newest(objects: Objects, run: RunState) -> Evaluation | None:
    for saved in list_saved(objects, run.run_id):
        if saved.status in ("newest", "trusted") and saved.manifest is not None:
            found = _read(objects, saved.manifest, run.run_id)
            if found is not None:
                return found
    return None


def results_in(objects: Objects, run_id: str, ref: CheckpointRef) -> Evaluation | None:
    """What one checkpoint of a live evaluation tells. Raises StoreError, CheckpointError."""
    return _read(objects, Checkpoints(objects, run_id).manifest(ref), run_id)


def _read(objects: Objects, manifest: Manifest, run_id: str) -> Evaluation | None:
    """The file lies in a folder of its own for each count of laps, ``<number>/evaluation.json``; the last two are there."""
    found: dict[int, str] = {}
    for one in manifest.files:
        number, _, name = one.path.partition("/")
        if name == RESULTS and number.isdecimal():
            found[int(number)] = one.key
    return parse_results(objects.get(found[max(found)]), run_id) if found else None


def evaluation_object(one: Evaluated) -> DeepRacerEvaluationObject:
    """For programs."""
    results = one.results
    return {
        "run": one.run.run_id,
        "state": state_of(one.seen),
        "model": results.model,
        "set": results.set,
        "checkpoint": results.stem or None,
        "race": results.race,
        "laps": one.wish.laps,
        "resets": one.wish.resets,
        "created_at": one.run.created_at,
        "cost_usd": dollars(one.seen.cost.total),
        "tracks": [_track_object(track) for track in one.tracks],
    }


def _track_object(one: OnTrack) -> DeepRacerOnTrackObject:
    return {
        "track": one.track,
        "done": one.ended_at is not None,
        "trials": len(one.trials),
        "laps_completed": len(one.laps),
        "mean_completion_percent": one.progress,
        "best_lap_seconds": one.best,
        "mean_lap_seconds": one.mean,
        "off_track": one.off_track,
        "at": one.ended_at,
        "laps": [
            {
                "lap": trial.number,
                "completion_percent": trial.progress,
                "seconds": trial.seconds,
                "status": trial.status,
                "off_track": trial.off_track,
                "crashes": trial.crashes,
                "resets": trial.resets,
            }
            for trial in one.trials
        ],
    }
