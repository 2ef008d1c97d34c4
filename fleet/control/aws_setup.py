"""``fleet init aws``, whole: what is wanted and what is there, looked at; then, once the user agreed, done.

The bucket holds the fleet and the record of its set-up, and the record is written last: where it is, everything is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fleet import __version__
from fleet.control.aws_place import look_at_place, own_tag, usual_region
from fleet.control.fleets import open_bucket
from fleet.control.home import Home
from fleet.control.names import nearest
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.errors import FleetError, ProviderError
from fleet.model.setup import AwsSetup
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.making import Maker, survey
from fleet.providers.aws.names import own_name
from fleet.providers.aws.network import Network
from fleet.providers.aws.session import aws_session
from fleet.providers.aws.setup import Blueprint, Survey, plan
from fleet.providers.aws.setup_region import look_at_key, look_at_network
from fleet.providers.keys import PublicKey, find_key
from fleet.providers.wanted import Step
from fleet.store.fleetfile import ensure_fleet, new_fleet_id

DISABLED = ("AuthFailure", "OptInRequired", "UnrecognizedClientException", "InvalidClientTokenId")
"""What a region says to credentials that are good elsewhere."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user said. What is not said is as it was set up before, or else the usual."""

    regions: tuple[str, ...] = ()
    bucket: str | None = None
    vpcs: tuple[str, ...] = ()
    key: Path | None = None
    public_ip: bool | None = None
    ssh: Path = field(default_factory=lambda: Path.home() / ".ssh")
    """Where keys are looked for."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A set-up that is ready to be shown and done."""

    calls: Calls
    blueprint: Blueprint
    survey: Survey
    steps: list[Step]

    @property
    def url(self) -> str:
        """The bucket's."""
        return self.blueprint.url

    @property
    def warnings(self) -> list[str]:
        """What will not work as it is."""
        told = [network.warning for network in self.blueprint.networks.values() if network.warning]
        if not any(self.blueprint.keys.values()):
            told.append("no public key was found in ~/.ssh: nobody can log in to machines (--key FILE names one)")
        return told


def prepare(home: Home, wish: Wish, calls: Calls) -> Prepared:
    """Look at everything, and say what is to be done. Changes nothing. Raises FleetError."""
    check_regions(wish.regions, calls.profile)
    start = wish.regions[0] if wish.regions else usual_region(home, calls.profile)
    place = look_at_place(home, calls, start, wish.bucket)
    setup = place.setup
    fleet_id = place.fleet_id or own_tag(place) or new_fleet_id()
    public_ip = wish.public_ip if wish.public_ip is not None else (setup.public_ip if setup else True)
    regions = list(dict.fromkeys([*(setup.regions if setup else ()), *(wish.regions or (() if setup else (start,)))]))
    networks = {region: _network(calls, region, wish, setup, public_ip=public_ip) for region in regions}
    missed = set(wish.vpcs) - {network.vpc for network in networks.values()}
    if missed:
        raise FleetError(
            f"there is no network {', '.join(sorted(missed))} in {', '.join(regions)}",
            "`aws ec2 describe-vpcs --region REGION` lists them; --region names where it is.",
        )
    blueprint = Blueprint(
        account=place.account,
        partition=place.partition,
        fleet_id=fleet_id,
        bucket=place.bucket,
        bucket_region=place.region,
        networks=networks,
        keys=dict.fromkeys(regions, _key(calls, regions, wish, own_name(fleet_id))),
        public_ip=public_ip,
        google=place.google,
    )
    found = survey(calls, blueprint, fleet=place.fleet_id is not None, setup=setup)
    return Prepared(calls, blueprint, found, plan(blueprint, found))


def check_regions(regions: Sequence[str], profile: str | None) -> None:
    """Raises FleetError for a name that is no region's, before any call is made there."""
    session = aws_session(profile)
    known = (
        []
        if not regions
        else [
            one
            for partition in session.get_available_partitions()
            for one in session.get_available_regions("ec2", partition)
        ]
    )
    for region in regions:
        if region not in known:
            raise FleetError(
                f"there is no region {region!r}; {nearest(region, known)}", "`aws ec2 describe-regions` lists them."
            )


def _network(calls: Calls, region: str, wish: Wish, setup: AwsSetup | None, *, public_ip: bool) -> Network:
    """The network that was named, else the one of the set-up that is there, else the default one."""
    vpcs = wish.vpcs
    try:
        if not vpcs and setup is not None and region in setup.regions:
            group, gone = setup.regions[region].security_group, ("InvalidGroup.NotFound", "InvalidGroupId.Malformed")
            answer = calls.unless(gone, "ec2", region, "describe_security_groups", GroupIds=[group])
            vpcs = tuple(one["VpcId"] for one in (answer or {}).get("SecurityGroups", ()))
        return look_at_network(calls, region, vpcs, public_ip=public_ip)
    except ProviderError as error:
        if error.code not in DISABLED:
            raise
        told = f"{region} does not take your credentials, which are good elsewhere ({error.code})"
        raise FleetError(told, f"Is it enabled? aws account enable-region --region-name {region}") from None


def _key(calls: Calls, regions: Sequence[str], wish: Wish, name: str) -> PublicKey | None:
    """The key that was named, else the one that was imported before (perhaps from another computer), else the one here."""
    if wish.key is None:
        for region in regions:
            found = look_at_key(calls, region, name)
            if found is not None and found.fields["key"]:
                return PublicKey(found.fields["key"], "the key that was imported before")
    return find_key(wish.key, wish.ssh)


def carry_out(home: Home, prepared: Prepared, done: Callable[[Step], None]) -> bool:
    """Do it, step by step; ``done`` is told of each. False: all is made, but EC2 does not know the role yet.

    May break off anywhere: the next run completes it. Raises FleetError.
    """
    blueprint, url = prepared.blueprint, prepared.url
    home.remember_aws(
        url,
        os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or prepared.calls.profile,
        blueprint.networks,
    )
    maker = Maker.of(prepared.calls, blueprint, prepared.survey)
    settled = True
    for step in prepared.steps:
        if step.kind == "fleet":
            _fleet(home, url, blueprint.fleet_id)
        elif step.kind == "record":
            settled = maker.settle(prepared.steps)
            if step.action != "leave":
                _record(home, url, blueprint, maker)
        elif step.action != "leave":
            maker.do(step)
        if step.action != "leave":
            done(step)
    return settled


def _fleet(home: Home, url: str, fleet_id: str) -> None:
    """The fleet in the bucket, which must honour exclusive creation."""
    info = ensure_fleet(open_bucket(home, url), fleet_id)
    if info.fleet_id != fleet_id:
        raise FleetError(f"somebody else made the fleet {info.fleet_id} in {url} meanwhile", "Run `fleet init aws` again.")
    home.remember_bucket(url)


def _record(home: Home, url: str, blueprint: Blueprint, maker: Maker) -> None:
    objects = open_bucket(home, url)
    found = blueprint.record(maker.groups, maker.templates)
    setup = AwsSetup.model_validate({**found, "made_at": objects.now(), "by": __version__})
    objects.put(layout.AWS_SETUP, document_bytes(setup))
