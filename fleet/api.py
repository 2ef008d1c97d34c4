"""fleet from Python: the commands' names, typed. ``import fleet``, then ``fleet.up("fleet.yaml")``.

Every function takes ``bucket`` (a URL) or looks in all buckets that runs were made in from here, as the commands do, and
raises FleetError with a message for people. The commands print what these functions return.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from fleet.control import inventory, saved
from fleet.control.attendance import seen
from fleet.control.clouds import bucket_for, crossing, prepare, refuse_without_setup, wake_controller
from fleet.control.controller import Controller
from fleet.control.fleets import holds_fleet, open_bucket, open_fleet, providers_here
from fleet.control.hints import fresh_hints
from fleet.control.history import events_of
from fleet.control.home import open_home
from fleet.control.images import image_notes
from fleet.control.keeping import keep
from fleet.control.offering import Plan, offering
from fleet.control.opened import known_runs, opened, opened_run
from fleet.control.presence import present, rounded
from fleet.control.prices import missing_types, refresh_prices
from fleet.control.runs import RunView, add_note, refuse_deadline, resume_run, start_run, stop_run, view
from fleet.control.setups import aws_setup
from fleet.control.stacks import refuse_without_engine
from fleet.control.watching import watch
from fleet.core.presence import Told
from fleet.core.state import FleetState, RunState
from fleet.model import layout
from fleet.model.documents import CheckpointRef, Manifest
from fleet.model.errors import FleetError
from fleet.model.events import Event
from fleet.model.job import Job, Resources
from fleet.model.units import parse_money
from fleet.store.scripts import missing_scripts
from fleet.workloads.before import refuse_hopeless
from fleet.workloads.suited import suited_job

JobLike = Job | str | Path | Mapping[str, Any]
"""A job, a job file or a folder that holds one, or the job file's fields."""
OnEvent = Callable[[Event], None]

if TYPE_CHECKING:
    from fleet.providers.priced import Overview


def _nothing(_event: Event) -> None:
    return None


def _job(job: JobLike) -> tuple[Job, Path]:
    import yaml

    from fleet.model.jobfile import parse_job
    from fleet.store.workdir import check_stack
    from fleet.workloads.kinds import check_options, read_job

    if not isinstance(job, (Job, Mapping)):
        return read_job(Path(job))
    made = job if isinstance(job, Job) else parse_job(yaml.safe_dump(dict(job)), "the job")
    check_stack(made, Path.cwd(), "the job")
    check_options(made, Path.cwd(), lambda *field: f"the job: {'.'.join(map(str, field))}")
    return made, Path.cwd()


def plan(job: JobLike) -> Plan:
    """What a job could run on now, at which price, and what would be chosen; with ``estimate`` in the job what the whole
    comes to. Makes nothing, not even a fleet."""
    wanted, _ = _job(job)
    return _planned(wanted)


def offers(
    job: JobLike | None = None,
    *,
    gpu: str | None = None,
    types: Iterable[str] = (),
    infra: str | None = None,
    market: Literal["spot", "spot-first", "on-demand"] = "spot-first",
) -> Plan:
    """What a job (or whatever fits these words) could run on, with what an hour of training is expected to cost on each."""
    if job is not None:
        return _planned(_job(job)[0])
    home = open_home()
    where = infra or ("aws" if home.aws() is not None else "gcp" if home.gcp() is not None else "local")
    try:
        wishes = Resources(infra=where, accelerators=gpu, instance_type=tuple(types), market=market)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise FleetError(told, "For example gpu='T4', infra='aws/us-east-1'.") from None
    return _planned(Job(name="offers", run="true", resources=wishes))


def _planned(wanted: Job) -> Plan:
    wanted = suited_job(wanted)
    refuse_without_engine(wanted)
    home = open_home()
    url = bucket_for(home, wanted)
    if holds_fleet(home, url):
        controller = open_fleet(home, url)
        refuse_deadline(controller.state, wanted, controller.objects.now())
        refuse_without_setup(wanted, controller.observer.providers)
        notes = refresh_prices(home, controller.objects, wanted)
        notes += missing_types(home, controller.objects, wanted)
        now = controller.objects.now()
        setup = aws_setup(controller.objects)
        try:
            found = offering(
                controller.state,
                controller.observer.providers.values(),
                wanted,
                now,
                lambda offers: fresh_hints(home.cache / "aws", setup, offers, now),
            )
        except FleetError as error:
            raise type(error)(error.message, "\n".join([*notes, error.hint])) if notes else error from None
        more = (*image_notes(home, controller.objects, wanted), *crossing(url, wanted))
        found = replace(found, notes=(*found.notes, *notes, *more))
    else:
        refuse_without_setup(wanted, providers_here(home))
        refuse_deadline(FleetState(), wanted, time.time())
        found = offering(FleetState(), providers_here(home).values(), wanted, 0.0)
    return replace(found, bucket=url)


def prices(
    *types: str,
    regions: Iterable[str] = (),
    gpu: str | None = None,
    days: int = 7,
    scores: bool = False,
    refresh: bool = False,
) -> Overview:
    """What EC2 and Compute Engine ask for types now, and EC2 over the last ``days`` days; in the regions that were set up
    unless named."""
    from fleet.control.price_looking import look
    from fleet.providers.priced import Wish

    return look(open_home(), Wish(tuple(regions), types, gpu, days, scores), force=refresh)


def up(job: JobLike, *, wait: bool = True, on_event: OnEvent = _nothing) -> RunView:
    """Start a job; with ``wait`` keep it alive until it is over. KeyboardInterrupt leaves the run going."""
    wanted, folder = _job(job)
    for told in missing_scripts(wanted, folder):
        warnings.warn(told, stacklevel=2)
    refuse_hopeless(wanted, folder, (), warnings.warn)
    wanted = suited_job(wanted)
    home = open_home()
    url = bucket_for(home, wanted)
    controller = open_fleet(home, url, create=True)
    home.remember_bucket(url)
    refuse_without_setup(wanted, controller.observer.providers)
    prepare(home, controller.objects, wanted, warnings.warn)
    run = start_run(controller, wanted, folder)
    _wake(controller, run)
    return _followed(controller, run, on_event, wait=wait)


def _wake(controller: Controller, run: RunState) -> None:
    told = wake_controller(open_home(), controller, run.job)
    if told:
        warnings.warn(told, stacklevel=3)


def _followed(controller: Controller, run: RunState, on_event: OnEvent, *, wait: bool) -> RunView:
    controller.on_event = on_event
    if wait:
        with present(open_home(), [controller], f"follows {run.name}") as tell:
            run = keep(controller, run.run_id, on_tick=tell)
    else:
        controller.tick()
        run = controller.state.runs[run.run_id]
    return view(controller, run)


def ps(*, last: int | None = None, bucket: str | None = None) -> list[RunView]:
    """Runs, the oldest first; with ``last`` only so many of those that are over."""
    return [view(controller, run) for controller, run in known_runs(bucket, last)[0]]


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
    try:
        cap = parse_money(budget) if budget is not None else None
    except ValueError as error:
        raise FleetError(str(error)) from None
    controller, _ = opened_run(bucket, run)
    resumed = resume_run(controller, run, cap)
    _wake(controller, resumed)
    return _followed(controller, resumed, on_event, wait=wait)


def note(run: str, text: str, *, bucket: str | None = None) -> RunView:
    """Keep a word of yours with a run."""
    controller, _ = opened_run(bucket, run)
    return view(controller, add_note(controller, run, text))


def checkpoints(run: str, *, bucket: str | None = None) -> list[saved.SavedSet]:
    """A run's committed checkpoints, newest first."""
    controller, found = opened_run(bucket, run)
    return saved.list_saved(controller.objects, found.run_id)


def verify(run: str, *, everything: bool = False, bucket: str | None = None) -> Iterator[tuple[saved.SavedSet, str | None]]:
    """Fetch the newest checkpoint (or each) and compare every byte: the checkpoint, and what is wrong with it or None."""
    controller, found = opened_run(bucket, run)
    sets = saved.list_saved(controller.objects, found.run_id)
    if not sets:
        raise FleetError(f"run {found.run_id} has no checkpoint yet")
    chosen = sets if everything else sets[:1]
    return ((one, saved.verify_saved(controller.objects, found.run_id, one)) for one in chosen)


def pull(run: str, into: str | Path, *, ref: CheckpointRef | None = None, bucket: str | None = None) -> Manifest:
    """Bring a checkpoint (the newest whole one unless named) into a new folder, verified."""
    controller, found = opened_run(bucket, run)
    return saved.pull_saved(controller.objects, found.run_id, ref, Path(into))


def prune(run: str, *, keep: int = 2, bucket: str | None = None) -> list[CheckpointRef]:
    """Remove all but the newest checkpoints, never the one that the run resumes from; those removed."""
    controller, found = opened_run(bucket, run)
    return saved.prune_saved(controller.objects, found.run_id, keep)


def volumes(*, bucket: str | None = None) -> list[inventory.KeptVolume]:
    """Every volume, with the run that it belongs to."""
    return [kept for controller in opened(bucket) for kept in inventory.volumes(controller)]


def delete_volume(volume: str, *, bucket: str | None = None) -> inventory.KeptVolume:
    """Delete a volume and everything on it, by its id; what it was."""
    controller, _ = inventory.find_volume(opened(bucket), volume)
    return inventory.delete_volume(controller, volume)


def gc(*, delete: bool = False, bucket: str | None = None) -> list[inventory.Unowned]:
    """Machines and volumes that no run owns; with ``delete`` they are ended and deleted."""
    found = [(controller, one) for controller in opened(bucket) for one in inventory.unowned(controller)]
    for controller, one in found if delete else ():
        inventory.collect(controller, one)
    return [one for _, one in found]


def run_controller(*, once: bool = False, bucket: str | None = None, on_event: OnEvent = _nothing) -> None:
    """Keep every run alive, for ever or for one round, as ``fleet controller run`` does."""
    controllers = list(opened(bucket))
    if not controllers:
        raise FleetError("there is no fleet yet", "`fleet up JOB` makes one.")
    for controller in controllers:
        controller.on_event = on_event
    if once:
        with rounded(open_home(), controllers):
            watch(controllers, once=True)
        return
    with present(open_home(), controllers, "controller run") as tell:
        watch(controllers, on_round=tell)


def controllers(*, bucket: str | None = None) -> list[Told]:
    """Who keeps runs alive, wherever they run, those that live first: as they told it in the bucket within the last day."""
    home = open_home()
    return [one for each in opened(bucket) for one in seen(each.objects, each.objects.now(), home)]


def repair_journal(*, bucket: str | None = None) -> str | None:
    """Set a torn last journal entry aside, as a power cut can leave one: where it lies now, or None."""
    from fleet.store.journal import repair_torn_tail

    home = open_home()
    return repair_torn_tail(open_bucket(home, bucket or home.bucket))
