"""What a security group's rules say of themselves: whose they are, and until when. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fleet.model.base import Seconds
from fleet.model.cloud import AccessRule

CLOSED = ("InvalidSecurityGroupRuleId.NotFound", "InvalidPermission.NotFound", "InvalidGroup.NotFound")
"""Somebody else was quicker."""


def of_group(group_id: str) -> list[dict[str, Any]]:
    """Filters for the rules of one security group."""
    return [{"Name": "group-id", "Values": [group_id]}]


def description(fleet_id: str, until: int) -> str:
    """What a rule says of itself."""
    return f"fleet:{fleet_id} until {until}"


def own_rules(region: str, described: Iterable[Mapping[str, Any]], fleet_id: str) -> list[AccessRule]:
    """A fleet's rules among those that DescribeSecurityGroupRules tells; everybody else's are none of its business."""
    found = []
    for one in described:
        said = re.fullmatch(r"fleet:(\S+) until (\d{1,12})", one.get("Description") or "")
        cidr = one.get("CidrIpv4") or one.get("CidrIpv6")
        if said is not None and said[1] == fleet_id and cidr and not one.get("IsEgress"):
            found.append(
                AccessRule(
                    region=region,
                    group_id=one["GroupId"],
                    rule_id=one["SecurityGroupRuleId"],
                    cidr=cidr,
                    fleet_id=fleet_id,
                    until=int(said[2]),
                )
            )
    return found


def forgotten(rules: Iterable[AccessRule], now: Seconds) -> list[AccessRule]:
    """Those past their time: whoever opened them is not connected any more, or would have renewed them."""
    return [rule for rule in rules if rule.until < now]
