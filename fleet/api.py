"""fleet from Python: the commands' names, typed. ``import fleet``, then ``fleet.up("fleet.yaml")``.

Every function takes ``bucket`` (a URL) or looks in all buckets that runs were made in from here, as the commands do, and
raises FleetError with a message for people.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from fleet.control import inventory, saved
from fleet.control.controller import Controller
from fleet.control.fleets import holds_fleet, open_fleet, providers_here
from fleet.control.history import events_of
from fleet.control.home import open_home
from fleet.control.keeping import keep
from fleet.control.offering import Plan, offering
from fleet.control.opened import opened, opened_run
from fleet.control.runs import RunView, add_note, resume_run, start_run, stop_run, view
from fleet.core.state import FleetState, RunState
from fleet.model import layout
from fleet.model.documents import CheckpointRef, Manifest
from fleet.model.events import Event
from fleet.model.job import Job
from fleet.model.jobfile import parse_job
from fleet.model.units import parse_money
from fleet.store.scripts import missing_scripts
from fleet.store.workdir import read_job

JobLike = Job | str | Path | Mapping[str, Any]
"""A job, a job file or a folder that holds one, or the job file's fields."""
OnEvent = Callable[[Event], None]


def _nothing(_event: Event) -> None:
    return None


def _job(job: JobLike) -> tuple[Job, Path]:
    if isinstance(job, Job):
        return job, Path.cwd()
    if isinstance(job, Mapping):
        return parse_job(yaml.safe_dump(dict(job)), "the job"), Path.cwd()
    return read_job(Path(job))


def plan(job: JobLike) -> Plan:
    """What a job could run on now, at which price, and what would be chosen. Makes nothing."""
    wanted, _ = _job(job)
    home = open_home()
    url = wanted.bucket or home.bucket
    if not holds_fleet(url):
        return offering(FleetState(), providers_here(home).values(), wanted, 0.0)
    controller = open_fleet(home, url)
    return offering(controller.state, controller.observer.providers.values(), wanted, controller.objects.now())


def up(job: JobLike, *, wait: bool = True, on_event: OnEvent = _nothing) -> RunView:
    """Start a job; with ``wait`` keep it alive until it is over. KeyboardInterrupt leaves the run going."""
    wanted, folder = _job(job)
    for told in missing_scripts(wanted, folder):
        warnings.warn(told, stacklevel=2)
    home = open_home()
    url = wanted.bucket or home.bucket
    controller = open_fleet(home, url, create=True)
    home.remember_bucket(url)
    run = start_run(controller, wanted, folder)
    return _followed(controller, run, on_event, wait=wait)


def _followed(controller: Controller, run: RunState, on_event: OnEvent, *, wait: bool) -> RunView:
    controller.on_event = on_event
    if wait:
        run = keep(controller, run.run_id)
    else:
        controller.tick()
        run = controller.state.runs[run.run_id]
    return view(controller, run)


def ps(*, bucket: str | None = None) -> list[RunView]:
    """Every run, the oldest first."""
    found: list[RunView] = []
    for controller in opened(bucket):
        controller.observer.read_beats(controller.state)
        found.extend(view(controller, run) for run in controller.state.runs.values())
    return sorted(found, key=lambda one: one.run.created_at)


def status(run: str, *, bucket: str | None = None) -> RunView:
    """One run, by its name or id."""
    controller, found = opened_run(bucket, run)
    controller.observer.read_beats(controller.state)
    return view(controller, found)


def events(run: str, *, bucket: str | None = None) -> Iterator[Event]:
    """What the journal holds of a run, oldest first."""
    controller, found = opened_run(bucket, run)
    return (event for _, event in events_of(controller, found.run_id))


def logs(run: str, *, attempt: int | None = None, bucket: str | None = None) -> bytes:
    """What training printed, so far."""
    controller, found = opened_run(bucket, run)
    numbers = [attempt] if attempt is not None else sorted(found.attempts)
    keys = [info.key for n in numbers for info in controller.objects.list(layout.logs(found.run_id, n))]
    return b"".join(controller.objects.get(key) for key in keys)


def stop(run: str, *, bucket: str | None = None, on_event: OnEvent = _nothing) -> RunView:
    """Checkpoint a run, then end it; returns once its machines are gone."""
    controller, _ = opened_run(bucket, run)
    return _followed(controller, stop_run(controller, run, "stop"), on_event, wait=True)


def down(run: str, *, bucket: str | None = None, on_event: OnEvent = _nothing) -> RunView:
    """End every machine of a run at once."""
    controller, _ = opened_run(bucket, run)
    return _followed(controller, stop_run(controller, run, "down"), on_event, wait=True)


def resume(
    run: str, *, budget: str | None = None, wait: bool = True, bucket: str | None = None, on_event: OnEvent = _nothing
) -> RunView:
    """Let a run that ended go on from its newest checkpoint. ``budget`` as in a job file: ``$10``."""
    controller, _ = opened_run(bucket, run)
    cap = parse_money(budget) if budget is not None else None
    return _followed(controller, resume_run(controller, run, cap), on_event, wait=wait)


def note(run: str, text: str, *, bucket: str | None = None) -> None:
    """Keep a word of yours with a run."""
    controller, _ = opened_run(bucket, run)
    add_note(controller, run, text)


def checkpoints(run: str, *, bucket: str | None = None) -> list[saved.SavedSet]:
    """A run's committed checkpoints, newest first."""
    controller, found = opened_run(bucket, run)
    return saved.list_saved(controller.objects, found.run_id)


def pull(run: str, into: str | Path, *, ref: CheckpointRef | None = None, bucket: str | None = None) -> Manifest:
    """Bring a checkpoint into a new folder, verified."""
    controller, found = opened_run(bucket, run)
    return saved.pull_saved(controller.objects, found.run_id, ref, Path(into))


def volumes(*, bucket: str | None = None) -> list[inventory.KeptVolume]:
    """Every volume, with the run that it belongs to."""
    return [kept for controller in opened(bucket) for kept in inventory.volumes(controller)]


def gc(*, bucket: str | None = None) -> list[inventory.Unowned]:
    """Machines and volumes that no run owns."""
    return [one for controller in opened(bucket) for one in inventory.unowned(controller)]
