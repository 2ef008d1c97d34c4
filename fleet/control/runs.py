"""What a user does with runs: start one, stop it, take it down, look at it."""

from __future__ import annotations

import contextlib
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from fleet.control.budgets import with_zone
from fleet.control.clouds import refuse_without_setup
from fleet.control.controller import Controller
from fleet.control.names import nearest
from fleet.control.rates import billing_of
from fleet.control.stacks import refuse_without_engine
from fleet.core.allowed import providers_of
from fleet.core.budget.waiting import waits_for_budget
from fleet.core.costs import RunCost, run_cost
from fleet.core.keeping import Verdict, judge
from fleet.core.keeping.forecast import Forecast, forecast
from fleet.core.keeping.refusing import refusal
from fleet.core.keeping.verdict import known_offers, usual_overheads
from fleet.core.observed import AttemptKey, Observed
from fleet.core.pace import pace_of
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.model import layout
from fleet.model.base import Micros, Seconds
from fleet.model.cloud import Billing, Offer
from fleet.model.documents import Heartbeat, Mount
from fleet.model.errors import FleetError
from fleet.model.events import NoteAdded, RunCreated, RunResumed, StopRequested
from fleet.model.job import Job
from fleet.model.units import format_duration

PACKING = "fleet-pack-"
"""How the folder begins, among the system's temporary ones, in which a job is packed."""
ABANDONED: Seconds = 6 * 3600
"""Nobody packs for so long."""


def start_run(
    controller: Controller, job: Job, folder: Path, *, suffix: Callable[[], str] = lambda: secrets.token_hex(4)
) -> RunState:
    """Make a run of a job; ``folder`` is where the job file lies, ``suffix`` tells runs of one name apart.

    Refuses while a run of the name is live.
    """
    from fleet.store.workdir import source_path  # not for those who only look: it brings YAML along

    job = with_zone(job)
    refuse_without_engine(job)
    refuse_without_setup(job, controller.observer.providers)
    _refuse_live(controller.state, job)
    refuse_deadline(controller.state, job, controller.objects.now())
    key = None
    if job.workdir is not None:
        key = _packed(controller, folder / job.workdir).key
    mounts = {where: _packed(controller, source_path(folder, source)) for where, source in job.file_mounts.items()}
    run_id = f"{job.name}-{suffix()}"
    now = controller.objects.now()
    event = RunCreated(at=now, run_id=run_id, name=job.name, job=job, workdir_key=key, mounts=mounts)
    if not controller.record([event], still=lambda state: live_run(state, job.name) is None):
        _refuse_newer(controller)
        _refuse_live(controller.state, job)
    return controller.state.runs[run_id]


def refuse_deadline(state: FleetState, job: Job, now: Seconds) -> None:
    """Raise FleetError, with the earliest deadline that can be kept, for one that is impossible from the start."""
    found = refusal(job, now, usual_overheads(state, job.name, pace_of(min(providers_of(job.resources)))))
    if found is None:
        return
    why, earliest = found
    if job.estimate is None:
        raise FleetError(why, "Name a later one.")
    at = datetime.fromtimestamp(earliest).astimezone().strftime("%Y-%m-%d %H:%M %Z")
    # Rounded up to the minute: what is named here is not refused a moment later.
    least = format_duration(math.ceil((earliest - now + 60) / 60) * 60)
    raise FleetError(why, f"The earliest that can be kept is `deadline: {least}` ({at}).")


def _packed(controller: Controller, path: Path) -> Mount:
    """Pack a folder or a file, and put it into the bucket under its hash."""
    from tempfile import TemporaryDirectory

    from fleet.store.workdir import pack_path

    _clear_abandoned()
    with TemporaryDirectory(prefix=PACKING) as temporary:
        packed = pack_path(path, Path(temporary) / "packed.tar")
        key = layout.job_archive(packed.sha256)
        controller.objects.upload(key, packed.path)
    return Mount(key=key, is_file=path.is_file())


def _clear_abandoned() -> None:
    """Remove what an `up` left that was killed while it packed: it may be as large as the workdir."""
    import shutil
    import tempfile
    import time

    for left in Path(tempfile.gettempdir()).glob(f"{PACKING}*"):
        with contextlib.suppress(OSError):  # another user's, or gone already
            if time.time() - left.stat().st_mtime > ABANDONED:
                shutil.rmtree(left, ignore_errors=True)


def live_run(state: FleetState, name: str) -> RunState | None:
    """The newest run of a name, if it has not ended."""
    run = state.runs.get(state.names.get(name, ""))
    return run if run is not None and run.ended_at is None else None


def find_run(state: FleetState, name: str) -> RunState:
    """A run by its name (the newest of it) or its id. Raises FleetError, naming the nearest ones."""
    run = state.runs.get(state.names.get(name, name))
    if run is None:
        raise FleetError(f"there is no run {name!r}; {nearest(name, [*state.names, *state.runs])}", "`fleet ps` lists runs.")
    return run


def stop_run(controller: Controller, name: str, how: str) -> RunState:
    """Record the user's word: ``stop`` (checkpoint, then end) or ``down`` (end every instance at once)."""
    run = find_run(controller.state, name)
    if run.ended_at is not None and (how == "stop" or not run.live_attempts):
        raise FleetError(f"run {run.run_id} {run.outcome} already: {run.reason}")
    event = StopRequested(at=controller.objects.now(), run_id=run.run_id, how="down" if how == "down" else "stop")
    if not controller.record([event]):
        _refuse_newer(controller)
    return controller.state.runs[run.run_id]


def resume_run(controller: Controller, name: str, budget: Micros | None = None) -> RunState:
    """Let a run that ended go on from its newest checkpoint, or one that waits for its user's word try again.

    Raises FleetError if it lives otherwise, or another of its name does.
    """
    run = find_run(controller.state, name)
    if run.waits_for_user:
        said = RunResumed(at=controller.objects.now(), run_id=run.run_id, budget=budget)
        if not controller.record([said]):
            _refuse_newer(controller)
        return controller.state.runs[run.run_id]
    if run.ended_at is None:
        raise FleetError(f"run {run.run_id} is live", f"`fleet status {run.name}` shows what it does.")
    refuse_without_engine(run.job)
    _refuse_live(controller.state, run.job)
    event = RunResumed(at=controller.objects.now(), run_id=run.run_id, budget=budget)
    if not controller.record([event], still=lambda state: live_run(state, run.name) is None):
        _refuse_newer(controller)
    return controller.state.runs[run.run_id]


def add_note(controller: Controller, name: str, text: str) -> RunState:
    """Keep a word of the user's with a run."""
    run = find_run(controller.state, name)
    if not text.strip():
        raise FleetError("a note has words", f'`fleet note {run.name} "tried a lower learning rate"`')
    if not controller.record([NoteAdded(at=controller.objects.now(), run_id=run.run_id, text=text.strip())]):
        _refuse_newer(controller)
    return controller.state.runs[run.run_id]


def _refuse_newer(controller: Controller) -> None:
    if controller.read_only:
        raise FleetError(controller.read_only)


def _refuse_live(state: FleetState, job: Job) -> None:
    run = live_run(state, job.name)
    if run is None:
        return
    before, after = run.job.model_dump(mode="json"), job.model_dump(mode="json")
    changed = [f"{key}: {before[key]!r} there, {after[key]!r} here" for key in before if before[key] != after[key]]
    difference = "; ".join(changed) if changed else "the job is the same"
    raise FleetError(
        f"run {run.run_id} is live; {difference}",
        f"`fleet stop {job.name}` ends it after a checkpoint; or give the job another name.",
    )


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as people look at it."""

    run: RunState
    attempt: AttemptState | None
    beat: Heartbeat | None
    cost: RunCost
    at: Seconds = 0.0
    """When it was looked at, by the bucket's clock."""
    named: bool = True
    """Its name means this run: there is no newer one."""
    beats: Mapping[AttemptKey, Heartbeat] = field(default_factory=dict)
    """The last words of all its machines."""
    billing: Mapping[str, Billing] = field(default_factory=dict)
    """How each provider charges."""
    state: FleetState = field(default_factory=FleetState)
    disk_price: Micros = 0
    """What a new disk costs where it may be made, per GB and month."""

    @property
    def waits(self) -> str:
        """Which budget for a day or a month lets no machine of it run now; empty: none keeps it from that."""
        later = waits_for_budget(self.state, self.run, self.at, self.billing, self.disk_price)
        return later.reason if later is not None else ""

    @property
    def forecast(self) -> Forecast | None:
        """Whether it makes its deadline; None: it has none."""
        return forecast(self.run, self.beats, self.at)

    def verdict(self) -> Verdict | None:
        """What its deadline asks for now, at the prices of its own launches; None: it has none, or leaves no choice."""
        offers: dict[str, list[Offer]] = {}
        for offer in known_offers(self.run):
            offers.setdefault(offer.provider, []).append(offer)
        seen = {name: tuple(some) for name, some in offers.items()}
        return judge(self.state, self.run, Observed(now=self.at, heartbeats=self.beats, offers=seen))

    @property
    def phase(self) -> str:
        """One word: the run's outcome, else what its newest attempt does."""
        if self.run.outcome is not None:
            return self.run.outcome
        if self.run.want != "train":
            return "stopping"
        if self.attempt is None or self.attempt.phase in ("intended", "refused", "gone", "ending", "released"):
            return "waiting" if self.attempt is None or not self.attempt.serving else "launching"
        if self.beat is not None and self.attempt.phase == "running":
            return self.beat.phase
        return "booting" if self.attempt.phase == "launched" else self.attempt.phase


def view(controller: Controller, run: RunState) -> RunView:
    """A run with the last word of the attempt that carries it and its cost until now."""
    billing = billing_of(controller.observer.providers)
    attempt = run.carrier
    heard = {n: controller.observer.beat(run.run_id, n) for n in run.attempts}
    beats = {(run.run_id, n): beat for n, beat in heard.items() if beat is not None}
    beat = heard.get(attempt.number) if attempt else None
    now, named = controller.objects.now(), controller.state.names.get(run.name) == run.run_id
    where = controller.observer.providers.get(min(providers_of(run.job.resources)))
    disk = where.capabilities.volume_price if where is not None else 0
    return RunView(run, attempt, beat, run_cost(run, now, billing), now, named, beats, billing, controller.state, disk)
