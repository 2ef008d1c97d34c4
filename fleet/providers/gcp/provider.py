"""Compute Engine by the contract of base.py. Any number share a project, and a fleet.

Compute Engine forgets a machine as soon as it is deleted or preempted. What is remembered here (how each machine was when
it was last seen, how it ended) may be forgotten: the project's operations tell the rest, for two weeks.

Calls that a method costs (each is one HTTP request while answers fit a page):

=============  ============================================================================================
list           instances.aggregatedList, disks.aggregatedList: once for all regions of a round
get            instances.get; of a machine that is gone or stopped, zoneOperations.list
launch         instances.aggregatedList and globalOperations.aggregatedList (by token), then for each offer that
               is asked for instances.insert and zoneOperations.wait; instances.get
terminate      instances.get (whose is it?), instances.delete
create_volume  disks.aggregatedList (by token), disks.insert, zoneOperations.wait, disks.get
attach         disks.get, instances.get, instances.attachDisk, zoneOperations.wait
detach         instances.get, instances.detachDisk, zoneOperations.wait
grow_volume    disks.get, disks.resize, zoneOperations.wait
delete_volume  disks.get, disks.delete, zoneOperations.wait
access_rules   firewalls.list
close_access   firewalls.delete, globalOperations.wait
=============  ============================================================================================
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fleet.model.base import Seconds
from fleet.model.cloud import (
    AccessRule,
    BootTarget,
    Instance,
    LaunchRequest,
    Listing,
    Offer,
    PriceSince,
)
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.setup import GcpSetup
from fleet.providers.account import Account
from fleet.providers.base import InTime, always
from fleet.providers.gcp import calls, mapping, names, shapes
from fleet.providers.gcp.able import CAPABILITIES
from fleet.providers.gcp.catalog import offers as catalogue
from fleet.providers.gcp.errors import NOT_FOUND, operation_refusal
from fleet.providers.gcp.gone import Ends
from fleet.providers.gcp.images import Images, boot_target
from fleet.providers.gcp.launching import Launcher
from fleet.providers.gcp.listing import Lists
from fleet.providers.gcp.operations import Waiter
from fleet.providers.gcp.rates import volume_price
from fleet.providers.gcp.rules import of_network, own_rules
from fleet.providers.gcp.volumes import Volumes

CONSOLE_BYTES = 65_536


class GcpProvider(Account):
    """``provider: gcp``. Makes each call once: what is worth repeating, and how often, is for what stands around it."""

    name = mapping.PROVIDER
    capabilities = CAPABILITIES

    def __init__(
        self,
        fleet_id: str,
        setup: GcpSetup,
        cache: Path,
        *,
        newest: Callable[[], GcpSetup | None] = lambda: None,
        shop: Callable[[str], Sequence[Offer]] | None = None,
        book: Callable[[str], Sequence[Offer]] | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``cache`` is a folder on this computer for what was found out; ``shop`` tells a region's offers, if not what is
        kept there. ``book`` tells what the machines of a region were offered at; by default what is sold there now.

        ``newest`` reads the set-up again, before a launch is frozen with it: a controller runs for months. None: there is
        none any more, and the one that is known serves. ``clock`` and ``sleep`` are what operations are waited for by.
        """
        if not setup.public_ip:
            self.capabilities = CAPABILITIES.model_copy(update={"address_price": 0})
        waiter = Waiter(setup.project, clock=clock, sleep=sleep)
        volumes = Volumes(fleet_id, setup.project, waiter, volume_price)
        super().__init__(list(setup.regions), volumes, shop or self._catalogue, book, clock)
        self._fleet_id, self._setup, self._cache = fleet_id, setup, cache
        self._newest, self._waiter = newest, waiter
        self._images = Images(setup.project, cache, clock)
        self._launcher = Launcher(setup, waiter, self._target, self._least_gb, clock)
        self._lists = Lists(fleet_id, setup.project, clock)
        self._ends = Ends(setup.project)

    def price_history(self, offer: Offer, since: Seconds, until: Seconds) -> Sequence[PriceSince]:
        """Compute Engine tells none: a machine's price is what its offer costs whenever it is listed."""
        return ()

    def boot_target(self, offers: Sequence[Offer], image_id: str | None) -> BootTarget | None:
        """An image by its own name, or by one of those that the catalogue of images has; see images.py."""
        return self._target(offers, image_id)

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Instance:
        """Start a machine; see the contract."""
        try:
            made = self._launcher.launch(request, in_time)
        except ProviderError as error:
            if error.code in CAPABILITIES.images_gone and request.image_id:
                self._images.is_gone(request.image_id)
            raise
        self._ends.seen([made])
        return made

    def list(self, region: str) -> Listing:
        """A region's part of two lists. Machines that may yet come to nothing are none of it."""
        at, machines, disks = self._lists.of(region)
        book = self._book(region)
        found = [self._ends.told(one, book) for one in machines if mapping.is_made(one)]
        self._ends.seen(found)
        return Listing(
            region=region,
            at=at,
            instances=tuple(found),
            volumes=tuple(mapping.volume(one, volume_price) for one in disks if not mapping.is_boot_disk(one)),
        )

    def get(self, region: str, instance_id: str) -> Instance | None:
        """One machine by id. Of one that is gone, what its operations tell."""
        where = self._where(instance_id)
        found = calls.found("instances.get", **where) if where else None
        if found is None:
            return self._ends.of_gone(instance_id) if where else None
        if not mapping.is_mine(found, self._fleet_id):
            return None
        seen = self._ends.told(found, self._book(region))
        self._ends.seen([seen])
        return seen

    def console(self, region: str, instance_id: str) -> str:
        """What the machine's serial console has said last."""
        where = self._where(instance_id)
        try:
            found = calls.found("instances.getSerialPortOutput", **where, port=1) if where else None
        except ProviderError as error:
            if error.error_class is not ErrorClass.NOT_YET:
                raise
            return ""  # it has not begun to boot
        text = str((found or {}).get("contents") or "")
        return text.encode()[-CONSOLE_BYTES:].decode(errors="ignore")

    def terminate(self, region: str, instance_id: str) -> None:
        """End a machine, if it is this fleet's: one that is only stopped, too."""
        where = self._where(instance_id)
        found = calls.found("instances.get", **where) if where else None
        if found is None or not mapping.is_mine(found, self._fleet_id):
            return
        self._ends.seen([mapping.instance(found, self._book(region))])
        try:
            calls.compute("instances.delete", **where)
        except ProviderError as error:
            if error.code not in NOT_FOUND:
                raise
        self._ends.deleting(instance_id)

    def access_rules(self, region: str) -> Sequence[AccessRule]:
        """The fleet's own rules in its network, all of them with its first region: a user's own are none of its business."""
        if region != min(self._setup.regions, default=""):
            return ()
        pages = calls.every("firewalls.list", project=self._setup.project, filter=of_network(self._setup.network))
        return own_rules(region, (one for page in pages for one in page.get("items", [])), self._setup)

    def close_access(self, rule: AccessRule) -> None:
        """Remove a rule; see the contract."""
        try:
            operation = calls.compute("firewalls.delete", project=self._setup.project, firewall=rule.rule_id)
            failure = operation_refusal("firewalls.delete", self._waiter.until_done(operation))
            if failure is not None:
                raise failure
        except ProviderError as error:
            if error.code not in NOT_FOUND:
                raise

    def _where(self, instance_id: str) -> dict[str, Any]:
        """How Compute Engine is asked for a machine; nothing for what is no id of its."""
        try:
            name, zone = names.parts_of(instance_id)
        except ValueError:
            return {}
        return {"project": self._setup.project, "zone": zone, "instance": name}

    def _catalogue(self, region: str) -> Sequence[Offer]:
        return catalogue(self._setup, region, self._cache, now=self._clock)

    def _target(self, offers: Sequence[Offer], image_id: str | None) -> BootTarget:
        setup = self._newest() or self._setup
        return boot_target(setup, offers, image_id, self._cache, clock=self._clock)

    def _least_gb(self, image: str, instance_type: str) -> int:
        arch = shapes.architecture(instance_type)
        return self._images.newest(image, "aarch64" if arch == "aarch64" else "x86_64").disk_gb
