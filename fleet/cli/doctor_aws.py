"""``fleet doctor aws``: what an account must allow and hold, checked before a run is trusted to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from fleet import __version__
from fleet.cli.doctor import Finding
from fleet.control.account import FIRST_REGION
from fleet.control.fleets import open_bucket
from fleet.control.home import Home, open_home
from fleet.control.setups import aws_function, aws_setup, gcp_setup
from fleet.model.errors import FleetError, StoreError
from fleet.model.job import Job
from fleet.providers.aws.checks import Look, look_at
from fleet.providers.looked import Check, Checked
from fleet.store.awsconfig import read_config


def findings_in_aws(job_file: Path | None, bucket: str | None) -> Iterator[Finding]:
    """Everything there is to know before a launch, for a job if one is named. Raises JobError if that is wrong."""
    from fleet.workloads.kinds import read_job

    job = read_job(job_file)[0] if job_file is not None else None
    home = open_home()
    url = bucket or (job.bucket if job is not None else None) or _known(home)
    look = _look(home, url, job)
    if job is not None and not look.wishes:
        yield Finding("job", "note", f"{job.name} does not run on aws: its infra is {job.resources.infra}")
    more: list[tuple[str, Check]] = []
    if url is not None and url.startswith("s3:"):
        more = [("bucket", lambda: [exclusive(home, url)]), ("controller", lambda: deployed(home, url))]
    if url is not None and url.startswith("gs:"):
        more = [("bucket", lambda: [exclusive(home, url)]), ("trust", lambda: trusted(home, url))]
    for one in look_at(look, more):
        yield Finding(one.what, one.state, one.told, one.remedy)


def _known(home: Home) -> str | None:
    """The bucket on S3 that is known here, the newest if there are several; or the one that EC2 was set up with."""
    known = home.aws()
    other = known.bucket if known is not None else None
    return next((url for url in reversed(home.known_buckets()) if url.startswith("s3:")), other)


def _look(home: Home, url: str | None, job: Job | None) -> Look:
    profile = home.aws_profile(url) if url is not None else None
    place = urlsplit(url or "")
    on_s3 = place.scheme == "s3"
    setup, unread = None, ""
    try:
        setup = aws_setup(open_bucket(home, url)) if url is not None else None
    except StoreError as error:
        unread = error.message
    region = setup.bucket_region if setup is not None else read_config(os.environ, profile).region or FIRST_REGION
    return Look(
        setup,
        region,
        job,
        place.netloc if on_s3 else None,
        place.path.strip("/") if on_s3 else "",
        profile,
        home.cache / "aws",
        unread=unread,
    )


def exclusive(home: Home, url: str) -> Checked:
    """Written through obstore, as fleet does it, with the credentials that it is given."""
    from fleet.store.probe import check_exclusive_creation

    try:
        check_exclusive_creation(open_bucket(home, url))
    except FleetError as error:
        return Checked("bucket", "bad", error.message, error.hint)
    return Checked("bucket", "good", f"{url} can be written and honours exclusive creation")


def trusted(home: Home, url: str) -> list[Checked]:
    """Google's trust in the machines of EC2; nothing, if none were set up for this bucket."""
    objects = open_bucket(home, url)
    setup, google = aws_setup(objects), gcp_setup(objects)
    if setup is None or google is None:
        return []
    from fleet.providers.aws.google_way import GoogleWay, Trusted, judge

    way = GoogleWay(google.project, google.number, google.service_account)
    return [judge(Trusted(way, setup.fleet_id, setup.account, setup.instance_profile, setup.partition))]


def deployed(home: Home, url: str) -> list[Checked]:
    """The controller in the account: whether it is called, and which fleet it is. Nothing, if none was deployed."""
    from fleet.providers.aws.calling import DENIED_CONTROLLER, Calls
    from fleet.providers.aws.schedules import Schedules

    record = aws_function(open_bucket(home, url))
    if record is None:
        return []
    remedy = "fleet controller deploy aws"
    on = Schedules(record, Calls(home.aws_profile(url), denied=DENIED_CONTROLLER)).minute()
    if on is None:
        return [Checked("controller", "bad", f"{record.function} was removed by hand: nobody calls it", remedy)]
    if record.version != __version__:
        told = f"{record.function} runs fleet {record.version}, and this is {__version__}"
        return [Checked("controller", "note", told, remedy)]
    rhythm = "each minute" if on else "each hour, and each minute once a run lives"
    return [Checked("controller", "good", f"{record.function} is called {rhythm}")]
