from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound
from google.cloud import compute_v1

from tests.gce import inprocess
from tests.gce.bench import PROJECT, REGION, Bench


def _firewalls(bench: Bench) -> compute_v1.FirewallsClient:
    return inprocess.client(compute_v1.FirewallsClient, bench.router)


def _ssh(**changes: object) -> compute_v1.Firewall:
    allowed = compute_v1.Allowed(I_p_protocol="tcp", ports=["22"])
    fields = {
        "name": "fleet-ssh",
        "network": "global/networks/fleet",
        "allowed": [allowed],
        "source_ranges": ["203.0.113.7/32"],
    }
    return compute_v1.Firewall(**{**fields, **changes})


def test_a_network_is_made_with_its_subnetworks_and_taken_down_in_their_order(bench: Bench) -> None:
    bench.say("bare")
    networks = inprocess.client(compute_v1.NetworksClient, bench.router)
    subnetworks = inprocess.client(compute_v1.SubnetworksClient, bench.router)
    networks.insert_unary(
        project=PROJECT, network_resource=compute_v1.Network(name="fleet-abc", auto_create_subnetworks=False)
    )
    wanted = compute_v1.Subnetwork(name="fleet-abc", network="global/networks/fleet-abc", ip_cidr_range="10.9.0.0/20")
    subnetworks.insert_unary(project=PROJECT, region=REGION, subnetwork_resource=wanted)
    bench.later(5)
    with pytest.raises(BadRequest, match=r"used by 'projects/.*/regions/us-central1/subnetworks/fleet-abc'"):
        networks.delete_unary(project=PROJECT, network="fleet-abc")
    overlapping = compute_v1.Subnetwork(name="more", network="global/networks/fleet-abc", ip_cidr_range="10.9.1.0/24")
    with pytest.raises(BadRequest, match="conflicts with existing subnetwork"):
        subnetworks.insert_unary(project=PROJECT, region="us-east1", subnetwork_resource=overlapping)
    subnetworks.delete_unary(project=PROJECT, region=REGION, subnetwork="fleet-abc")
    bench.later(5)
    networks.delete_unary(project=PROJECT, network="fleet-abc")
    bench.later(5)
    assert list(networks.list(project=PROJECT)) == []


def test_a_rule_is_made_changed_and_removed(bench: Bench) -> None:
    rules = _firewalls(bench)
    rules.insert_unary(project=PROJECT, firewall_resource=_ssh(description="until noon", target_tags=["fleet-abc"]))
    found = rules.get(project=PROJECT, firewall="fleet-ssh")
    assert (found.direction, found.priority, list(found.source_ranges)) == ("INGRESS", 1000, ["203.0.113.7/32"])
    with pytest.raises(Conflict):
        rules.insert_unary(project=PROJECT, firewall_resource=_ssh())
    wanted = compute_v1.Firewall(name="fleet-ssh", description="until one")
    rules.patch_unary(project=PROJECT, firewall="fleet-ssh", firewall_resource=wanted)
    changed = rules.get(project=PROJECT, firewall="fleet-ssh")
    assert (changed.description, list(changed.target_tags)) == ("until one", ["fleet-abc"])
    rules.delete_unary(project=PROJECT, firewall="fleet-ssh")
    bench.later(5)
    with pytest.raises(NotFound):
        rules.get(project=PROJECT, firewall="fleet-ssh")


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"source_ranges": ["203.0.113.7/8"]}, "CIDR"), ({"allowed": []}, "allowed and denied")],
)
def test_a_rule_that_cannot_be_is_refused(bench: Bench, changes: dict[str, object], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        _firewalls(bench).insert_unary(project=PROJECT, firewall_resource=_ssh(**changes))


def test_a_rule_of_a_network_that_is_not_there_is_refused(bench: Bench) -> None:
    with pytest.raises(NotFound, match="networks/none"):
        _firewalls(bench).insert_unary(project=PROJECT, firewall_resource=_ssh(network="global/networks/none"))


def test_the_network_of_a_machine_is_not_taken_away(bench: Bench) -> None:
    bench.made()
    subnetworks = inprocess.client(compute_v1.SubnetworksClient, bench.router)
    with pytest.raises(BadRequest, match="instances/machine"):
        subnetworks.delete_unary(project=PROJECT, region=REGION, subnetwork="fleet")
