"""``fleet doctor gcp``: what a project must allow and hold, checked before a run is trusted to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fleet.cli.doctor import Finding
from fleet.cli.doctor_aws import exclusive
from fleet.control.fleets import open_bucket
from fleet.control.gcp_place import project_of, trust_in
from fleet.control.home import Home, open_home
from fleet.control.setups import gcp_setup
from fleet.model.errors import StoreError
from fleet.model.job import Job
from fleet.providers.gcp.calling import Calls
from fleet.providers.gcp.checks import POLICY, Look, look_at
from fleet.providers.looked import Check


def findings_in_gcp(job_file: Path | None, bucket: str | None) -> Iterator[Finding]:
    """Everything there is to know before a launch, for a job if one is named. Raises JobError if that is wrong."""
    from fleet.workloads.kinds import read_job

    job = read_job(job_file)[0] if job_file is not None else None
    home = open_home()
    known = home.gcp()
    url = bucket or (job.bucket if job is not None else None) or (known.bucket if known is not None else None)
    look = _look(home, url, job)
    if job is not None and not look.wishes:
        yield Finding("job", "note", f"{job.name} does not run on gcp: its infra is {job.resources.infra}")
    more: list[tuple[str, Check]] = [("bucket", lambda: [exclusive(home, url)])] if url is not None else []
    for one in look_at(look, more):
        yield Finding(one.what, one.state, one.told, one.remedy)


def _look(home: Home, url: str | None, job: Job | None) -> Look:
    setup, trust, unread = None, None, ""
    try:
        if url is not None:
            objects = open_bucket(home, url)
            setup, trust = gcp_setup(objects), trust_in(home, objects)
    except StoreError as error:
        unread = error.message
    project = setup.project if setup is not None else project_of(home, None)
    return Look(Calls(project, denied=POLICY), setup, job, trust, unread)
