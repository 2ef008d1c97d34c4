"""The way to a machine on Compute Engine: its address, its host keys, and port 22 of the fleet's network for a while.

The network lets nothing in. A rule of the firewall names one range of addresses and this fleet's machines by their tag
(``rules.py``); it is the whole network's, whatever region a machine is in.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from fleet.model.base import Seconds
from fleet.model.cloud import AccessRule
from fleet.model.errors import ErrorClass, FleetError, ProviderError
from fleet.model.setup import GcpSetup
from fleet.providers.addresses import Address
from fleet.providers.doors import OPEN_SECONDS, BaseDoor, ThereAlreadyError, held_open
from fleet.providers.gcp import calls
from fleet.providers.gcp.errors import EXISTS, NOT_FOUND, operation_refusal
from fleet.providers.gcp.names import parts_of
from fleet.providers.gcp.operations import DONE, Waiter
from fleet.providers.gcp.rules import own_rules, rule, rule_name
from fleet.providers.let_in import description

BOOTS = ("PROVISIONING", "STAGING", "RUNNING", "REPAIRING")
HOST_KEYS = "hostkeys/"
"""Where guest attributes say host keys: Google's own agent writes them there, and fleet's."""


def machine_address(setup: GcpSetup, instance_id: str, *, inside: bool = False) -> Address | None:
    """The public IPv4 address, else (``inside``: always) the private one; None while the machine has none yet.

    Raises ProviderError, also if the machine has ended.
    """
    name, zone = _parts(instance_id)
    found = calls.found("instances.get", project=setup.project, zone=zone, instance=name)
    if found is None:
        return None  # what was launched a moment ago may not be seen yet
    if found.get("status") not in BOOTS:
        told = f"{instance_id} is {str(found.get('status', 'gone')).lower()}"
        raise ProviderError(ErrorClass.NOT_YET, "NotRunning", told, "`fleet status RUN`")
    for card in found.get("networkInterfaces", ()):
        public = [one["natIP"] for one in card.get("accessConfigs", ()) if one.get("natIP")]
        if public and not inside:
            return Address(public[0], public=True)
        if card.get("networkIP") and (inside or not card.get("accessConfigs")):
            return Address(card["networkIP"], public=False)
    return None


def host_keys(setup: GcpSetup, instance_id: str) -> tuple[str, ...]:
    """The host keys that a machine published as guest attributes, ``ssh-ed25519 AAAA…``; none: none yet.

    They come through Google's own interface, and only the machine can write them. Raises ProviderError.
    """
    name, zone = _parts(instance_id)
    where = {"project": setup.project, "zone": zone, "instance": name}
    found = calls.found("instances.getGuestAttributes", **where, query_path=HOST_KEYS) or {}
    items = (found.get("queryValue") or {}).get("items", ())
    return tuple(sorted(f"{one['key']} {one['value'].split()[0]}" for one in items if one.get("value", "").split()))


class Door(BaseDoor):
    """Port 22 of the fleet's network for one address range."""

    def __init__(self, setup: GcpSetup, region: str, cidr: str, now: Callable[[], Seconds]) -> None:
        super().__init__(cidr, now)
        self._setup, self._region = setup, region
        self._name = rule_name(setup.fleet_id, self.cidr)

    def known(self) -> AccessRule | None:
        """The rule of this name: there is one at most."""
        found = calls.found("firewalls.get", project=self._setup.project, firewall=self._name)
        rules = own_rules(self._region, [found], self._setup) if found is not None else []
        return rules[0] if rules else None

    def make(self, until: int) -> AccessRule | None:
        """Make it, and wait until it counts."""
        made = rule(self._setup, self.cidr, until)
        try:
            self._done("firewalls.insert", body=made)
        except ProviderError as error:
            if error.code in EXISTS:
                raise ThereAlreadyError from None
            raise
        return own_rules(self._region, [made], self._setup)[0]

    def move(self, until: int) -> None:
        """Its description says another time. Whoever closed it meanwhile has it made anew with the next renewal."""
        told = {"name": self._name, "description": description(self._setup.fleet_id, until)}
        try:
            self._done("firewalls.patch", firewall=self._name, body=told)
        except ProviderError as error:
            if error.code not in NOT_FOUND:
                raise

    def remove(self, rule: AccessRule) -> None:
        """Close it; one that is closed already is fine."""
        try:
            self._done("firewalls.delete", firewall=rule.rule_id)
        except ProviderError as error:
            if error.code not in NOT_FOUND:
                raise

    def _done(self, call: str, **asked: Any) -> None:
        project = self._setup.project
        operation = Waiter(project).until_done(calls.compute(call, project=project, **asked))
        error = operation_refusal(call, operation)
        if error is not None:
            raise error
        if operation.get("status") != DONE:
            raise ProviderError(ErrorClass.TRANSIENT, "Slow", f"{call}: Compute Engine is still at it")


def opened(
    setup: GcpSetup,
    region: str,
    cidr: str,
    now: Callable[[], Seconds] = time.time,
    *,
    renew_every: float = OPEN_SECONDS / 2,
) -> AbstractContextManager[None]:
    """Port 22 of the fleet's machines is open for an address range meanwhile. Raises ProviderError, FleetError."""
    return held_open(Door(setup, region, cidr, now), renew_every)


def _parts(instance_id: str) -> tuple[str, str]:
    try:
        return parts_of(instance_id)
    except ValueError:
        raise FleetError(f"{instance_id} is no machine of Compute Engine's") from None
