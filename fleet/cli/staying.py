"""Said before a run begins: whether anybody is there once this terminal is closed."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.cli.attending import warning
from fleet.cli.follow import to_stderr
from fleet.cli.plain import plain
from fleet.control.attendance import seen
from fleet.control.clouds import bucket_for
from fleet.control.controller import Controller
from fleet.control.fleets import holds_fleet, hostname, open_bucket
from fleet.control.home import Home, open_home
from fleet.core.allowed import providers_of
from fleet.core.presence import Told
from fleet.model.errors import FleetError, StoreError
from fleet.model.job import Job


def warn_before_starting(home: Home, job: Job) -> None:
    """Warn if nobody outlives this terminal and the job goes to a cloud. What is wrong beside that is told by others."""
    if providers_of(job.resources) == {"local"}:
        return
    try:
        url = bucket_for(home, job)
        objects = open_bucket(home, url)
        found = seen(objects, objects.now(), home) if holds_fleet(home, url) else []
    except FleetError:
        return
    _warn(found, job)


def warn_before_resuming(controller: Controller, job: Job) -> None:
    """The same of a run that is there."""
    if providers_of(job.resources) == {"local"}:
        return
    try:
        found = seen(controller.objects, controller.objects.now(), open_home())
    except StoreError:
        return
    _warn(found, job)


def _warn(found: Sequence[Told], job: Job) -> None:
    if told := warning(found, providers_of(job.resources), hostname()):
        to_stderr(plain(f"fleet: {told}") + "\n")
