"""EC2 by the contract of base.py. Keeps nothing but what it may forget: any number share an account, and a fleet.

Calls that a method costs (each is one HTTP request while answers fit a page):

=============  ============================================================================================
list           DescribeInstances, DescribeVolumes; no call for prices
get            DescribeInstances
launch         DescribeInstances (by token), CreateFleet and DescribeInstances, or RunInstances
terminate      DescribeInstances (whose is it?), TerminateInstances
create_volume  DescribeVolumes (by token), CreateVolume
attach         DescribeVolumes, DescribeInstances, AttachVolume
detach         DescribeVolumes, DetachVolume
grow_volume    DescribeVolumes, ModifyVolume
delete_volume  DescribeVolumes, DeleteVolume
access_rules   DescribeSecurityGroupRules
close_access   RevokeSecurityGroupIngress
=============  ============================================================================================
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fleet.model.across import google_endpoints, told_on_amazon
from fleet.model.base import Seconds
from fleet.model.cloud import (
    AccessRule,
    Billing,
    BootTarget,
    Capabilities,
    Instance,
    LaunchRequest,
    Listing,
    Market,
    Offer,
    PriceSince,
)
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.setup import AwsSetup
from fleet.providers.account import Account
from fleet.providers.aws import calls, mapping
from fleet.providers.aws.images import GONE, Images
from fleet.providers.aws.launching import Launcher
from fleet.providers.aws.offers import offers as catalogue
from fleet.providers.aws.rates import volume_price, volume_prices
from fleet.providers.aws.rules import CLOSED, of_group, own_rules
from fleet.providers.aws.volumes import Volumes
from fleet.providers.base import InTime, always

CAPABILITIES = Capabilities(
    notice_seconds=120,
    visible_within=60,
    billing=Billing(minimum_seconds=60, free_if_interrupted_within=3600),
    price_history=True,
    images=True,
    images_gone=GONE,
    console=True,
    access_rules=True,
    growing=True,
    volume_price=volume_price(""),
    volume_prices=volume_prices(),
    address_price=5_000,
)
CONSOLE_BYTES = 65_536
LINUX = "Linux/UNIX"


class AwsProvider(Account):
    """``provider: aws``. Makes each call once: what is worth repeating, and how often, is for what stands around it."""

    name = "aws"
    capabilities = CAPABILITIES

    def __init__(
        self,
        fleet_id: str,
        setup: AwsSetup,
        cache: Path,
        *,
        newest: Callable[[], AwsSetup | None] = lambda: None,
        shop: Callable[[str], Sequence[Offer]] | None = None,
        book: Callable[[str], Sequence[Offer]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``cache`` is a folder on this computer for what was found out; ``shop`` tells a region's offers, if not what is
        kept there. ``book`` tells what the machines of a region were offered at; by default what is sold there now.

        ``newest`` reads the set-up again, before a launch is frozen with it: a controller runs for months, and a template
        that was amended meanwhile has another version. None: there is none any more, and the one that is known serves.
        """
        if not setup.public_ip:
            self.capabilities = CAPABILITIES.model_copy(update={"address_price": 0})
        volumes = Volumes(fleet_id)
        super().__init__(list(setup.regions), volumes, shop or self._catalogue, book, clock)
        self._newest = newest
        self._fleet_id = fleet_id
        self._setup = setup
        self._cache = cache
        self._images = Images(cache, account=setup.account, clock=clock)
        self._launcher = Launcher(setup, self._images, volumes)

    def price_history(self, offer: Offer, since: Seconds, until: Seconds) -> Sequence[PriceSince]:
        """What the spot market says; on demand it is what it was."""
        if offer.market is not Market.SPOT:
            return (PriceSince(at=since, price=offer.on_demand_price),)
        found, _ = calls.every(
            offer.region,
            "DescribeSpotPriceHistory",
            "SpotPriceHistory",
            InstanceTypes=[offer.instance_type],
            AvailabilityZone=offer.zone,
            ProductDescriptions=[LINUX],
            StartTime=mapping.when(since),
            EndTime=mapping.when(until),
        )
        return mapping.price_steps(found, since, until)

    def boot_target(self, offers: Sequence[Offer], image_id: str | None) -> BootTarget | None:
        """An image by its id, or by a name (ubuntu-24.04, ubuntu-22.04, debian-12, dlami): an own one, else a stock one."""
        target = self._images.target(offers, image_id)
        newest = self._newest() or self._setup
        here = newest.regions.get(offers[0].region)
        if here is None:
            return target
        setup = newest.model_copy(update={"regions": {here.region: here}})
        google = google_endpoints(os.environ) if newest.google_provider else {}
        there = {**target.environment, **told_on_amazon(newest), **google}
        return target.model_copy(update={"setup": setup.model_dump_json(), "environment": there})

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Instance:
        """Start a machine; see the contract."""
        return self._launcher.launch(request, in_time)

    def list(self, region: str) -> Listing:
        """Two calls, whatever there is; both at a time, since all that takes time in them is waiting."""
        mine = calls.tagged(fleet=self._fleet_id)
        with ThreadPoolExecutor(1) as beside:
            later = beside.submit(calls.every, region, "DescribeVolumes", "Volumes", Filters=mine)
            machines, at = calls.instances(region, Filters=mine)
            disks, _ = later.result()
        book, own = self._book(region), mapping.own_disks(machines)
        seen = [mapping.volume(disk, region) for disk in disks if not mapping.is_own_disk(disk, own)]
        return Listing(
            region=region,
            at=at,
            instances=tuple(mapping.instance(one, region, book) for one in machines),
            volumes=tuple(volume for volume in seen if volume is not None),
        )

    def get(self, region: str, instance_id: str) -> Instance | None:
        """One machine by id."""
        found = calls.instance(region, instance_id)
        if found is None or mapping.tag(found, "fleet") != self._fleet_id:
            return None
        return mapping.instance(found, region, self._book(region))

    def console(self, region: str, instance_id: str) -> str:
        """What EC2 has of the machine's serial console: on Nitro as it is now, on Xen as it was after the boot."""
        try:
            answer = calls.ec2(region, "GetConsoleOutput", InstanceId=instance_id, Latest=True)
        except ProviderError as error:
            if error.code in calls.NOWHERE:
                return ""
            if error.error_class not in (ErrorClass.UNAVAILABLE, ErrorClass.INVALID):
                raise
            answer = calls.ec2(region, "GetConsoleOutput", InstanceId=instance_id)
        text = str(answer.get("Output") or "")
        return text.encode()[-CONSOLE_BYTES:].decode(errors="ignore")

    def terminate(self, region: str, instance_id: str) -> None:
        """End a machine, if it is this fleet's."""
        found = calls.instance(region, instance_id)
        if found is None or mapping.tag(found, "fleet") != self._fleet_id or found["State"]["Name"] == "terminated":
            return
        try:
            calls.ec2(region, "TerminateInstances", InstanceIds=[instance_id])
        except ProviderError as error:
            if error.code not in calls.NOWHERE:
                raise

    def access_rules(self, region: str) -> Sequence[AccessRule]:
        """The fleet's own rules in its security group: a user's own are none of its business."""
        known = self._setup.regions.get(region)
        if known is None:
            return ()
        wanted = of_group(known.security_group)
        found, _ = calls.every(region, "DescribeSecurityGroupRules", "SecurityGroupRules", Filters=wanted)
        return own_rules(region, found, self._fleet_id)

    def close_access(self, rule: AccessRule) -> None:
        """Remove a rule; see the contract."""
        try:
            calls.ec2(rule.region, "RevokeSecurityGroupIngress", GroupId=rule.group_id, SecurityGroupRuleIds=[rule.rule_id])
        except ProviderError as error:
            if error.code not in CLOSED:
                raise

    def _catalogue(self, region: str) -> Sequence[Offer]:
        return catalogue(self._setup, region, self._cache)
