"""The network that machines of a region live in: the account's default one, or one that the user named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet.model.errors import FleetError

EVERYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, slots=True)
class Network:
    """Where machines of a region go."""

    vpc: str
    default: bool
    subnets: Mapping[str, str] = field(default_factory=dict)
    """By zone. Empty: the default network serves as it stands."""
    warning: str = ""
    """What will not work; empty if nothing."""


def choose(
    region: str,
    vpc: Mapping[str, Any],
    subnets: Sequence[Mapping[str, Any]],
    tables: Sequence[Mapping[str, Any]],
    *,
    public_ip: bool,
) -> Network:
    """One subnet for each zone: one that leads out, with or without a public address. Raises FleetError if there is none.

    In a default network that gives its machines public addresses by itself EC2 chooses: then none is named.
    """
    default, name = bool(vpc.get("IsDefault")), str(vpc["VpcId"])
    usual = [one for one in subnets if one.get("DefaultForAz")]
    if default and public_ip and usual and all(one.get("MapPublicIpOnLaunch") for one in usual):
        return Network(name, default)
    leading = [one for one in subnets if _leads_out(str(one["SubnetId"]), tables, public_ip=public_ip)]
    if public_ip and not leading:
        raise FleetError(
            f"no subnet of {name} in {region} has a route to an internet gateway",
            "A machine boots only if it can reach the internet: name another network with --vpc, or --no-public-ip for one "
            "whose way out is a NAT gateway.",
        )
    warning = ""
    if not leading:
        leading = list(subnets)
        warning = f"{name} in {region} has no way out but through public addresses: without one, machines cannot boot"
    if not leading:
        raise FleetError(f"{name} in {region} has no subnet", "Name another network with --vpc.")
    return Network(name, default, _one_for_each_zone(leading), warning)


def _one_for_each_zone(subnets: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The one with the most free addresses."""
    best: dict[str, Mapping[str, Any]] = {}
    for one in sorted(subnets, key=lambda s: (-int(s.get("AvailableIpAddressCount", 0)), str(s["SubnetId"]))):
        best.setdefault(str(one["AvailabilityZone"]), one)
    return {zone: str(best[zone]["SubnetId"]) for zone in sorted(best)}


def _leads_out(subnet: str, tables: Sequence[Mapping[str, Any]], *, public_ip: bool) -> bool:
    """Whether its route table (its own, else the network's main one) sends the world through a gateway of the right kind."""
    own = [t for t in tables if any(a.get("SubnetId") == subnet for a in t.get("Associations", ()))]
    main = [t for t in tables if any(a.get("Main") for a in t.get("Associations", ()))]
    for route in (route for table in (own or main)[:1] for route in table.get("Routes", ())):
        if route.get("DestinationCidrBlock") != EVERYWHERE or route.get("State") == "blackhole":
            continue
        internet = str(route.get("GatewayId", "")).startswith("igw-")
        if internet == public_ip:
            return True
    return False
