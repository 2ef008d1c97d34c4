"""Port 22 of a region's security group, for the caller's own address, for a while (``providers/doors.py``)."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from fleet.model.base import Seconds
from fleet.model.cloud import AccessRule
from fleet.model.errors import FleetError, ProviderError
from fleet.model.setup import AwsSetup
from fleet.providers.aws.calling import DENIED_CONTROLLER, Calls
from fleet.providers.aws.rules import CLOSED, of_group, own_rules
from fleet.providers.doors import OPEN_SECONDS, SSH_PORT, BaseDoor, ThereAlreadyError, held_open
from fleet.providers.let_in import description

CALL = Calls(denied=DENIED_CONTROLLER)
"""Tries again what may pass, and says what to do about the rest."""


def listed(setup: AwsSetup, region: str) -> list[AccessRule]:
    """The fleet's rules in a region's security group. Raises ProviderError."""
    wanted = of_group(setup.regions[region].security_group)
    described = CALL.pages("ec2", region, "describe_security_group_rules", "SecurityGroupRules", Filters=wanted)
    return own_rules(region, described, setup.fleet_id)


def close(rule: AccessRule) -> None:
    """Close it; one that is closed already is fine. Raises ProviderError."""
    operation, which = "revoke_security_group_ingress", [rule.rule_id]
    CALL.unless(CLOSED, "ec2", rule.region, operation, GroupId=rule.group_id, SecurityGroupRuleIds=which)


class Door(BaseDoor):
    """Port 22 of one region's group for one address range."""

    def __init__(self, setup: AwsSetup, region: str, cidr: str, now: Callable[[], Seconds]) -> None:
        super().__init__(cidr, now)
        self._setup = setup
        self._region = region

    def known(self) -> AccessRule | None:
        """The rule that is there."""
        rules = listed(self._setup, self._region)
        return next((rule for rule in rules if rule.cidr == self.cidr), None)

    def make(self, until: int) -> AccessRule | None:
        """Make it, tagged in the call itself."""
        tags = [{"ResourceType": "security-group-rule", "Tags": [{"Key": "fleet", "Value": self._setup.fleet_id}]}]
        try:
            answer = self._change("authorize_security_group_ingress", until, TagSpecifications=tags)
        except ProviderError as error:
            if error.code == "InvalidPermission.Duplicate":
                raise ThereAlreadyError from None
            raise
        made = own_rules(self._region, answer.get("SecurityGroupRules", ()), self._setup.fleet_id)
        return made[0] if made else None

    def move(self, until: int) -> None:
        """Its description says another time."""
        self._change("update_security_group_rule_descriptions_ingress", until)

    def remove(self, rule: AccessRule) -> None:
        """Close it."""
        close(rule)

    def _permission(self, until: int) -> dict[str, Any]:
        told = description(self._setup.fleet_id, until)
        port = {"IpProtocol": "tcp", "FromPort": SSH_PORT, "ToPort": SSH_PORT}
        if ":" in self.cidr:
            return {**port, "Ipv6Ranges": [{"CidrIpv6": self.cidr, "Description": told}]}
        return {**port, "IpRanges": [{"CidrIp": self.cidr, "Description": told}]}

    def _change(self, operation: str, until: int, **more: Any) -> dict[str, Any]:
        group = self._setup.regions[self._region].security_group
        return CALL("ec2", self._region, operation, GroupId=group, IpPermissions=[self._permission(until)], **more)


def opened(
    setup: AwsSetup,
    region: str,
    cidr: str,
    now: Callable[[], Seconds] = time.time,
    *,
    renew_every: float = OPEN_SECONDS / 2,
) -> AbstractContextManager[None]:
    """Port 22 of the region's machines is open for an address range meanwhile. Raises ProviderError, FleetError."""
    if region not in setup.regions:
        raise FleetError(f"the fleet is not set up in {region}", f"fleet init aws --region {region}")
    return held_open(Door(setup, region, cidr, now), renew_every)
