"""``fleet deepracer evaluate``: laps with a set of a model, on a machine of its own; they are told as they come."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleet.cli.deepracer_evaluated import evaluated, evaluation_object, results_in
from fleet.cli.deepracer_evaluation_job import Wish, job_folder, without_place
from fleet.cli.deepracer_evaluations import summary
from fleet.cli.deepracer_models import open_model
from fleet.cli.follow import Timeline, to_stderr, to_stdout
from fleet.cli.plain import plain
from fleet.cli.up import follow_to_the_end, launch
from fleet.control.controller import Controller
from fleet.control.home import open_home
from fleet.control.runs import RunView, view
from fleet.core.state import RunState
from fleet.model.documents import CheckpointRef
from fleet.model.errors import FleetError
from fleet.model.units import format_money
from fleet.store.objects import Objects
from fleet.workloads.deepracer.evaluating.results import Evaluation


@dataclass
class Laps(Timeline):
    """Tells the laps of an evaluation as they come, instead of checkpoints and steps: each checkpoint holds all so far."""

    objects: Objects | None = None
    _told: dict[str, int] = field(default_factory=dict)
    """Laps told of, by track."""
    _read: CheckpointRef | None = None

    def look(self, seen: RunView) -> None:
        """The laps since the last look."""
        beat = seen.beat
        if beat is not None:
            self._checkpoint, self._step = beat.checkpoint, beat.step  # told here, and better
            if beat.checkpoint is not None and beat.checkpoint != self._read and self.objects is not None:
                self._read_and_tell(self.objects, seen, beat.checkpoint)
        super().look(seen)

    def _read_and_tell(self, objects: Objects, seen: RunView, ref: CheckpointRef) -> None:
        try:
            results = results_in(objects, seen.run.run_id, ref)
        except FleetError:
            return  # once more with the next look
        self._read = ref
        if results is not None:
            self.tell(results, ref.attempt)

    def tell(self, results: Evaluation, attempt: int | None) -> None:
        """The laps that were not told of yet."""
        for track in results.tracks:
            for trial in track.trials[self._told.get(track.track, 0) :]:
                self.line(attempt, f"driven      {track.track}: {trial.told()}")
            self._told[track.track] = max(self._told.get(track.track, 0), len(track.trials))


def evaluate(text: str, wish: Wish, *, wait: bool, yes: bool, as_json: bool) -> int:
    """Start it, and follow it to its end if that is wished for; the exit code is 0 if all laps were driven."""
    tell = to_stderr if as_json else to_stdout
    model = open_model(text, wish.bucket)
    with job_folder(model, wish, open_home()) as (folder, chosen):
        tell(plain(f"{model.name}: {chosen.words}") + "\n")
        with without_place(folder):
            controller, run, timeline = launch(folder, lambda: Laps(tell), yes=yes)
    timeline.objects = controller.objects
    return follow_to_the_end(
        controller,
        run,
        timeline,
        detach=not wait,
        as_json=as_json,
        farewell=lambda controller, run: _farewell(controller, run, timeline),
        as_object=lambda controller, run: evaluation_object(evaluated(controller, run)),
    )


def _farewell(controller: Controller, run: RunState, timeline: Laps) -> str:
    one = evaluated(controller, run)
    timeline.tell(one.results, None)  # the last ones may have come with the run's end
    set_ = f"set {one.results.set}" if one.results.set is not None else "no set"
    cost = format_money(view(controller, run).cost.total)
    lines = [f"\nRun {run.run_id} {run.outcome}: {run.reason}", f"{one.results.model}, {set_}, for {cost}:"]
    lines += [f"  {line}" for line in summary(one)]
    lines.append(f"Compare: fleet deepracer evaluations {one.results.model}")
    return plain("\n".join(lines) + "\n")
