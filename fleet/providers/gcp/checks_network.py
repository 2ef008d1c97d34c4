"""The fleet's network: nothing open that nobody opened for a while, a subnet in each region, and a way out."""

from __future__ import annotations

from fleet.model.setup import GcpSetup
from fleet.providers.gcp import setup_network as network
from fleet.providers.gcp.checks import AGAIN, Look
from fleet.providers.gcp.setup import NETWORK, ROUTER, SUBNET
from fleet.providers.looked import Check, Checked


def of(look: Look) -> list[tuple[str, Check]]:
    """Every check of the network."""
    setup = look.setup
    if setup is None:
        return []
    checks: list[tuple[str, Check]] = [("inbound", lambda: inbound(look, setup))]
    for region in look.regions:
        if region in setup.regions:
            checks.append(("subnet", lambda region=region: [subnet(look, setup, region)]))  # type: ignore[misc]
            checks.append(("egress", lambda region=region: [egress(look, setup, region)]))  # type: ignore[misc]
    return checks


def inbound(look: Look, setup: GcpSetup) -> list[Checked]:
    """What is let in."""
    found = network.look_at_network(look.calls, setup.network)
    if found is None:
        return [Checked("inbound", "bad", f"the network {setup.network} is gone: launches fail", AGAIN)]
    if found.fields["inbound"] != NETWORK["inbound"]:
        return [Checked("inbound", "bad", f"{setup.network} is open: {found.fields['inbound']}", f"{AGAIN} closes it.")]
    checked = [Checked("inbound", "good", f"{setup.network}: no port is open that fleet did not open")]
    if setup.iap and network.look_at_rule(look.calls, f"{setup.network}-iap") is None:
        checked.append(Checked("inbound", "bad", "Google's own proxy is not let in: `fleet ssh` reaches nothing", AGAIN))
    return checked


def subnet(look: Look, setup: GcpSetup, region: str) -> Checked:
    """Where machines are."""
    found = network.look_at_subnet(look.calls, region, setup.regions[region].subnetwork)
    if found is None:
        return Checked("subnet", "bad", f"{region}: its subnet is gone: launches fail", f"{AGAIN} --region {region}")
    if found[0].fields != SUBNET:
        return Checked("subnet", "bad", f"{region}: Google's interfaces are {found[0].fields['google']}", AGAIN)
    return Checked("subnet", "good", f"{region}: {setup.regions[region].subnetwork}, {found[1]}")


def egress(look: Look, setup: GcpSetup, region: str) -> Checked:
    """A machine that reaches nothing cannot boot."""
    if setup.public_ip:
        return Checked("egress", "good", f"{region}: machines have public addresses")
    found = network.look_at_router(look.calls, region, setup.network)
    if found is None or found.fields != ROUTER:
        told = f"{region}: machines have no public address, and no NAT: they cannot boot"
        return Checked("egress", "bad", told, f"{AGAIN}, or {AGAIN} --public-ip")
    return Checked("egress", "good", f"{region}: machines reach the world through a NAT")
