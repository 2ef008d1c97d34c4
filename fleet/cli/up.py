"""``fleet up``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from fleet import api
from fleet.cli.app import EXIT_INTERRUPTED, EXIT_RUN
from fleet.cli.ask import confirm
from fleet.cli.attending import goes_on, others
from fleet.cli.deadlines import notes
from fleet.cli.follow import Timeline, follow, to_stderr, to_stdout
from fleet.cli.leaving import leave_properly
from fleet.cli.output import emit
from fleet.cli.plain import plain
from fleet.cli.staying import warn_before_starting
from fleet.cli.views import run_object
from fleet.control.clouds import bucket_for, prepare, refuse_without_setup, wake_controller
from fleet.control.controller import Controller
from fleet.control.fleets import hostname, open_fleet
from fleet.control.home import Home, open_home
from fleet.control.keeping import over
from fleet.control.offering import NothingFitsError, Plan
from fleet.control.presence import present
from fleet.control.runs import start_run, view
from fleet.core.allowed import providers_of
from fleet.core.facts import place_of
from fleet.core.plan.volumes import KEEP
from fleet.core.state import RunState
from fleet.model.job import Job
from fleet.model.units import format_duration, format_money
from fleet.store.scripts import missing_scripts
from fleet.workloads.before import refuse_hopeless
from fleet.workloads.kinds import read_job
from fleet.workloads.suited import suited_job

Timed = TypeVar("Timed", bound=Timeline)


def start(job_path: Path, *, yes: bool, detach: bool, as_json: bool) -> int:
    """Start a run of the job and follow it; the exit code is 0 if it succeeded."""
    controller, run, timeline = launch(job_path, lambda: Timeline(to_stderr if as_json else to_stdout), yes=yes)
    return follow_to_the_end(controller, run, timeline, detach=detach, as_json=as_json)


def launch(job_path: Path, timeline_of: Callable[[], Timed], *, yes: bool) -> tuple[Controller, RunState, Timed]:
    """Start a run of the job, after its price was shown and agreed to; what happens from then on is told to a timeline."""
    job, folder = read_job(job_path)
    warned = warn_of_missing_scripts(job, folder)
    if warned:
        confirm("Start it all the same?", yes=yes, otherwise="nothing was started")
    home = open_home()
    named, job = job, suited_job(job)
    warn_before_starting(home, job)
    plan = _planned(job_path, job) if not yes or job.workload is not None else None
    refuse_hopeless(named, folder, accelerators_of(plan), tell_warning)
    _confirm(job, plan, yes=yes)
    url = bucket_for(home, job)
    timeline = timeline_of()
    controller = open_fleet(home, url, create=True)
    home.remember_bucket(url)
    refuse_without_setup(job, controller.observer.providers)
    prepare(home, controller.objects, job, lambda text: timeline.line(None, f"preparing   {text}"))
    run = start_run(controller, job, folder)
    controller.on_event = timeline.event
    timeline.line(None, f"created     run {run.run_id} in {url}")
    for told in notes(view(controller, run)):
        timeline.line(None, told)
    tell_if_asleep(home, controller, run)
    return controller, run, timeline


def tell_if_asleep(home: Home, controller: Controller, run: RunState) -> None:
    """Wake the controller that was deployed for good, if there is one; what could not be done is said, and stops nothing."""
    told = wake_controller(home, controller, run.job)
    if told:
        to_stderr(plain(f"fleet: {told}") + "\n")


def warn_of_missing_scripts(job: Job, folder: Path) -> bool:
    """Tell of scripts that would not be on the machine, before a machine is paid for; True if there are any."""
    told = missing_scripts(job, folder)
    for one in told:
        to_stderr(plain(f"fleet: {one}") + "\n")
    return bool(told)


def follow_to_the_end(
    controller: Controller,
    run: RunState,
    timeline: Timeline,
    *,
    detach: bool,
    as_json: bool,
    farewell: Callable[[Controller, RunState], str] | None = None,
    as_object: Callable[[Controller, RunState], Mapping[str, object]] | None = None,
) -> int:
    """Follow a run until it is over (or its machine is launched); the exit code is 0 if it succeeded. Ctrl-C leaves it.

    ``farewell`` and ``as_object``: what is said in the end of a run that is none like all others, to people and to programs.
    """
    as_object = as_object or _as_object
    try:
        leave_properly()
        with present(open_home(), [controller], f"follows {run.name}") as tell:
            run = follow(controller, run.run_id, timeline, until=_launched if detach else over, tell=tell)
    except KeyboardInterrupt:
        run = controller.state.runs[run.run_id]
        to_stderr(f"\n{_goes_on(controller, run)}\n")
        if as_json:
            emit(as_object(controller, run))
        return EXIT_INTERRUPTED
    if as_json:
        emit(as_object(controller, run))
    elif run.ended_at is not None:
        to_stdout((farewell or _farewell)(controller, run))
    else:
        to_stdout(_goes_on(controller, run) + "\n")
    return 0 if run.outcome in (None, "succeeded") else EXIT_RUN


def _as_object(controller: Controller, run: RunState) -> Mapping[str, object]:
    return run_object(view(controller, run))


def _launched(run: RunState) -> bool:
    """Here its agent speaks at once; a cloud's machine takes minutes to boot, which nobody need wait for."""
    new = [a for a in run.attempts.values() if a.number > run.resumed_after]
    there = [a for a in new if a.instance_id is not None and (a.began_at is not None or place_of(a)[0] != "local")]
    return run.ended_at is not None or bool(there)


def tell_warning(told: str) -> None:
    """What speaks against a job, and does not refuse it."""
    to_stderr(plain(f"fleet: {told}") + "\n")


def accelerators_of(plan: Plan | NothingFitsError | None) -> list[str | None]:
    """What the machines that may serve have; of this computer it is not known."""
    if not isinstance(plan, Plan):
        return []
    return [next(iter(one.offer.accelerators), None) for one in plan.offers if one.offer.provider != "local"]


def _planned(path: Path, job: Job) -> Plan | NothingFitsError | None:
    """What it may run on, where that costs money; None on this computer."""
    if providers_of(job.resources) == {"local"}:
        return None
    try:
        return api.plan(path)
    except NothingFitsError as error:
        return error


def _confirm(job: Job, plan: Plan | NothingFitsError | None, *, yes: bool) -> None:
    """What costs money is shown with its price, and asked about. Machines on this computer cost nothing."""
    if yes or plan is None or providers_of(job.resources) == {"local"}:
        return
    if isinstance(plan, NothingFitsError):
        to_stderr(plain(f"fleet: {plan.message} now; {plan.hint}") + "\n")
        confirm("Start it all the same, and wait?", yes=False, otherwise="nothing was started")
        return
    to_stderr(plain(spending(plan)) + "\n")
    confirm("Start it?", yes=False, otherwise="nothing was started", default=True)


def spending(plan: Plan) -> str:
    """What a run is about to cost: by the hour, by the day, and where it ends."""
    job, budget = plan.job, plan.job.budget
    one = next((one for one in plan.offers if one.chosen), None)
    if one is None:
        begins = f"Nothing can be had this moment ({plan.why}): it waits."
        one = plan.offers[0]
    elif plan.waits:
        begins = f"It waits: {plan.waits}."
    else:
        begins = f"It begins on {one.offer.instance_type} in {one.offer.zone}, {one.offer.market.value}."
    hourly = f"{format_money(one.offer.price)} an hour, {format_money(one.hourly)} with its volume of {job.volume.size} GB"
    usual = f"on demand {format_money(one.offer.on_demand_price)}"
    caps = {"run": budget.run, "day": budget.day, "month": budget.month}
    told = [f"{format_money(cap)} a {name}" for name, cap in caps.items() if cap is not None]
    if told:
        ends = f"{' and '.join(told)} at most: its budget"
    elif job.max_duration is not None:
        most = format_money(round(one.hourly * job.max_duration / 3600))
        ends = f"{most} for the {format_duration(job.max_duration)} that it may take"
    else:
        ends = f"{format_money(one.daily)} a day until it ends: it has neither a budget nor a max_duration"
    return f"{begins}\n{hourly} ({usual}).\n{ends[0].upper()}{ends[1:]}."


def _goes_on(controller: Controller, run: RunState) -> str:
    """What goes on without this terminal, what it costs, and who looks after it, if anybody does."""
    seen = view(controller, run)
    return (
        f"Run {run.run_id} goes on ({seen.phase}, {format_money(seen.cost.rate)}/h). Its machine trains and saves by\n"
        f"itself, {plain(goes_on(others(controller), hostname(), providers_of(run.job.resources)))}\n"
        f"Look: `fleet ps`, `fleet logs -f {run.name}`. End it: `fleet stop {run.name}`."
    )


def _farewell(controller: Controller, run: RunState) -> str:
    told = run_object(view(controller, run))
    lines = [
        f"\nRun {run.run_id} {run.outcome}: {run.reason}",
        f"  attempts {len(run.attempts)}, interruptions {told['interruptions']}",
        f"  work lost {told['steps_lost']} steps ({told['seconds_lost']:.1f} s)",
        f"  cost ${told['cost_usd']:.6f}, on demand ${told['on_demand_usd']:.6f}",
    ]
    if run.outcome == "succeeded" and run.job.outputs:
        lines.append(f"  models: {controller.objects.url.rstrip('/')}/models/{run.name}/")
    for volume in run.volumes.values():
        if volume.held:
            monthly = format_money(volume.size_gb * volume.price)
            kept = format_duration(run.job.volume.keep if run.job.volume.keep is not None else KEEP)
            lines.append(f"  volume {volume.volume_id} ({volume.size_gb} GB, {monthly} a month) is kept for {kept};")
            lines.append(f"    delete it: fleet volumes delete {volume.volume_id}")
    return plain("\n".join(lines) + "\n")
