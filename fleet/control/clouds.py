"""The clouds that a fleet was set up for: their providers, made when a bucket says so, and the bucket that a job goes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from fleet import __version__
from fleet.control.images import image_notes
from fleet.control.prices import refresh_prices
from fleet.control.setups import aws_setup, gcp_setup
from fleet.core.allowed import providers_of
from fleet.model import layout
from fleet.model.errors import FleetError, StoreError
from fleet.model.job import Job
from fleet.model.units import format_money
from fleet.store.objects import Objects

if TYPE_CHECKING:
    from fleet.control.controller import Controller
    from fleet.control.home import Home
    from fleet.model.cloud import Offer
    from fleet.model.setup import AwsSetup, GcpSetup
    from fleet.providers.base import Provider

CALLED = {"aws": "EC2", "gcp": "Compute Engine"}
CALLS_PER_SECOND = 5.0
CALLS_AT_ONCE = 20.0
"""Of one controller in one region. EC2 gives an account twice that and more for what changes nothing, Compute Engine gives a
project 25 reads a second, and both share it with everything else that runs there (their documents on throttling)."""


def cloud_providers(
    home: Home,
    fleet_id: str,
    objects: Objects,
    *,
    shop: Callable[[AwsSetup, str], Sequence[Offer]] | None = None,
    book: Callable[[str], Sequence[Offer]] | None = None,
    tries: int = 4,
) -> dict[str, Provider]:
    """The clouds' providers by name; none for a bucket that their machines could not reach.

    Nothing is asked of a cloud, and no SDK imported, until a provider is called. ``shop`` and ``book`` tell what is sold in
    a region of EC2, and what its machines were sold at, for whoever has no disk where prices were kept. ``tries``: how often
    a call is made at most, while it is not answered.
    """
    made: dict[str, Provider] = {}
    amazon, google = aws_setup(objects), gcp_setup(objects)
    if amazon is not None:
        _check(amazon.fleet_id, fleet_id, layout.AWS_SETUP, "fleet init aws")
        made["aws"] = _guarded(_aws(home, objects, amazon, shop, book), tries)
    if google is not None:
        _check(google.fleet_id, fleet_id, layout.GCP_SETUP, "fleet init gcp")
        made["gcp"] = _guarded(_gcp(home, objects, google), tries)
    return made


def _check(written_for: str, fleet_id: str, key: str, command: str) -> None:
    if written_for != fleet_id:
        raise StoreError(f"{key} was written for another fleet ({written_for})", f"`{command}` mends it.")


def _guarded(provider: Provider, tries: int) -> Provider:
    from fleet.providers.wrap import Guard, Limit, Retry

    return Guard(Retry(Limit(provider, per_second=CALLS_PER_SECOND, burst=CALLS_AT_ONCE), tries=tries))


def _aws(
    home: Home,
    objects: Objects,
    setup: AwsSetup,
    shop: Callable[[AwsSetup, str], Sequence[Offer]] | None,
    book: Callable[[str], Sequence[Offer]] | None,
) -> Provider:
    from fleet.providers.aws.profiled import Profiled
    from fleet.providers.aws.provider import AwsProvider

    own = (lambda region: shop(setup, region)) if shop is not None else None
    cache = home.cache / "aws"
    cloud = AwsProvider(setup.fleet_id, setup, cache, newest=lambda: aws_setup(objects), shop=own, book=book)
    return Profiled(cloud, home.aws_profile(objects.url))


def _gcp(home: Home, objects: Objects, setup: GcpSetup) -> Provider:
    from fleet.providers.gcp.provider import GcpProvider

    return GcpProvider(setup.fleet_id, setup, home.cache / "gcp", newest=lambda: gcp_setup(objects))


def prepare(home: Home, objects: Objects, job: Job, tell: Callable[[str], None]) -> None:
    """What a launch in a cloud needs and takes time the first time: prices, and the agent in the bucket.

    ``tell`` hears what is done, and what could not be had. Raises FleetError if no machine could be brought up.
    """
    read: dict[str, Callable[[Objects], object]] = {"aws": aws_setup, "gcp": gcp_setup}
    if all(read[name](objects) is None for name in sorted(providers_of(job.resources) & read.keys())):
        return
    for told in (*refresh_prices(home, objects, job), *image_notes(home, objects, job)):
        tell(told)
    from fleet.boot.wheelhouse import ensure_wheels

    ensure_wheels(objects, __version__, arches=("x86_64",), tell=tell)


def wake_controller(home: Home, controller: Controller, job: Job) -> str:
    """After a run of a job was recorded: switch on the controller that was deployed in a cloud that it may go to.

    What could not be done and what to do, in a sentence; else empty. Never raises.
    """
    if not controller.objects.url.startswith("s3://") or "aws" not in providers_of(job.resources):
        return ""
    from fleet.control.aws_function import wake

    return wake(home, controller)


def bucket_for(home: Home, job: Job) -> str:
    """Where a job's run is kept: what it says, else the bucket of the cloud that it goes to, else a folder of this home.

    Raises FleetError if it goes to a cloud that was not set up here.
    """
    if job.bucket is not None:
        return job.bucket
    clouds = providers_of(job.resources) - {"local"}
    if not clouds:
        return home.bucket
    aws, gcp = home.aws(), home.gcp()
    known = {name: found.bucket for name, found in (("aws", aws), ("gcp", gcp)) if found is not None and name in clouds}
    if not known:
        where, first = " or ".join(CALLED.get(name, name) for name in sorted(clouds)), min(clouds)
        raise FleetError(
            f"this job runs on {where}, which was not set up from here",
            f"Once: fleet init {first}. Or name its bucket in the job.",
        )
    if len(set(known.values())) > 1:
        raise FleetError(
            f"this job may go to either cloud, and each was set up as a fleet of its own: {known['aws']}, {known['gcp']}",
            f"One fleet in both: fleet init gcp --bucket {known['aws']}. Or name the bucket in the job.",
        )
    return next(iter(known.values()))


def crossing(url: str, job: Job) -> tuple[str, ...]:
    """What it costs that a job's machines may be in another cloud than the bucket at ``url``, in a sentence each."""
    from fleet.control.rates import rates_of

    home = {"s3": "aws", "gs": "gcp"}.get(url.partition(":")[0])
    if home is None:
        return ()
    listed = rates_of({})
    back = format_money(listed[home].egress_gb)
    return tuple(
        f"what machines on {CALLED[name]} save goes to {url} over the internet, at about "
        f"{format_money(listed[name].egress_gb)} a GB, and what they restore comes from there at about {back} a GB"
        for name in sorted(providers_of(job.resources) & (CALLED.keys() - {home}))
    )


def refuse_without_setup(job: Job, providers: Mapping[str, Provider]) -> None:
    """Raises FleetError for a job that none of the fleet's clouds can serve."""
    missing = sorted(providers_of(job.resources) - set(providers))
    if missing and len(missing) == len(providers_of(job.resources)):
        raise FleetError(f"this fleet was not set up for {', '.join(missing)}", f"Once: fleet init {missing[0]}")
