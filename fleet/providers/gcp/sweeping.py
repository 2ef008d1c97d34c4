"""Looking through a whole project, whatever regions were set up in it, and removing what was found to be nobody's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from fleet.model.base import Seconds
from fleet.model.cloud import AccessRule, Offer
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.setup import GcpSetup
from fleet.providers.base import Provider
from fleet.providers.gcp import calls
from fleet.providers.gcp.catalog import offers
from fleet.providers.gcp.listing import Lists
from fleet.providers.gcp.names import region_of
from fleet.providers.gcp.rates import gcp_rates, volume_price
from fleet.providers.gcp.rules import of_network
from fleet.providers.gcp.sweep import Found, strays
from fleet.providers.gcp.uploads import Unfinished, abort, unfinished
from fleet.providers.strays import Owned, Stray


def sweep(setup: GcpSetup, owned: Owned, now: Seconds, cache: Path) -> tuple[list[Stray], dict[str, ProviderError]]:
    """What is nobody's, and what could not be looked at: of that nothing is known. Raises ProviderError if that is all."""
    there = Lists(setup.fleet_id, setup.project).everywhere()
    troubles: dict[str, ProviderError] = {
        zone: ProviderError(ErrorClass.TRANSIENT, "unreachable", f"{zone} did not answer") for zone in there.unreachable
    }
    pages = calls.every("firewalls.list", project=setup.project, filter=of_network(setup.network))
    rules = [one for page in pages for one in page.get("items", ())]
    uploads: list[Unfinished] = []
    try:
        uploads = _uploads(setup)
    except ProviderError as error:
        troubles[setup.bucket] = error
    regions = {region_of(one["zone"]) for one in there.machines}
    book = {offer.key: offer for offer in _offers(setup, regions, cache)}
    found = Found(there.machines, there.disks, rules, uploads, book)
    stored = gcp_rates().at(setup.bucket_region).storage_gb_month
    return strays(found, setup, owned, now, lambda region: volume_price(region, cache), stored), troubles


def _uploads(setup: GcpSetup) -> list[Unfinished]:
    """Of the fleet's place in a bucket on Cloud Storage; one on S3 is looked through with the account."""
    url = urlsplit(setup.bucket)
    return unfinished(url.netloc, url.path.strip("/")) if url.scheme == "gs" else []


def _offers(setup: GcpSetup, regions: Iterable[str], cache: Path) -> Iterable[Offer]:
    """What machines cost that are there. What cannot be had is left out: the machine is not."""
    for region in sorted(regions):
        try:
            yield from offers(setup, region, cache)
        except ProviderError:
            continue


def remove(setup: GcpSetup, provider: Provider, stray: Stray) -> None:
    """End or delete exactly that. What is gone already is success. Raises ProviderError."""
    if stray.kind == "machine":
        provider.terminate(stray.region, stray.id)
    elif stray.kind == "volume":
        provider.delete_volume(stray.region, stray.id)
    elif stray.kind == "ingress-rule":
        group, whose = stray.of, setup.fleet_id
        provider.close_access(
            AccessRule(region=stray.region, group_id=group, rule_id=stray.id, cidr="", fleet_id=whose, until=0)
        )
    else:
        abort(urlsplit(setup.bucket).netloc, Unfinished(stray.of, stray.id, 0.0, 0))
