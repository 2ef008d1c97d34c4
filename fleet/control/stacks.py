"""What a stack needs of this computer, asked before a run is recorded."""

from __future__ import annotations

import os

from fleet.core.allowed import providers_of
from fleet.model.errors import FleetError
from fleet.model.job import Job


def refuse_without_engine(job: Job) -> None:
    """Raise FleetError for a stack that could only run on this computer, and cannot."""
    if not job.in_containers or providers_of(job.resources) != {"local"}:
        return
    from fleet.workloads.compose import find_compose

    try:
        find_compose(os.environ)
    except FleetError as error:
        what = f"the job's stack ({job.stack})" if job.stack is not None else "the job's workload"
        message = f"{what} cannot run on this computer: {error.message}"
        raise FleetError(message, f"{error.hint} Then look again: fleet doctor") from None
