"""Who reaches machines in a region, and what they reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fleet.model.errors import ProviderError
from fleet.providers.aws.checks import Look, is_absent
from fleet.providers.aws.sweep import Described
from fleet.providers.looked import Checked, State


def inbound(look: Look, region: str) -> Checked:
    """Nobody reaches machines, but whom fleet let in for a while."""
    assert look.setup is not None
    group = look.setup.regions[region].security_group
    try:
        rules = look.call("ec2", region, "describe_security_group_rules", Filters=[{"Name": "group-id", "Values": [group]}])[
            "SecurityGroupRules"
        ]
        look.call("ec2", region, "describe_security_groups", GroupIds=[group])
    except ProviderError as error:
        if not is_absent(error):
            raise
        return Checked(
            "inbound", "bad", f"{region}: there is no security group {group}", f"fleet init aws --region {region}"
        )
    return judge_inbound(region, group, rules)


def judge_inbound(region: str, group: str, rules: Iterable[Described]) -> Checked:
    """World-open is bad; anything else that fleet did not open is the user's to know of."""
    into = [one for one in rules if not one.get("IsEgress")]
    wide = [one for one in into if one.get("CidrIpv4") == "0.0.0.0/0" or one.get("CidrIpv6") == "::/0"]
    others = [one for one in into if not (one.get("Description") or "").startswith("fleet:")]
    if wide:
        told = f"{region}: {group} lets everybody in the world in ({_ports(wide)})"
        close = f"aws ec2 revoke-security-group-ingress --region {region} --group-id {group} --security-group-rule-ids "
        return Checked("inbound", "bad", told, close + " ".join(one["SecurityGroupRuleId"] for one in wide))
    if others:
        told = f"{region}: {group} has inbound rules that fleet did not make ({_ports(others)})"
        return Checked("inbound", "note", told, "fleet needs none: remove them if you do not.")
    open_now = f", {len(into)} opened by fleet for a while" if into else ""
    return Checked("inbound", "good", f"{region}: {group} lets nobody in{open_now}")


def _ports(rules: Sequence[Described]) -> str:
    words = []
    for one in rules:
        first, last = one.get("FromPort", -1), one.get("ToPort", -1)
        words.append("every port" if first == -1 else f"port {first}" if first == last else f"ports {first} to {last}")
    return ", ".join(dict.fromkeys(words))


def egress(look: Look, region: str) -> list[Checked]:
    """Machines reach the internet: else they cannot boot."""
    assert look.setup is not None
    wanted = look.setup.regions[region].subnets
    words: dict[str, Any] = {"SubnetIds": sorted(wanted.values())} if wanted else {
        "Filters": [{"Name": "default-for-az", "Values": ["true"]}]
    }  # fmt: skip
    try:
        subnets = look.call("ec2", region, "describe_subnets", **words)["Subnets"]
    except ProviderError as error:
        if not is_absent(error):
            raise
        return [Checked("egress", "bad", f"{region}: {error.message}", f"fleet init aws --region {region}")]
    if not subnets:
        told = f"{region}: there is no default network, and the set-up names no subnet"
        return [Checked("egress", "bad", told, f"fleet init aws --region {region} --vpc …")]
    networks = sorted({one["VpcId"] for one in subnets})
    tables = look.call(
        "ec2", region, "describe_route_tables", Filters=[{"Name": "vpc-id", "Values": networks}]
    )["RouteTables"]  # fmt: skip
    # Without subnets of its own the launch leaves the address to the network's default.
    public = {one["SubnetId"]: look.setup.public_ip if wanted else bool(one.get("MapPublicIpOnLaunch")) for one in subnets}
    return judge_egress(region, subnets, tables, public)


def judge_egress(
    region: str, subnets: Sequence[Described], tables: Sequence[Described], public: Mapping[str, bool]
) -> list[Checked]:
    """One line for all that are alike. ``public``: by subnet, whether machines get a public address there."""
    alike: dict[str, list[str]] = {}
    for one in subnets:
        way = _way_out(one, tables)
        kind = way if way != "internet" or public[one["SubnetId"]] else "no address"
        alike.setdefault(kind, []).append(f"{one['SubnetId']} ({one['AvailabilityZone']})")
    return [Checked("egress", state, f"{region}: {', '.join(alike[kind])} {told}", remedy)
            for kind, (state, told, remedy) in WAYS.items() if kind in alike]  # fmt: skip


WAYS: Mapping[str, tuple[State, str, str]] = {
    "internet": ("good", "lead to an internet gateway, and machines get public addresses", ""),
    "nat": ("good", "have a way out that needs no public address", ""),
    "no address": (
        "bad",
        "lead to an internet gateway, but machines get no public address: they cannot boot",
        "Let machines have public addresses (fleet init aws), or add a NAT.",
    ),
    "none": (
        "bad",
        "have no route to the internet: machines cannot boot there",
        "Add a route to an internet gateway or a NAT, or name another network (fleet init aws --vpc …).",
    ),
}


def _way_out(subnet: Described, tables: Iterable[Described]) -> str:
    """By a subnet's own route table, else by its network's main one: ``internet`` (a gateway), ``nat`` or ``none``."""
    own = main = None
    for one in tables:
        for at in one.get("Associations") or ():
            if at.get("SubnetId") == subnet["SubnetId"]:
                own = one
            elif at.get("Main") and one.get("VpcId") == subnet["VpcId"]:
                main = one
    routes = (own or main or {}).get("Routes") or ()
    out = [r for r in routes if r.get("DestinationCidrBlock") == "0.0.0.0/0" and r.get("State", "active") == "active"]
    if any(r.get("NatGatewayId") or r.get("TransitGatewayId") or r.get("NetworkInterfaceId") for r in out):
        return "nat"
    return "internet" if any((r.get("GatewayId") or "").startswith("igw-") for r in out) else "none"
