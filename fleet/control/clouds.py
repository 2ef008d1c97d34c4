"""The clouds that a fleet was set up for: their providers, made when a bucket says so, and the bucket that a job goes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError

from fleet.core.allowed import alternatives, providers_of
from fleet.model import layout
from fleet.model.errors import FleetError, NotFoundError, StoreError
from fleet.model.job import Job
from fleet.model.setup import AwsSetup
from fleet.store.objects import Objects

if TYPE_CHECKING:
    from fleet.control.home import Home
    from fleet.providers.base import Provider

CALLS_PER_SECOND = 5.0
CALLS_AT_ONCE = 20.0
"""Of one controller in one region. EC2 gives an account twice that and more for what changes nothing, and shares it with
everything else that runs there (its documentation on request throttling)."""


def cloud_providers(home: Home, fleet_id: str, objects: Objects) -> dict[str, Provider]:
    """The clouds' providers by name; none for a bucket that their machines could not reach.

    Nothing is asked of a cloud, and no SDK imported, until a provider is called.
    """
    setup = aws_setup(objects)
    if setup is None:
        return {}
    if setup.fleet_id != fleet_id:
        raise StoreError(
            f"{layout.AWS_SETUP} was written for another fleet ({setup.fleet_id})", "`fleet init aws` mends it."
        )
    from fleet.providers.aws.provider import AwsProvider
    from fleet.providers.aws.session import by_default
    from fleet.providers.wrap import Guard, Limit, Retry

    by_default(home.aws_profile(objects.url))

    amazon = AwsProvider(fleet_id, setup, home.cache / "aws")
    return {"aws": Guard(Retry(Limit(amazon, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE)))}


def aws_setup(objects: Objects) -> AwsSetup | None:
    """What ``fleet init aws`` left in a bucket; None if it never was there. Raises StoreError if it cannot be read."""
    if not objects.url.startswith("s3://"):
        return None
    try:
        return AwsSetup.model_validate_json(objects.get(layout.AWS_SETUP))
    except NotFoundError:
        return None
    except ValidationError as error:
        told = error.errors()[0]["msg"] if error.errors() else "unreadable"
        raise StoreError(
            f"{layout.AWS_SETUP} holds no set-up that this version knows: {told}",
            "Upgrade fleet, or write it anew: fleet init aws",
        ) from None


def refresh_prices(home: Home, objects: Objects, job: Job) -> tuple[str, ...]:
    """Fetch the prices that a job may be placed by, where they are older than their limits: before a plan, never in a tick.

    Returns what could not be had and what is used instead, a line each.
    """
    setup = aws_setup(objects)
    told: list[str] = []
    for region, types in _wanted(job, setup).items():
        from fleet.providers.aws.offers import refresh

        told.extend(refresh(setup, region, home.cache / "aws", types))
    return tuple(told)


def missing_types(home: Home, objects: Objects, job: Job) -> tuple[str, ...]:
    """What of a job's wishes EC2 has no offer of at all, why, and what serves instead at which price; a sentence each."""
    setup = aws_setup(objects)
    wanted = _wanted(job, setup)
    if not wanted or setup is None:
        return ()
    from fleet.providers.aws.missing import explain_missing
    from fleet.providers.aws.offers import offers

    known = [offer for region in wanted for offer in offers(setup, region, home.cache / "aws")]
    ways = [one for one in alternatives(job.resources) if one.infra.partition("/")[0] == "aws"]
    return tuple(
        {
            missing.told: None
            for one in ways
            for missing in explain_missing(one.instance_type, one.accelerators, known, tuple(wanted))
        }
    )


def _wanted(job: Job, setup: AwsSetup | None) -> dict[str, list[str]]:
    """The regions that a job may go to, each with the types that it names there."""
    found: dict[str, list[str]] = {}
    for one in alternatives(job.resources) if setup is not None else ():
        name, _, rest = one.infra.partition("/")
        region = rest.partition("/")[0]
        for each in sorted(setup.regions) if setup is not None and name == "aws" else ():
            if region in ("", each):
                found.setdefault(each, []).extend(one.instance_type)
    return found


def bucket_for(home: Home, job: Job) -> str:
    """Where a job's run is kept: what it says, else the bucket of the cloud that it goes to, else a folder of this home.

    Raises FleetError if it goes to a cloud that was not set up here.
    """
    if job.bucket is not None:
        return job.bucket
    if providers_of(job.resources) == {"local"}:
        return home.bucket
    known = home.aws()
    if known is None:
        raise FleetError(
            "this job runs on EC2, which was not set up from here", "Once: fleet init aws. Or name its bucket in the job."
        )
    return known.bucket


def refuse_without_setup(job: Job, providers: Mapping[str, Provider]) -> None:
    """Raises FleetError for a job that none of the fleet's clouds can serve."""
    missing = sorted(providers_of(job.resources) - set(providers))
    if missing and len(missing) == len(providers_of(job.resources)):
        raise FleetError(f"this fleet was not set up for {', '.join(missing)}", f"Once: fleet init {missing[0]}")
