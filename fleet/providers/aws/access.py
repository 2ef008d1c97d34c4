"""The one way in: port 22 of a region's security group, for the caller's own address, for a while.

Nothing else ever opens a port (design.md, section 10). A rule tells in its description whose it is and until when, so that
one that was forgotten (a laptop that was closed) is known as such by every other computer (rules.py).
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from fleet.model.base import Seconds
from fleet.model.cloud import AccessRule
from fleet.model.errors import FleetError, ProviderError
from fleet.model.setup import AwsSetup
from fleet.providers.aws.calling import DENIED_CONTROLLER, Calls
from fleet.providers.aws.rules import CLOSED, of_group, own_rules
from fleet.providers.let_in import description

log = logging.getLogger("fleet.aws")

SSH_PORT = 22
OPEN_SECONDS: Seconds = 3600
"""A rule is made for so long, and renewed while somebody is connected."""
WIDEST = {4: 16, 6: 48}
"""The shortest prefix that ``--from`` may name: a company's network or a provider's pool, never everybody."""

CALL = Calls(denied=DENIED_CONTROLLER)
"""Tries again what may pass, and says what to do about the rest."""


def narrow(text: str) -> str:
    """An address, or a range of few, as a CIDR. Raises FleetError for more than a network of somebody's."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise FleetError(f"{text!r} is no address", "--from 203.0.113.7/32, or --from 2001:db8::1/128") from None
    if network.prefixlen < WIDEST[network.version]:
        raise FleetError(
            f"{text} is {network.num_addresses:,} addresses: port {SSH_PORT} is never opened for so many",
            f"/{WIDEST[network.version]} is the widest; without --from it is your own address alone.",
        )
    return str(network)


def listed(setup: AwsSetup, region: str) -> list[AccessRule]:
    """The fleet's rules in a region's security group. Raises ProviderError."""
    wanted = of_group(setup.regions[region].security_group)
    described = CALL.pages("ec2", region, "describe_security_group_rules", "SecurityGroupRules", Filters=wanted)
    return own_rules(region, described, setup.fleet_id)


def close(rule: AccessRule) -> None:
    """Close it; one that is closed already is fine. Raises ProviderError."""
    operation, which = "revoke_security_group_ingress", [rule.rule_id]
    CALL.unless(CLOSED, "ec2", rule.region, operation, GroupId=rule.group_id, SecurityGroupRuleIds=which)


class Door:
    """Port 22 of one region's group for one address range. Any number of terminals may share the rule.

    Each who opens or renews it moves its time on, so that the last one's time stands there: whoever finds another time than
    its own when it leaves leaves the rule to that other one. Connections that are open outlive their rule (security groups
    follow connections), so one that is closed too early only stands in the way of the next.
    """

    def __init__(self, setup: AwsSetup, region: str, cidr: str, now: Callable[[], Seconds]) -> None:
        self._setup = setup
        self._region = region
        self._cidr = narrow(cidr)
        self._now = now
        self._until: int | None = None
        self._made: AccessRule | None = None
        """The rule as EC2 answered when it was made: a listing may not show it yet when it is closed."""

    def open(self) -> None:
        """Open it, or move its time on. Raises ProviderError."""
        until = int(self._now() + OPEN_SECONDS)
        known = self._known()
        if known is not None:
            self._until = max(until, known.until + 1)
            self._describe()
            return
        self._until = until
        try:
            self._authorize()
        except ProviderError as error:
            if error.code != "InvalidPermission.Duplicate":
                raise
            known = self._known()
            if known is None:
                self._until = None  # the user's own rule lets them in: it is not fleet's to close
                return
            self._until = max(until, known.until + 1)  # another terminal was quicker
            self._describe()

    def close(self) -> None:
        """Close it, unless another terminal has moved its time on. Raises ProviderError."""
        known = self._known() or self._made if self._until is not None else None
        if known is not None and known.until == self._until:
            close(known)
        self._until = self._made = None

    def _known(self) -> AccessRule | None:
        rules = listed(self._setup, self._region)
        return next((rule for rule in rules if rule.cidr == self._cidr), None)

    def _permission(self) -> dict[str, Any]:
        assert self._until is not None
        said = description(self._setup.fleet_id, self._until)
        port = {"IpProtocol": "tcp", "FromPort": SSH_PORT, "ToPort": SSH_PORT}
        if ":" in self._cidr:
            return {**port, "Ipv6Ranges": [{"CidrIpv6": self._cidr, "Description": said}]}
        return {**port, "IpRanges": [{"CidrIp": self._cidr, "Description": said}]}

    def _authorize(self) -> None:
        tags = [{"ResourceType": "security-group-rule", "Tags": [{"Key": "fleet", "Value": self._setup.fleet_id}]}]
        answer = self._change("authorize_security_group_ingress", TagSpecifications=tags)
        made = own_rules(self._region, answer.get("SecurityGroupRules", ()), self._setup.fleet_id)
        self._made = made[0] if made else None

    def _describe(self) -> None:
        assert self._until is not None
        self._change("update_security_group_rule_descriptions_ingress")
        if self._made is not None:
            self._made = self._made.model_copy(update={"until": self._until})

    def _change(self, operation: str, **more: Any) -> dict[str, Any]:
        group = self._setup.regions[self._region].security_group
        return CALL("ec2", self._region, operation, GroupId=group, IpPermissions=[self._permission()], **more)


@contextlib.contextmanager
def opened(
    setup: AwsSetup,
    region: str,
    cidr: str,
    now: Callable[[], Seconds] = time.time,
    *,
    renew_every: float = OPEN_SECONDS / 2,
) -> Iterator[None]:
    """Port 22 of the region's machines is open for an address range meanwhile. Raises ProviderError, FleetError."""
    if region not in setup.regions:
        raise FleetError(f"the fleet is not set up in {region}", f"fleet init aws --region {region}")
    door = Door(setup, region, cidr, now)
    door.open()
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(door, over, renew_every), name="access", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        try:
            door.close()
        except ProviderError as error:
            log.warning(
                "fleet: port %d stays open for %s: %s; any controller closes it after its time, as does `fleet gc --delete`",
                SSH_PORT,
                cidr,
                error.message,
            )


def _renew(door: Door, over: threading.Event, every: float) -> None:
    """Move the rule's time on until it is over."""
    while not over.wait(every):
        try:
            door.open()
        except ProviderError as error:
            log.warning("fleet: the access rule could not be renewed: %s", error.message)
