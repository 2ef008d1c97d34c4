"""The firewall's rules of a fleet: what lets an address in, whose it is, and until when. Pure functions.

A rule is the whole network's, not one region's: it is told, and closed, with the first of the fleet's regions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fleet.model.cloud import AccessRule
from fleet.model.setup import GcpSetup
from fleet.providers.gcp.names import MOST_NAME, digest, label, last, network_tag
from fleet.providers.let_in import description, until_said

SSH_PORT = 22


def of_network(network: str) -> str:
    """The filter for the rules of one network."""
    return f'network eq ".*/networks/{network}"'


def rule_name(fleet_id: str, cidr: str) -> str:
    """What the rule that lets an address range in is called: the same for all who come from there."""
    head = f"fleet-{label(fleet_id).replace('_', '-')}"[: MOST_NAME - 18].rstrip("-")
    return f"{head}-ssh-{digest(cidr)[:12]}"


def rule(setup: GcpSetup, cidr: str, until: int) -> dict[str, Any]:
    """``firewalls.insert``: port 22 of this fleet's machines, for one address range, for a while."""
    return {
        "name": rule_name(setup.fleet_id, cidr),
        "description": description(setup.fleet_id, until),
        "network": f"projects/{setup.project}/global/networks/{setup.network}",
        "direction": "INGRESS",
        "priority": 1000,
        "sourceRanges": [cidr],
        "targetTags": [network_tag(setup.fleet_id)],
        "allowed": [{"IPProtocol": "tcp", "ports": [str(SSH_PORT)]}],
    }


def own_rules(region: str, described: Iterable[Mapping[str, Any]], setup: GcpSetup) -> list[AccessRule]:
    """A fleet's rules among those that ``firewalls.list`` tells; everybody else's are none of its business."""
    found = []
    for one in described:
        until = until_said(one.get("description", ""), setup.fleet_id)
        mine = last(one.get("network", "")) == setup.network and one.get("direction", "INGRESS") == "INGRESS"
        ranges = one.get("sourceRanges", [])
        if until is not None and mine and ranges and not one.get("denied"):
            found.append(
                AccessRule(
                    region=region,
                    group_id=setup.network,
                    rule_id=one["name"],
                    cidr=",".join(ranges),
                    fleet_id=setup.fleet_id,
                    until=until,
                )
            )
    return found
