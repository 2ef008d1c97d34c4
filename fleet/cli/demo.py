"""``fleet demo``: a real training whose machines are taken away, and the same training left alone: equal models."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from fleet.cli.app import EXIT_FAILED
from fleet.cli.follow import Timeline, follow, to_stderr, to_stdout
from fleet.cli.output import emit
from fleet.cli.views import run_object
from fleet.control.controller import Controller
from fleet.control.fleets import open_fleet
from fleet.control.home import Home
from fleet.control.runs import start_run, stop_run, view
from fleet.core.state import RunState
from fleet.core.summary import interruptions
from fleet.model import layout
from fleet.model.errors import FleetError, NotFoundError
from fleet.model.job import Job
from fleet.model.units import format_duration
from fleet.store.workdir import read_job

if TYPE_CHECKING:
    from fleet.cli.objects import DemoObject, RunObject

MODEL = "output/model.npz"
PACE = 0.05
"""Seconds that an iteration takes at least: on the fastest computer the training outlasts its interruptions."""
TAKE_BACKS: list[dict[str, Any]] = [
    {"after": 4.0, "from": "training", "signals": ["notice"], "lead": 3.0},
    {
        "after": 3.0,
        "from": "training",
        "signals": ["rebalance", "notice"],
        "rebalance_lead": 2.0,
        "lead": 3.0,
        "zone_out": 600.0,
    },
    {"after": 4.0, "from": "training", "signals": []},
]
"""The demo's market: a notice; a rebalance signal, then a notice, then no capacity left in the zone; a kill."""
TYPES = {"small": {"price": 500_000}, "medium": {"price": 520_000}, "large": {"price": 800_000}}
"""On-demand, micro-dollars per hour: another type in the volume's zone is cheaper than the same type in the next zone."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished run and its model."""

    run: RunState
    told: RunObject
    sha256: str


def run(*, as_json: bool, iterations: int | None, keep: Path | None) -> int:
    """Run the demo; 0 only if both trainings succeeded with byte-identical models."""
    job, folder = _job(iterations)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, _as_ctrl_c)  # a closed terminal must not leave machines behind
    write = to_stderr if as_json else to_stdout
    with _workplace(keep) as place:
        write(f"Everything lies in {place}.\nThis training's machines are taken back, three times if it lasts so long:\n\n")
        interrupted = _train(Home(place / "fleet"), job, folder, write, {"kind": "schedule", "take_backs": TAKE_BACKS})
        write("\nThe same training, left alone:\n\n")
        alone = _train(Home(place / "twin"), job, folder, write, {"kind": "none"})
        told = _told(interrupted, alone)
        if as_json:
            emit(told)
        else:
            to_stdout(_summary(interrupted, told, place if keep else None))
    return 0 if told["identical"] else EXIT_FAILED


def _as_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _job(iterations: int | None) -> tuple[Job, Path]:
    if importlib.util.find_spec("numpy") is None:
        raise FleetError("the demo trains with NumPy, which is not installed", "pip install 'fleet[demo]'")
    job, folder = read_job(example_folder() / "fleet.yaml")
    envs = {**job.envs, "RACER_PACE": str(PACE)}
    if iterations is not None:
        envs["RACER_ITERATIONS"] = str(iterations)
    return job.model_copy(update={"envs": envs}), folder


def example_folder(name: str = "racer") -> Path:
    """An example: inside an installed wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_examples" / name, package.parent / "examples" / name):
        if (folder / "fleet.yaml").is_file():
            return folder
    raise FleetError(f"the {name} example is missing from this installation", "Reinstall fleet.")


@contextlib.contextmanager
def _workplace(keep: Path | None) -> Iterator[Path]:
    """A folder for the demo's fleets, removed afterwards unless the user names one."""
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise FleetError(f"{keep} is not empty", "Name a new folder with --keep.")
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    place = Path(tempfile.mkdtemp(prefix="fleet-demo-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _train(home: Home, job: Job, folder: Path, write: Any, market: dict[str, Any]) -> Trained:
    """One training from start to end, in a fleet of its own; no machine is left when it returns or raises."""
    from fleet.providers.local.market import set_market
    from fleet.providers.local.provider import stop_everything

    home.path.mkdir(parents=True, exist_ok=True)
    set_market(home.local, {**market, "types": TYPES})
    timeline = Timeline(write)
    controller = open_fleet(home, home.bucket, create=True)
    controller.on_event = timeline.event
    try:
        started = start_run(controller, job, folder)
        run = _followed(controller, started, timeline)
    finally:
        stop_everything(home.local)
    if run.outcome != "succeeded":
        raise FleetError(f"the demo's training {run.outcome}: {run.reason}", "Run it again with --keep FOLDER to look.")
    try:
        model = controller.objects.get(layout.models(run.name) + MODEL)
    except NotFoundError:
        raise FleetError("the training exported no model", "Run it again with --keep FOLDER to look.") from None
    return Trained(run, run_object(view(controller, run)), hashlib.sha256(model).hexdigest())


def _followed(controller: Controller, started: RunState, timeline: Timeline) -> RunState:
    try:
        return follow(controller, started.run_id, timeline)
    except KeyboardInterrupt:
        timeline.line(None, "Ctrl-C: the demo ends its machines and goes")
        stop_run(controller, started.run_id, "down")
        raise


def _told(interrupted: Trained, alone: Trained) -> DemoObject:
    """The demo's result as one object."""
    taken = interruptions(interrupted.run)
    return {
        "attempts": len(interrupted.run.attempts),
        "interruptions": len(taken),
        "kinds": [i.kind for i in taken],
        "zone_changes": sum(i.moved for i in taken),
        "steps_lost": interrupted.told["steps_lost"],
        "seconds_lost": interrupted.told["seconds_lost"],
        "recover_seconds": interrupted.told["recover_seconds"],
        "cost_usd": interrupted.told["cost_usd"],
        "on_demand_usd": interrupted.told["on_demand_usd"],
        "uninterrupted_cost_usd": alone.told["cost_usd"],
        "seconds": round((interrupted.run.ended_at or 0) - interrupted.run.created_at, 1),
        "uninterrupted_seconds": round((alone.run.ended_at or 0) - alone.run.created_at, 1),
        "model_sha256": interrupted.sha256,
        "uninterrupted_sha256": alone.sha256,
        "identical": interrupted.sha256 == alone.sha256,
    }


def _summary(interrupted: Trained, told: DemoObject, kept: Path | None) -> str:
    """The result for people."""
    lines = [
        "",
        f"{told['attempts']} machines, {told['interruptions']} interruptions, {told['zone_changes']} change(s) of zone",
    ]
    for one in interruptions(interrupted.run):
        recovered = format_duration(one.recover_seconds) if one.recover_seconds is not None else "-"
        zone = ", in another zone" if one.moved else ""
        lines.append(
            f"  machine {one.attempt}: {one.kind:<17} training went on after {recovered}{zone}; "
            f"lost {one.lost_steps} steps, {format_duration(one.lost_seconds)} of work"
        )
    saved = 1 - told["cost_usd"] / told["on_demand_usd"] if told["on_demand_usd"] else 0.0
    lines += [
        f"cost        ${told['cost_usd']:.6f}; on demand ${told['on_demand_usd']:.6f} ({saved:.0%} saved)",
        "            (at the prices of the demo's market: nothing was spent)",
        f"time        {told['seconds']:.0f} s, uninterrupted {told['uninterrupted_seconds']:.0f} s",
        f"model       {told['model_sha256']}",
        f"left alone  {told['uninterrupted_sha256']}",
        "The models are byte-identical: nothing was lost."
        if told["identical"]
        else "THE MODELS DIFFER: this is a fault of fleet's. Please report it with this output.",
    ]
    if kept is not None:
        lines.append(f"The model lies in {kept / 'fleet/bucket' / layout.models(interrupted.run.name) / MODEL}.")
    return "\n".join(lines) + "\n"
