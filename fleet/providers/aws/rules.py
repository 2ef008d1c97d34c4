"""What a security group's rules say of themselves: whose they are, and until when. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fleet.model.cloud import AccessRule
from fleet.providers.let_in import until_said

CLOSED = ("InvalidSecurityGroupRuleId.NotFound", "InvalidPermission.NotFound", "InvalidGroup.NotFound")
"""Somebody else was quicker."""


def of_group(group_id: str) -> list[dict[str, Any]]:
    """Filters for the rules of one security group."""
    return [{"Name": "group-id", "Values": [group_id]}]


def own_rules(region: str, described: Iterable[Mapping[str, Any]], fleet_id: str) -> list[AccessRule]:
    """A fleet's rules among those that DescribeSecurityGroupRules tells; everybody else's are none of its business."""
    found = []
    for one in described:
        until = until_said(one.get("Description") or "", fleet_id)
        cidr = one.get("CidrIpv4") or one.get("CidrIpv6")
        if until is not None and cidr and not one.get("IsEgress"):
            found.append(
                AccessRule(
                    region=region,
                    group_id=one["GroupId"],
                    rule_id=one["SecurityGroupRuleId"],
                    cidr=cidr,
                    fleet_id=fleet_id,
                    until=until,
                )
            )
    return found
