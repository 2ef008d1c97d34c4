"""The fleet's own network: no port is open, a subnet in each region, and a way out where machines have no public address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fleet.providers.gcp.calling import OFF, Calls, Json
from fleet.providers.gcp.names import described, last, network_tag, tags_of
from fleet.providers.gcp.setup import IAP_RANGE, NETWORK, ROUTER, SUBNET, Blueprint, free_range
from fleet.providers.wanted import Found

OPENED = re.compile(r"fleet:\S+ until \d")
"""How the description of a rule begins that is opened for a while (let_in.py)."""
NAT = "fleet"
"""The name of a router's one NAT."""


def look_at_network(calls: Calls, name: str) -> Found | None:
    """The network, and what it lets in; None if there is none."""
    found = calls.look("compute", calls.in_compute(f"/global/networks/{name}"))
    if found is None:
        return None
    strange = [rule for rule in rules_of(calls, name) if is_strange(rule)]
    own = NETWORK["subnets"] if not found.get("autoCreateSubnetworks") else "made by themselves"
    return Found(name, {"subnets": own, "inbound": "; ".join(map(told_of_rule, strange)) or "none"})


def rules_of(calls: Calls, network: str) -> list[Json]:
    """Every firewall rule of a network."""
    found = calls.pages("compute", calls.in_compute("/global/firewalls"), "items")
    return [one for one in found if last(str(one.get("network", ""))) == network]


def is_strange(rule: Json) -> bool:
    """Whether it lets something in, and was not made by fleet (which says so in its description)."""
    inbound = rule.get("direction", "INGRESS") == "INGRESS" and bool(rule.get("allowed")) and not rule.get("disabled")
    told = str(rule.get("description", ""))
    return inbound and not tags_of(told).get("fleet") and not OPENED.match(told)


def told_of_rule(rule: Json) -> str:
    """``allow-ssh: tcp 22 from 0.0.0.0/0``."""
    ports = [f"{one.get('IPProtocol')} {','.join(one.get('ports', ())) or 'all'}" for one in rule.get("allowed", ())]
    sources = [*rule.get("sourceRanges", ()), *rule.get("sourceTags", ())]
    return f"{rule['name']}: {', '.join(ports)} from {', '.join(sources) or 'anywhere'}"


def create_network(calls: Calls, plan: Blueprint) -> None:
    """Make it, where it is not there. A new network lets nothing in, and everything out."""
    body = {
        "name": plan.name,
        "description": described({"fleet": plan.fleet_id}),
        "autoCreateSubnetworks": False,
        "routingConfig": {"routingMode": "REGIONAL"},
    }
    calls.make("/global/networks", body)


def mend_network(calls: Calls, plan: Blueprint, fields: Iterable[str]) -> None:
    """Close what somebody else opened in the fleet's own network, and let it make no subnets by itself."""
    if "inbound" in fields:
        for rule in rules_of(calls, plan.name):
            if is_strange(rule):
                calls.remove(f"/global/firewalls/{rule['name']}")
    if "subnets" in fields:
        calls.change(f"/global/networks/{plan.name}/switchToCustomMode", {}, "POST")


def look_at_rule(calls: Calls, name: str) -> Found | None:
    """The rule that lets Google's own proxy in; None if there is none."""
    found = calls.look("compute", calls.in_compute(f"/global/firewalls/{name}"))
    return Found(name, {"from": ", ".join(found.get("sourceRanges", ()))}) if found is not None else None


def _iap_rule(plan: Blueprint) -> dict[str, Any]:
    return {
        "name": f"{plan.name}-iap",
        "description": described({"fleet": plan.fleet_id, "for": "iap"}),
        "network": network_url(plan.project, plan.name),
        "direction": "INGRESS",
        "sourceRanges": [IAP_RANGE],
        "targetTags": [network_tag(plan.fleet_id)],
        "allowed": [{"IPProtocol": "tcp", "ports": ["22"]}],
    }


def create_rule(calls: Calls, plan: Blueprint) -> None:
    """Make it, where it is not there."""
    calls.make("/global/firewalls", _iap_rule(plan))


def mend_rule(calls: Calls, plan: Blueprint) -> None:
    """As it should be."""
    calls.change(f"/global/firewalls/{plan.name}-iap", _iap_rule(plan))


def network_url(project: str, name: str) -> str:
    """As other resources name it."""
    return f"projects/{project}/global/networks/{name}"


def look_at_subnet(calls: Calls, region: str, name: str) -> tuple[Found, str] | None:
    """The subnet of a region, and its range; None if there is none."""
    found = calls.look("compute", calls.in_compute(f"/regions/{region}/subnetworks/{name}"))
    if found is None:
        return None
    private = SUBNET["google"] if found.get("privateIpGoogleAccess") else "only by a public address"
    return Found(name, {"google": private}), str(found.get("ipCidrRange", ""))


def create_subnet(calls: Calls, plan: Blueprint, region: str) -> None:
    """Make it, where it is not there, with addresses that no other subnet of the network has."""
    body = {
        "name": plan.name,
        "description": described({"fleet": plan.fleet_id}),
        "network": network_url(plan.project, plan.name),
        "ipCidrRange": free_range(_taken(calls, plan)),
        "privateIpGoogleAccess": True,
    }
    calls.make(f"/regions/{region}/subnetworks", body)


def _taken(calls: Calls, plan: Blueprint) -> list[str]:
    scopes = calls.pages("compute", calls.in_compute("/aggregated/subnetworks"), "items")
    found = [one for scope in scopes for one in scope.get("subnetworks", ())]
    return [str(one["ipCidrRange"]) for one in found if last(str(one.get("network", ""))) == plan.name]


def mend_subnet(calls: Calls, plan: Blueprint, region: str) -> None:
    """Let its machines reach Google's interfaces without a public address."""
    path = f"/regions/{region}/subnetworks/{plan.name}/setPrivateIpGoogleAccess"
    calls.change(path, {"privateIpGoogleAccess": True}, "POST")


def look_at_router(calls: Calls, region: str, name: str) -> Found | None:
    """The way out of a region; None if there is none."""
    found = calls.look("compute", calls.in_compute(f"/regions/{region}/routers/{name}"))
    if found is None:
        return None
    every = any(one.get("sourceSubnetworkIpRangesToNat") == ALL for one in found.get("nats", ()))
    return Found(name, {"nat": ROUTER["nat"] if every else "none"})


ALL = "ALL_SUBNETWORKS_ALL_IP_RANGES"


def _nats() -> list[Mapping[str, Any]]:
    return [{"name": NAT, "natIpAllocateOption": "AUTO_ONLY", "sourceSubnetworkIpRangesToNat": ALL}]


def create_router(calls: Calls, plan: Blueprint, region: str) -> None:
    """Make it, where it is not there."""
    body = {
        "name": plan.name,
        "description": described({"fleet": plan.fleet_id}),
        "network": network_url(plan.project, plan.name),
        "nats": _nats(),
    }
    calls.make(f"/regions/{region}/routers", body)


def mend_router(calls: Calls, plan: Blueprint, region: str) -> None:
    """With its NAT."""
    calls.change(f"/regions/{region}/routers/{plan.name}", {"nats": _nats()})


def zones_of(calls: Calls, region: str) -> tuple[str, ...]:
    """Those of a region that are up; none as long as Compute Engine is not enabled, or if there is no such region."""
    found = calls.look("compute", calls.in_compute("/zones"))
    zones = [one for one in (found or {}).get("items", ()) if last(str(one.get("region", ""))) == region]
    return tuple(sorted(str(one["name"]) for one in zones if one.get("status") == "UP"))


def known_regions(calls: Calls) -> list[str]:
    """Compute Engine's; none as long as it is not enabled."""
    found = calls.unless(OFF, "compute", "GET", calls.in_compute("/regions"))
    return [str(one["name"]) for one in (found or {}).get("items", ())]
