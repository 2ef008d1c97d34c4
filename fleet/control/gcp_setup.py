"""``fleet init gcp``, whole: what is wanted and what is there, looked at; then, once the user agreed, done.

The bucket holds the fleet and the record of its set-up, and the record is written last: where it is, everything is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fleet import __version__
from fleet.control.fleets import open_bucket
from fleet.control.gcp_place import Place, look_at_place, own_label, usual_region
from fleet.control.home import Home
from fleet.control.names import nearest
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.errors import FleetError
from fleet.model.setup import GcpSetup
from fleet.providers.gcp.billing_info import Billing, billing_of
from fleet.providers.gcp.calling import Calls
from fleet.providers.gcp.making import Maker, survey
from fleet.providers.gcp.setup import Blueprint, Survey, plan
from fleet.providers.gcp.setup_network import known_regions
from fleet.providers.keys import PublicKey, find_key
from fleet.providers.wanted import Step
from fleet.store.fleetfile import ensure_fleet, new_fleet_id

REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user said. What is not said is as it was set up before, or else the usual."""

    regions: tuple[str, ...] = ()
    bucket: str | None = None
    key: Path | None = None
    public_ip: bool | None = None
    iap: bool | None = None
    ssh: Path = field(default_factory=lambda: Path.home() / ".ssh")
    """Where keys are looked for."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A set-up that is ready to be shown and done."""

    calls: Calls
    blueprint: Blueprint
    survey: Survey
    steps: list[Step]
    billing: Billing

    @property
    def apis_on(self) -> bool:
        """Whether Compute Engine can be asked already."""
        return bool(self.survey.zones)

    @property
    def warnings(self) -> list[str]:
        """What will not work as it is."""
        told = [self.billing.told] if self.billing.enabled is None else []
        if self.blueprint.key is None:
            told.append("no public key was found in ~/.ssh: nobody can log in to machines (--key FILE names one)")
        return told


def prepare(home: Home, wish: Wish, calls: Calls) -> Prepared:
    """Look at everything, and say what is to be done. Changes nothing. Raises FleetError."""
    check_regions(wish.regions, calls)
    start = wish.regions[0] if wish.regions else usual_region(home)
    place = look_at_place(home, calls, start, wish.bucket)
    billing = billing_of(calls)
    if billing.enabled is False:
        raise FleetError(billing.told, billing.remedy)
    blueprint = blueprint_of(place, wish, start)
    found = survey(calls, blueprint, place.apis, fleet=place.fleet_id is not None, setup=place.setup)
    return Prepared(calls, blueprint, found, plan(blueprint, found), billing)


def blueprint_of(place: Place, wish: Wish, start: str) -> Blueprint:
    """What is wanted: what was said, else as it was set up before, else the usual."""
    setup = place.setup
    before = tuple(setup.regions) if setup is not None else ()
    public_ip = wish.public_ip if wish.public_ip is not None else (setup.public_ip if setup is not None else True)
    return Blueprint(
        project=place.project,
        number=place.number,
        fleet_id=place.fleet_id or own_label(place) or new_fleet_id(),
        bucket=place.bucket,
        bucket_region=place.region,
        regions=tuple(dict.fromkeys((*before, *(wish.regions or (() if setup is not None else (start,)))))),
        key=_key(wish, setup),
        public_ip=public_ip,
        iap=wish.iap if wish.iap is not None else (setup.iap if setup is not None else False),
        trust=place.trust,
    )


def check_regions(regions: Sequence[str], calls: Calls) -> None:
    """Raises FleetError for a name that is no region's, as far as that can be known yet."""
    known = known_regions(calls) if regions else []
    for region in regions:
        if not REGION.fullmatch(region) or (known and region not in known):
            told = f"there is no region {region!r}; {nearest(region, known)}" if known else f"{region!r} is no region's name"
            raise FleetError(told, "`gcloud compute regions list` lists them; a zone has a letter more: us-central1-a.")


def _key(wish: Wish, setup: GcpSetup | None) -> PublicKey | None:
    """The key that was named, else the one of the set-up (perhaps from another computer), else the one here."""
    if wish.key is None and setup is not None and setup.ssh_key:
        return PublicKey(setup.ssh_key, "the key of the set-up that is there")
    return find_key(wish.key, wish.ssh, any_kind=True)


def carry_out(home: Home, prepared: Prepared, done: Callable[[Step], None]) -> None:
    """Do it, step by step; ``done`` is told of each. May break off anywhere: the next run completes it.

    Raises FleetError.
    """
    blueprint, url = prepared.blueprint, prepared.blueprint.bucket
    home.remember_gcp(url, blueprint.project, blueprint.regions)
    maker = Maker.of(prepared.calls, blueprint, prepared.survey)
    for step in prepared.steps:
        if step.kind == "fleet":
            _fleet(home, url, blueprint.fleet_id)
        elif step.kind == "record" and step.action != "leave":
            _record(home, url, maker)
        elif step.action != "leave":
            maker.do(step)
        if step.action != "leave":
            done(step)


def _fleet(home: Home, url: str, fleet_id: str) -> None:
    """The fleet in the bucket, which must honour exclusive creation."""
    info = ensure_fleet(open_bucket(home, url), fleet_id)
    if info.fleet_id != fleet_id:
        raise FleetError(f"somebody else made the fleet {info.fleet_id} in {url} meanwhile", "Run `fleet init gcp` again.")
    home.remember_bucket(url)


def _record(home: Home, url: str, maker: Maker) -> None:
    objects = open_bucket(home, url)
    setup = GcpSetup.model_validate({**maker.record(), "made_at": objects.now(), "by": __version__})
    objects.put(layout.GCP_SETUP, document_bytes(setup))
