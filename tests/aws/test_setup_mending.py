"""Setting an account up where something is there already: half made, changed by somebody, or a network of one's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.model.errors import ErrorClass, FleetError, NewerVersionError, ProviderError
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.names import tags_of
from fleet.providers.aws.session import aws_client
from fleet.providers.wanted import nothing_to_do
from tests.aws.account import BUCKET, HOME, OTHER_KEY, Account, actions, changed, group_of, template_of

# --- half made, or changed by somebody


def test_a_port_that_somebody_opened_to_the_world_is_closed_and_one_that_fleet_opened_stays(account: Account) -> None:
    name = account.init().blueprint.name
    group, ec2 = group_of(name)["GroupId"], aws_client("ec2", HOME)
    for ranges in ([{"CidrIp": "0.0.0.0/0"}], [{"CidrIp": "198.51.100.7/32", "Description": "fleet:abc until 1"}]):
        rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": ranges}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    ranges6 = [{"CidrIpv6": "::/0"}]
    everything = {"IpProtocol": "-1", "Ipv6Ranges": ranges6}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[everything])
    prepared = account.init()
    assert changed(prepared)["security group"] == ("inbound",)
    told = next(step.told for step in prepared.steps if step.kind == "security group")
    assert told == "inbound: everything from ::/0, tcp 22 from 0.0.0.0/0 → none"
    assert [one["CidrIp"] for rule in group_of(name)["IpPermissions"] for one in rule["IpRanges"]] == ["198.51.100.7/32"]
    assert [rule["Ipv6Ranges"] for rule in group_of(name)["IpPermissions"]] == [[]]
    assert nothing_to_do(account.prepare().steps)


def test_a_group_without_a_way_out_gets_one(account: Account) -> None:
    name = account.init().blueprint.name
    group = group_of(name)
    aws_client("ec2", HOME).revoke_security_group_egress(
        GroupId=group["GroupId"], IpPermissions=group["IpPermissionsEgress"]
    )
    assert changed(account.init())["security group"] == ("outbound",)
    assert group_of(name)["IpPermissionsEgress"]


def test_a_role_without_its_policy_and_a_profile_without_its_role_are_mended(account: Account) -> None:
    name = account.init().blueprint.name
    iam = aws_client("iam", HOME)
    iam.delete_role_policy(RoleName=name, PolicyName="fleet")
    iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
    other = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [other]})
    iam.create_role(RoleName="another", AssumeRolePolicyDocument=trust)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName="another")
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    assert changed(account.init()) == {"role": ("trust", "policy"), "profile": ("role",)}
    assert nothing_to_do(account.prepare().steps)


def test_a_bucket_that_was_there_keeps_its_own_rules_and_tags(account: Account) -> None:
    s3 = aws_client("s3", HOME)
    s3.create_bucket(Bucket="mine")
    own = {"ID": "own", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Days": 9}}
    s3.put_bucket_lifecycle_configuration(Bucket="mine", LifecycleConfiguration={"Rules": [own]})
    s3.put_bucket_tagging(Bucket="mine", Tagging={"TagSet": [{"Key": "team", "Value": "red"}]})
    s3.put_object(Bucket="mine", Key="old/thing", Body=b"x")
    prepared = account.init(bucket="mine")
    assert actions(prepared)[f"bucket {HOME}"] == "mend"
    assert {rule["ID"] for rule in s3.get_bucket_lifecycle_configuration(Bucket="mine")["Rules"]} == {
        "own", "fleet-unfinished-uploads",
    }  # fmt: skip
    tags = {one["Key"]: one["Value"] for one in s3.get_bucket_tagging(Bucket="mine")["TagSet"]}
    assert tags == {"team": "red", "fleet": prepared.blueprint.fleet_id}
    assert nothing_to_do(account.prepare().steps)  # remembered: --bucket need not be said again


def test_a_fleet_id_that_only_the_buckets_tag_knows_is_the_fleets(account: Account) -> None:
    """The set-up before was killed between the two."""
    s3 = aws_client("s3", HOME)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": tags_of("feedfacefeedface")})
    assert account.init().blueprint.fleet_id == "feedfacefeedface"


def test_another_key_replaces_the_one_that_is_there_only_if_it_is_named(account: Account) -> None:
    account.init()
    (account.ssh / "id_ed25519.pub").write_text(OTHER_KEY)
    assert nothing_to_do(account.prepare().steps)
    prepared = account.init(key=account.ssh / "id_ed25519.pub")
    assert changed(prepared)["key"] == ("key",)
    name = prepared.blueprint.name
    (key,) = aws_client("ec2", HOME).describe_key_pairs(KeyNames=[name], IncludePublicKey=True)["KeyPairs"]
    assert key["PublicKey"].startswith(OTHER_KEY)
    assert nothing_to_do(account.prepare().steps)


def test_without_any_key_nobody_logs_in_and_that_is_said(account: Account) -> None:
    (account.ssh / "id_ed25519.pub").unlink()
    prepared = account.init()
    assert any("nobody can log in" in one for one in prepared.warnings)
    assert account.setup.regions[HOME].key_name is None
    assert "KeyName" not in template_of(account.setup)["LaunchTemplateData"]


def test_a_template_that_somebody_changed_gets_a_new_version_and_the_record_names_it(account: Account) -> None:
    account.init()
    identity = account.setup.regions[HOME].launch_template
    ec2 = aws_client("ec2", HOME)
    ec2.create_launch_template_version(LaunchTemplateId=identity, LaunchTemplateData={"UserData": "eA=="})
    ec2.modify_launch_template(LaunchTemplateId=identity, DefaultVersion="2")
    prepared = account.init()
    told = next(step.told for step in prepared.steps if step.kind == "launch template")
    assert "UserData" in told
    assert account.setup.regions[HOME].template_version == "3"
    assert template_of(account.setup)["VersionNumber"] == 3
    assert "UserData" not in template_of(account.setup)["LaunchTemplateData"]


def test_a_record_of_a_newer_fleet_is_not_written_over(account: Account) -> None:
    account.init()
    aws_client("s3", HOME).put_object(Bucket=BUCKET, Key="setup/aws.json", Body=b'{"v":2,"new":1}')
    with pytest.raises(NewerVersionError, match="newer fleet"):
        account.prepare()
    aws_client("s3", HOME).put_object(Bucket=BUCKET, Key="setup/aws.json", Body=b"torn{")
    assert changed(account.init()).keys() == {"record"}
    assert account.setup.bucket == BUCKET


# --- networks


def own_network(region: str = HOME, *, leads_out: bool = True) -> tuple[str, str]:
    ec2 = aws_client("ec2", region)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone=f"{region}a")["Subnet"]["SubnetId"]
    if leads_out:
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
        ec2.create_route(RouteTableId=tables[0]["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    return vpc, subnet


def test_a_named_network_is_used_in_its_region_and_stays_when_it_is_not_named_again(account: Account) -> None:
    vpc, subnet = own_network()
    account.init(HOME, "eu-west-1", vpcs=(vpc,))
    assert account.setup.regions[HOME].subnets == {f"{HOME}a": subnet}
    assert account.setup.regions["eu-west-1"].subnets == {}
    data = template_of(account.setup)["LaunchTemplateData"]
    assert data["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is True
    assert nothing_to_do(account.prepare().steps)


def test_a_network_that_is_nowhere_is_named_and_none_is_taken_in_its_place(account: Account) -> None:
    with pytest.raises(FleetError, match=f"there is no network vpc-0123 in {HOME}"):
        account.prepare(HOME, vpcs=("vpc-0123",))


def test_a_bucket_that_somebody_else_tagged_names_no_fleet(account: Account) -> None:
    s3 = aws_client("s3", HOME)
    s3.create_bucket(Bucket="theirs")
    s3.put_bucket_tagging(Bucket="theirs", Tagging={"TagSet": [{"Key": "fleet", "Value": "production"}]})
    with pytest.raises(FleetError, match="fleet=production, which is not this fleet's"):
        account.prepare(HOME, bucket="theirs")


def test_a_network_without_a_way_out_and_a_region_without_a_network_are_refused(account: Account) -> None:
    vpc, _ = own_network(leads_out=False)
    with pytest.raises(FleetError, match="internet gateway") as told:
        account.prepare(vpcs=(vpc,))
    assert "--no-public-ip" in told.value.hint
    ec2 = aws_client("ec2", "eu-west-1")
    default = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=default)
    with pytest.raises(FleetError, match="eu-west-1 has no default network") as told:
        account.prepare("eu-west-1")
    assert "create-default-vpc --region eu-west-1" in told.value.hint


def test_machines_without_an_address_are_said_to_need_another_way_out(account: Account) -> None:
    prepared = account.init(public_ip=False)
    assert any("no way out" in one for one in prepared.warnings)
    assert account.setup.public_ip is False
    assert nothing_to_do(account.prepare().steps)  # it stays so until something else is said
    assert not nothing_to_do(account.prepare(public_ip=True).steps)


# --- what cannot be


@pytest.mark.parametrize("name", ["s3://b/prefix", "Big", "a", "x" * 64, "under_score"])
def test_what_is_no_name_of_a_bucket_is_refused_before_any_call(account: Account, name: str) -> None:
    with pytest.raises(FleetError, match="no name of a bucket"):
        account.prepare(bucket=name)


def test_a_bucket_of_somebody_else_is_refused_with_the_way_out(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_self: Calls, _service: str, _region: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if operation == "head_bucket":
            assert parameters["ExpectedBucketOwner"] == "123456789012"
            raise ProviderError(ErrorClass.UNKNOWN, "403", "HeadBucket: Forbidden")
        return {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/me"}

    monkeypatch.setattr(Calls, "once", refused)
    with pytest.raises(FleetError, match="another account's") as told:
        account.prepare(bucket="taken")
    assert "--bucket" in told.value.hint


def test_a_region_that_the_account_did_not_enable_is_named(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    once = Calls.once

    def refused(self: Calls, service: str, region: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if service == "ec2" and region == "af-south-1":
            raise ProviderError(
                ErrorClass.CREDENTIALS, "AuthFailure", "not able to validate the provided access credentials"
            )
        return once(self, service, region, operation, parameters)

    monkeypatch.setattr(Calls, "once", refused)
    with pytest.raises(FleetError, match="af-south-1 does not take your credentials") as told:
        account.prepare("us-east-1", "af-south-1")
    assert "enable-region" in told.value.hint


def test_what_a_computer_remembers_and_cannot_read_is_as_if_it_remembered_nothing(account: Account) -> None:
    for text in ("torn{", "[]", '{"profile": null}'):
        (account.home.path / "aws.json").write_text(text)
        assert account.home.aws() is None
    (account.home.path / "aws.json").write_text('{"bucket": "s3://b"}')
    known = account.home.aws()
    assert known is not None
    assert (known.bucket, known.profile, known.regions) == ("s3://b", None, ())
