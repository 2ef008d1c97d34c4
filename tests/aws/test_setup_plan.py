"""What a set-up does about what it finds: facts in, steps out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.model.errors import FleetError
from fleet.model.setup import AwsSetup
from fleet.providers.aws.network import Network, choose
from fleet.providers.aws.setup import Blueprint, Survey, plan
from fleet.providers.keys import PublicKey, find_key, read_key
from fleet.providers.wanted import Found, Place, Step, nothing_to_do
from tests.aws.account import KEY

REGIONS = ("us-east-1", "eu-west-1")
PLAN = Blueprint(
    account="123456789012",
    partition="aws",
    fleet_id="0123456789abcdef",
    bucket="b",
    bucket_region="us-east-1",
    networks={region: Network(f"vpc-{region}", default=True) for region in REGIONS},
    keys=dict.fromkeys(REGIONS, PublicKey(KEY, "x.pub")),
)
GROUPS = {region: f"sg-{region}" for region in REGIONS}
TEMPLATES = {region: (f"lt-{region}", "3") for region in REGIONS}


def whole(blueprint: Blueprint = PLAN) -> Survey:
    """Everything as it is wanted."""
    things: dict[Place, Found] = {}
    for thing in blueprint.wanted(GROUPS):
        ids = {"security group": GROUPS.get(thing.region, ""), "launch template": TEMPLATES.get(thing.region, ("",))[0]}
        more = {"version": "3"} if thing.kind == "launch template" else {}
        things[thing.kind, thing.region, thing.name] = Found(ids.get(thing.kind, thing.name), {**thing.fields, **more})
    setup = AwsSetup.model_validate({**blueprint.record(GROUPS, TEMPLATES), "made_at": 1.0})
    return Survey(things, setup)


def without(survey: Survey, place: Place) -> Survey:
    return replace(survey, things={key: found for key, found in survey.things.items() if key != place})


def with_field(survey: Survey, place: Place, name: str, value: Any) -> Survey:
    found = survey.things[place]
    return replace(survey, things={**survey.things, place: Found(found.id, {**found.fields, name: value})})


def doing(steps: list[Step]) -> dict[tuple[str, str], str]:
    return {(step.kind, step.region): step.action for step in steps if step.action != "leave"}


def test_in_an_empty_account_everything_is_made_and_the_record_last() -> None:
    steps = plan(PLAN, Survey())
    assert {step.action for step in steps} == {"make"}
    kinds = [step.kind for step in steps]
    assert kinds[:2] == ["bucket", "fleet"]
    assert kinds[-1] == "record"
    assert kinds.index("role") < kinds.index("profile")
    assert kinds.index("security group") < kinds.index("launch template")
    assert [step.region for step in steps if step.kind == "security group"] == list(REGIONS)


def test_where_everything_is_as_it_should_be_nothing_is_done() -> None:
    assert nothing_to_do(plan(PLAN, whole()))


FIELDS = [
    (place, name)
    for place, found in whole().things.items()
    for name in found.fields
    if place[0] != "record" and name != "version"
]


@pytest.mark.parametrize(("place", "name"), FIELDS)
def test_a_field_that_is_another_is_mended_and_only_that(place: Place, name: str) -> None:
    steps = plan(PLAN, with_field(whole(), place, name, "something else"))
    mended = [step for step in steps if step.kind == place[0] and step.region == place[1]]
    assert [(step.action, step.differs) for step in mended] == [("mend", (name,))]
    assert mended[0].told
    others = {key for key in doing(steps) if key != (place[0], place[1])}
    assert others <= {("record", "")}


@pytest.mark.parametrize("place", [place for place in whole().things if place[0] != "record"])
def test_what_is_missing_is_made_and_the_record_that_names_it_written_again(place: Place) -> None:
    done = doing(plan(PLAN, without(whole(), place)))
    assert done.pop((place[0], place[1])) == "make"
    if place[0] in ("security group", "key", "launch template"):
        assert done.pop(("record", "")) == "mend"
    if place[0] == "security group":
        assert done.pop(("launch template", place[1])) == "mend"  # it names the group
    assert not done


def test_what_is_mended_is_told_in_its_own_words() -> None:
    place: Place = ("security group", "us-east-1", PLAN.name)
    steps = plan(PLAN, with_field(whole(), place, "inbound", "tcp 22 from 0.0.0.0/0"))
    assert next(step.told for step in steps if step.action == "mend") == "inbound: tcp 22 from 0.0.0.0/0 → none"
    steps = plan(PLAN, with_field(whole(), ("role", "", PLAN.name), "policy", None))
    assert [step.told for step in steps if step.action == "mend"] == ["policy: is missing"]


def test_a_set_up_that_broke_off_before_its_record_is_completed_by_it_alone() -> None:
    survey = without(replace(whole(), setup=None), ("record", "", "setup/aws.json"))
    assert doing(plan(PLAN, survey)) == {("record", ""): "make"}


def test_another_region_is_added_to_what_is_there() -> None:
    first = replace(PLAN, networks={"us-east-1": PLAN.networks["us-east-1"]}, keys={"us-east-1": PLAN.keys["us-east-1"]})
    done = doing(plan(PLAN, whole(first)))
    new = {(kind, "eu-west-1"): "make" for kind in ("security group", "key", "launch template")}
    assert done == {**new, ("record", ""): "mend"}


def test_without_a_key_none_is_imported_and_the_template_names_none() -> None:
    nobody = replace(PLAN, keys=dict.fromkeys(REGIONS))
    assert all(thing.kind != "key" for thing in nobody.wanted(GROUPS))
    assert "KeyName" not in nobody.template_data("us-east-1", "sg-1")
    assert nobody.record(GROUPS, TEMPLATES)["regions"]["us-east-1"]["key_name"] is None


def test_the_template_holds_what_keeps_machines_safe_and_no_user_data() -> None:
    data = PLAN.template_data("us-east-1", "sg-1")
    assert data["MetadataOptions"] == {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    assert data["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert data["IamInstanceProfile"] == {"Name": "fleet-01234567"}
    assert data["SecurityGroupIds"] == ["sg-1"]
    assert not {"UserData", "ImageId", "InstanceMarketOptions", "BlockDeviceMappings"} & set(data)
    assert {one["ResourceType"] for one in data["TagSpecifications"]} == {"instance", "volume"}


@pytest.mark.parametrize("public_ip", [True, False])
def test_in_a_network_with_subnets_of_its_own_the_interface_says_whether_it_has_an_address(public_ip: bool) -> None:
    network = Network("vpc-1", default=False, subnets={"us-east-1a": "subnet-1"})
    data = replace(PLAN, networks={"us-east-1": network}, public_ip=public_ip).template_data("us-east-1", "sg-1")
    assert data["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is public_ip
    assert data["NetworkInterfaces"][0]["Groups"] == ["sg-1"]
    assert "SecurityGroupIds" not in data  # EC2 takes one or the other


# --- the network


def subnet(name: str, zone: str = "a", free: int = 100, **more: Any) -> dict[str, Any]:
    return {"SubnetId": name, "AvailabilityZone": zone, "AvailableIpAddressCount": free, **more}


def table(gateway: Mapping[str, str], *subnets: str, main: bool = False, state: str = "active") -> dict[str, Any]:
    ties: list[dict[str, Any]] = [{"SubnetId": one} for one in subnets] + ([{"Main": True}] if main else [])
    return {"Associations": ties, "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "State": state, **gateway}]}


INTERNET, NAT = {"GatewayId": "igw-1"}, {"NatGatewayId": "nat-1"}
USUAL: dict[str, Any] = {"DefaultForAz": True, "MapPublicIpOnLaunch": True}


def test_the_default_network_serves_as_it_is() -> None:
    found = choose(
        "r", {"VpcId": "v", "IsDefault": True}, [subnet("s", **USUAL)], [table(INTERNET, main=True)], public_ip=True
    )
    assert found == Network("v", default=True)


def test_a_default_network_that_gives_no_addresses_is_named_subnet_by_subnet() -> None:
    subnets = [subnet("s1", **USUAL), subnet("s2", "b", DefaultForAz=True)]
    found = choose("r", {"VpcId": "v", "IsDefault": True}, subnets, [table(INTERNET, main=True)], public_ip=True)
    assert found.subnets == {"a": "s1", "b": "s2"}


def test_of_a_named_network_the_roomiest_subnet_of_each_zone_that_leads_out_is_taken() -> None:
    subnets = [subnet("inner", free=999), subnet("small", free=5), subnet("large", free=50), subnet("other", "b")]
    tables = [table(NAT, main=True), table(INTERNET, "small", "large", "other")]
    assert choose("r", {"VpcId": "v"}, subnets, tables, public_ip=True).subnets == {"a": "large", "b": "other"}
    private = choose("r", {"VpcId": "v"}, subnets, tables, public_ip=False)
    assert private.subnets == {"a": "inner"}
    assert not private.warning


def test_a_network_that_does_not_lead_out_is_refused_or_warned_of() -> None:
    with pytest.raises(FleetError, match="no subnet of v in r has a route to an internet gateway"):
        choose("r", {"VpcId": "v"}, [subnet("s")], [table(NAT, main=True)], public_ip=True)
    with pytest.raises(FleetError, match="no subnet"):
        choose("r", {"VpcId": "v"}, [subnet("s")], [table(INTERNET, main=True, state="blackhole")], public_ip=True)
    assert "no way out" in choose("r", {"VpcId": "v"}, [subnet("s")], [table(INTERNET, main=True)], public_ip=False).warning


# --- the key


def test_the_first_key_of_ssh_that_ec2_takes_is_found(tmp_path: Path) -> None:
    assert find_key(None, tmp_path) is None
    (tmp_path / "id_ecdsa.pub").write_text("ecdsa-sha2-nistp256 AAAA me")
    assert find_key(None, tmp_path) is None
    (tmp_path / "id_ed25519.pub").write_text(f"{KEY} me@here")
    found = find_key(None, tmp_path)
    assert found is not None
    assert found.text == KEY


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc", "private key: it stays"),
        ("ecdsa-sha2-nistp256 AAAA me", "which EC2 does not take"),
        ("sk-ssh-ed25519@openssh.com AAAA me", "which EC2 does not take"),
        ("ssh-ed25519", "no public key"),
        ("ssh-ed25519 not!base64", "no public key"),
        (KEY.replace("ssh-ed25519", "ssh-rsa"), "no public key"),
        (KEY[:20], "no public key"),
        ("", "no public key"),
    ],
)
def test_what_is_no_key_for_ec2_is_refused_with_the_reason(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(FleetError, match=told):
        read_key(tmp_path / "x")
    with pytest.raises(FleetError, match="No such file"):
        read_key(tmp_path / "missing")
