"""What an account lacks is told before a run is trusted to it: each thing by itself, with what to do about it."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.exceptions import Exit
from typer.testing import CliRunner

from fleet.cli.main import app
from fleet.control.home import Home
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.cloud import Market
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.job import Job
from fleet.model.setup import AwsRegion, AwsSetup
from fleet.providers.aws import checks, checks_bucket, checks_network, checks_permissions, checks_region, checks_types
from fleet.providers.aws.checks import Look, judge_lifetime, look_at
from fleet.providers.aws.session import aws_client, forget_clients
from fleet.providers.aws.vcpus import quota_of
from fleet.providers.looked import Checked, asked, judge_clock, untold
from fleet.store.opening import open_objects
from tests.aws.moto import Moto

BUCKET = "the-fleets-bucket"


def job(**resources: Any) -> Job:
    return Job.model_validate({"name": "train", "run": "true", "resources": {"infra": "aws/us-east-1", **resources}})


# --- judging ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "verdict", "told"),
    [(0.4, "good", "right"), (61, "note", "61 s ahead"), (-61, "note", "61 s behind"), (-1200, "bad", "are refused")],
)
def test_a_clock_that_is_off_is_told_before_requests_are_refused(skew: float, verdict: str, told: str) -> None:
    found = judge_clock(skew, "Amazon's")
    assert (found.state, told in found.told) == (verdict, True)


@pytest.mark.parametrize(
    ("method", "left", "temporary", "verdict", "told"),
    [
        ("shared-credentials-file", None, False, "good", "do not expire"),
        ("env", None, True, "note", "nothing says until when"),
        ("custom-process", 55 * 60.0, True, "note", "expire in 55 min; they are renewed by themselves"),
        ("assume-role", 13 * 3600.0, True, "good", "expire in 13 h 0 min"),
        ("login", 3 * 3600.0, True, "note", "expire in 3 h 0 min"),
    ],
)
def test_credentials_that_end_before_a_run_does_are_told_with_what_happens_then(
    method: str, left: float | None, temporary: bool, verdict: str, told: str
) -> None:
    found = judge_lifetime(method, left, temporary=temporary)
    assert (found.state, told in found.told) == (verdict, True), found
    assert ("training goes on" in found.remedy) == temporary


@pytest.mark.parametrize(
    ("instance_type", "market", "code"),
    [
        ("g3s.xlarge", "spot", "L-3819A6DF"),
        ("g4dn.xlarge", "spot", "L-3819A6DF"),
        ("vt1.3xlarge", "spot", "L-3819A6DF"),
        ("p2.xlarge", "spot", "L-7212CCBC"),
        ("c5.2xlarge", "spot", "L-34B43A08"),
        ("im4gn.large", "spot", "L-34B43A08"),
        ("g5.xlarge", "on-demand", "L-DB2E81BA"),
        ("p4de.24xlarge", "on-demand", "L-417A185B"),
        ("m6g.large", "on-demand", "L-1216C47A"),
        ("trn1.2xlarge", "spot", None),
        ("inf2.xlarge", "spot", None),
        ("dl1.24xlarge", "spot", None),
        ("x2idn.16xlarge", "spot", None),
        ("hpc6a.48xlarge", "on-demand", None),
        ("u-6tb1.metal", "on-demand", None),
    ],
)
def test_a_type_counts_against_its_own_quota(instance_type: str, market: str, code: str | None) -> None:
    quota = quota_of(instance_type, Market(market))
    assert (quota.code if quota is not None else None) == code


@pytest.mark.parametrize(
    ("limit", "market", "verdict"), [(0, "spot", "bad"), (3, "spot", "bad"), (4, "spot", "note"), (16, "spot", "good")]
)
def test_a_quota_is_held_against_the_jobs_machines_and_the_request_is_spelled_out(
    limit: float, market: str, verdict: str
) -> None:
    needs = {"g4dn.xlarge": 4, "g4dn.2xlarge": 8}
    found = checks_types.judge_quota("us-east-1", market, "L-3819A6DF", limit, needs)
    assert found.state == verdict
    assert ("--quota-code L-3819A6DF --desired-value 8 --region us-east-1" in found.remedy) == (verdict != "good")


def test_without_a_quota_on_demand_a_job_that_takes_spot_first_waits_and_goes_on() -> None:
    assert checks_types.judge_quota("us-east-1", "on-demand", "L-DB2E81BA", 0, {"g5.xlarge": 4}).state == "note"


def test_a_type_that_is_gone_is_named_with_what_serves_instead() -> None:
    catalog = SimpleNamespace(successors_of=lambda name: ("g4dn.xlarge", "g5.xlarge") if name == "p2.xlarge" else ())
    (gone,) = checks_types.judge_offerings("us-east-1", {"p2.xlarge": []}, catalog)
    assert (gone.state, "g4dn.xlarge, g5.xlarge serve instead" in gone.remedy) == ("bad", True)
    found = checks_types.judge_offerings("us-east-1", {"p2.xlarge": [], "c5.large": ["us-east-1b", "us-east-1a"]}, catalog)
    assert [(one.state, one.told) for one in found] == [
        ("good", "us-east-1: c5.large in us-east-1a, us-east-1b"),
        ("note", "us-east-1: p2.xlarge is offered in no zone"),
    ]


@pytest.mark.parametrize(
    ("dry", "simulated", "verdict"),
    [
        ("allowed", "denied", "allowed"),
        ("denied", "allowed", "denied"),
        ("untold", "denied", "denied"),
        ("untold", "allowed", "allowed"),
        ("untold", "untold", "untold"),
    ],
)
def test_what_ec2_says_of_a_permission_counts_before_a_simulation(dry: Any, simulated: Any, verdict: str) -> None:
    assert checks_permissions.decide(dry, simulated) == verdict


@pytest.mark.parametrize(
    ("code", "verdict"),
    [("DryRunOperation", "allowed"), ("UnauthorizedOperation", "denied"), ("InvalidInstanceID.NotFound", "untold")],
)
def test_another_refusal_of_a_dry_run_says_nothing_of_permission(code: str, verdict: str) -> None:
    assert checks_permissions.verdict_of(ProviderError(ErrorClass.UNKNOWN, code, "")) == verdict


def test_a_permission_that_is_missing_has_a_line_of_its_own_and_is_bad_only_if_needed() -> None:
    found = checks_permissions.judge_permissions(
        "us-east-1",
        {
            "ec2:RunInstances": "allowed",
            "iam:PassRole": "denied",
            "pricing:GetProducts": "denied",
            "ec2:AttachVolume": "untold",
        },
        {"ec2:RunInstances": True, "iam:PassRole": True, "pricing:GetProducts": False, "ec2:AttachVolume": True},
        "iam:SimulatePrincipalPolicy is not allowed",
    )
    assert [(one.state, one.told.partition(": ")[2]) for one in found] == [
        ("good", "ec2:RunInstances"),
        ("bad", "iam:PassRole is denied"),
        ("note", "pricing:GetProducts is denied"),
        ("note", "cannot be told of ec2:AttachVolume (iam:SimulatePrincipalPolicy is not allowed)"),
    ]
    assert all("fleet policy aws" in one.remedy for one in found[1:])


SAFE = {
    "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
    "InstanceInitiatedShutdownBehavior": "terminate",
    "IamInstanceProfile": {"Name": "fleet"},
}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ""),
        ({"MetadataOptions": {"HttpTokens": "optional"}}, "IMDSv2"),
        ({"MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}}, "hop limit"),
        ({"InstanceInitiatedShutdownBehavior": "stop"}, "powers off stopped"),
        ({"IamInstanceProfile": {"Name": "admin"}}, "profile fleet"),
    ],
)
def test_a_template_that_lost_what_safety_rests_on_is_bad(change: dict[str, Any], told: str) -> None:
    found = checks_region.judge_template("lt-1", {**SAFE, **change}, "fleet", "us-east-1")
    assert (found.state, told in found.told) == ("bad" if told else "good", True)


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        ([{"IsEgress": True, "CidrIpv4": "0.0.0.0/0"}], "good"),
        ([{"CidrIpv4": "1.2.3.4/32", "FromPort": 22, "ToPort": 22, "Description": "fleet:f until 99"}], "good"),
        ([{"CidrIpv4": "1.2.3.0/24", "FromPort": 22, "ToPort": 22}], "note"),
        ([{"CidrIpv4": "0.0.0.0/0", "FromPort": 22, "ToPort": 22, "Description": "fleet:f until 99"}], "bad"),
        ([{"CidrIpv6": "::/0", "FromPort": -1, "ToPort": -1}], "bad"),
    ],
)
def test_a_group_that_lets_the_world_in_is_bad_whoever_wrote_the_rule(rules: list[dict[str, Any]], verdict: str) -> None:
    found = checks_network.judge_inbound("us-east-1", "sg-1", [{"SecurityGroupRuleId": "sgr-1", **one} for one in rules])
    assert found.state == verdict
    assert ("sgr-1" in found.remedy) == (verdict == "bad")


SUBNET = {"SubnetId": "subnet-1", "AvailabilityZone": "us-east-1a", "VpcId": "vpc-1"}
GATEWAY = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}
NAT = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}


def table(*routes: dict[str, Any], subnet: str = "", vpc: str = "vpc-1") -> dict[str, Any]:
    at = {"SubnetId": subnet} if subnet else {"Main": True}
    return {"VpcId": vpc, "Associations": [at], "Routes": list(routes)}


@pytest.mark.parametrize(
    ("tables", "public", "verdict"),
    [
        ([table(GATEWAY)], True, "good"),
        ([table(GATEWAY)], False, "bad"),
        ([table(NAT)], False, "good"),
        ([table()], True, "bad"),
        ([], True, "bad"),
        ([table(GATEWAY), table(subnet="subnet-1")], True, "bad"),  # its own table counts
        ([table(), table(GATEWAY, subnet="subnet-1")], True, "good"),
        ([table(), table(GATEWAY, subnet="subnet-2")], True, "bad"),
        ([table(GATEWAY, vpc="vpc-2")], True, "bad"),
        ([table({**GATEWAY, "State": "blackhole"})], True, "bad"),
        ([table({**GATEWAY, "DestinationCidrBlock": "10.0.0.0/8"})], True, "bad"),
    ],
)
def test_a_subnet_without_a_way_out_is_bad_since_machines_cannot_boot_there(
    tables: list[dict[str, Any]], public: bool, verdict: str
) -> None:
    (found,) = checks_network.judge_egress("us-east-1", [SUBNET], tables, {"subnet-1": public})
    assert found.state == verdict


def test_a_check_that_hangs_or_breaks_hides_no_other() -> None:
    def breaks() -> list[Checked]:
        raise KeyError("Quota")

    def refused() -> list[Checked]:
        raise ProviderError(ErrorClass.DENIED, "UnauthorizedOperation", "DescribeImages: no", "ask")

    def hangs() -> list[Checked]:
        time.sleep(5)
        return []

    begun = time.monotonic()
    found = list(
        asked([("a", hangs), ("b", breaks), ("c", refused), ("d", lambda: [Checked("d", "good", "fine")])], seconds=0.5)
    )
    assert time.monotonic() - begun < 3
    assert [(one.what, one.state) for one in found] == [("a", "note"), ("b", "note"), ("c", "note"), ("d", "good")]
    assert "no answer within" in found[0].told
    assert "KeyError" in found[1].told
    assert found[2].told == "cannot be told: DescribeImages: no"


def test_a_page_of_html_is_told_in_a_line() -> None:
    error = ProviderError(ErrorClass.TRANSIENT, "500", "GetQuota: <!doctype html>\n<html lang=en>\n" + "x" * 500)
    assert untold("quota", error).told == "cannot be told: GetQuota: <!doctype html>"


def test_a_bucket_elsewhere_is_told_with_what_that_costs() -> None:
    look = Look(None, "us-east-1", job())
    assert checks_bucket.judge_region("b", "us-east-1", look).state == "good"
    assert "$0.02 per GB" in checks_bucket.judge_region("b", "eu-west-1", look).told


# --- against moto ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path))
    monkeypatch.setattr(checks, "SECONDS", 60.0)  # a busy computer plays both sides here
    return Home(tmp_path)


@pytest.fixture
def setup(home: Home) -> AwsSetup:
    """An account in which everything is as it should be, and a bucket that says so."""
    ec2, s3, iam = (aws_client(one, "us-east-1") for one in ("ec2", "s3", "iam"))
    s3.create_bucket(Bucket=BUCKET)
    on = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=on)
    rule = {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}}
    rule |= {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]})
    iam.create_instance_profile(InstanceProfileName="fleet")
    iam.create_role(RoleName="fleet", AssumeRolePolicyDocument="{}")
    iam.add_role_to_instance_profile(InstanceProfileName="fleet", RoleName="fleet")
    ec2.create_key_pair(KeyName="fleet")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    (main,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    ec2.create_route(RouteTableId=main["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    template = ec2.create_launch_template(LaunchTemplateName="fleet", LaunchTemplateData=SAFE)["LaunchTemplate"]
    made = AwsSetup(
        fleet_id="f" * 16,
        account="123456789012",
        bucket=BUCKET,
        bucket_region="us-east-1",
        instance_profile="fleet",
        regions={
            "us-east-1": AwsRegion(
                region="us-east-1",
                security_group=ec2.create_security_group(GroupName="fleet", Description="d")["GroupId"],
                launch_template=template["LaunchTemplateId"],
                template_version="1",
                key_name="fleet",
            )
        },
        made_at=1.0,
    )
    url = f"s3://{BUCKET}/x"
    open_objects(url).put(layout.AWS_SETUP, document_bytes(made))
    home.remember_bucket(url)
    return made


def looked(setup: AwsSetup | None, **more: Any) -> list[Checked]:
    return list(look_at(Look(setup, "us-east-1", bucket=BUCKET, prefix="x", **more), seconds=60))


def test_an_account_in_which_all_is_well_is_good_but_for_what_moto_cannot_tell(setup: AwsSetup) -> None:
    image = aws_client("ec2", "us-east-1").describe_images()["Images"][0]["ImageId"]
    found = looked(setup, job=job(instance_type=["g4dn.xlarge", "c5.2xlarge"], image_id=image))
    not_good = [one for one in found if one.state != "good"]
    assert {one.what for one in not_good} == {"permission", "quota"}
    assert all("cannot be told" in one.told for one in not_good)
    expected = {"login", "clock", "set-up", "expiry", "permission", "offered", "image", "template", "key", "inbound"}
    assert {one.what for one in found} == {*expected, "egress", "region", "list", "public", "uploads", "profile", "quota"}
    (dry,) = [one.told for one in found if one.what == "permission" and one.state == "good"]
    assert {"ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateVolume"} <= set(dry.removeprefix("us-east-1: ").split(", "))


def test_a_dry_run_for_what_does_not_exist_says_no_to_whoever_may_change_only_what_is_tagged(
    setup: AwsSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Look.call

    def call(self: Look, service: str, region: str, operation: str, **words: Any) -> dict[str, Any]:
        if operation == "simulate_principal_policy":
            told = [{"EvalActionName": one, "EvalDecision": "allowed"} for one in words["ActionNames"]]
            return {"EvaluationResults": told}
        if operation in ("terminate_instances", "delete_volume", "describe_images"):
            raise ProviderError(ErrorClass.DENIED, "UnauthorizedOperation", "no")
        return whole(self, service, region, operation, **words)

    monkeypatch.setattr(Look, "call", call)
    bad = [one.told for one in looked(setup) if one.what == "permission" and one.state == "bad"]
    assert bad == ["us-east-1: ec2:DescribeImages is denied"]


@pytest.mark.xfail(strict=True, reason="moto 5.2.5 knows no SimulatePrincipalPolicy")
def test_permissions_that_no_dry_run_tells_are_simulated(setup: AwsSetup) -> None:
    verdicts = {one.told for one in looked(setup) if one.what == "permission" and one.state == "note"}
    assert not any("iam:PassRole" in told for told in verdicts)


@pytest.mark.xfail(strict=True, reason="moto 5.2.5 has no quotas of EC2's")
def test_quotas_are_read(setup: AwsSetup) -> None:
    found = [one for one in looked(setup, job=job(instance_type="c5.2xlarge")) if one.what == "quota"]
    assert all("vCPUs" in one.told for one in found)


def test_quotas_are_asked_of_service_quotas_the_accounts_own_first(setup: AwsSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, asked_for = Look.call, []

    def call(self: Look, service: str, region: str, operation: str, **words: Any) -> dict[str, Any]:
        if service != "service-quotas":
            return whole(self, service, region, operation, **words)
        asked_for.append((operation, words["QuotaCode"]))
        if operation == "get_service_quota" and words["QuotaCode"] == "L-34B43A08":
            raise ProviderError(ErrorClass.UNKNOWN, "NoSuchResourceException", "none of its own")
        return {"Quota": {"Value": 5.0}}

    monkeypatch.setattr(Look, "call", call)
    found = looked(setup, job=job(instance_type=["g4dn.xlarge", "c5.2xlarge"], market="spot"))
    quotas = [one for one in found if one.what == "quota"]
    assert [(one.state, one.told.split("; ")[0]) for one in quotas] == [
        ("bad", "us-east-1: 5 vCPUs spot (L-34B43A08)"),
        ("good", "us-east-1: 5 vCPUs spot (L-3819A6DF)"),
    ]
    assert ("get_aws_default_service_quota", "L-34B43A08") in asked_for


def break_key(setup: AwsSetup) -> None:
    aws_client("ec2", "us-east-1").delete_key_pair(KeyName="fleet")


def break_template(setup: AwsSetup) -> None:
    aws_client("ec2", "us-east-1").delete_launch_template(LaunchTemplateName="fleet")


def break_group(setup: AwsSetup) -> None:
    aws_client("ec2", "us-east-1").delete_security_group(GroupId=setup.regions["us-east-1"].security_group)


def open_group(setup: AwsSetup) -> None:
    everybody = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    group = setup.regions["us-east-1"].security_group
    aws_client("ec2", "us-east-1").authorize_security_group_ingress(GroupId=group, IpPermissions=everybody)


def break_profile(setup: AwsSetup) -> None:
    iam = aws_client("iam", "us-east-1")
    iam.remove_role_from_instance_profile(InstanceProfileName="fleet", RoleName="fleet")


def break_public(setup: AwsSetup) -> None:
    aws_client("s3", "us-east-1").delete_public_access_block(Bucket=BUCKET)


def break_egress(setup: AwsSetup) -> None:
    ec2 = aws_client("ec2", "us-east-1")
    for one in ec2.describe_route_tables()["RouteTables"]:
        if any(route.get("GatewayId", "").startswith("igw-") for route in one["Routes"]):
            ec2.delete_route(RouteTableId=one["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (
            (break_key, open_group, break_profile, break_public, break_egress),
            {"key", "inbound", "profile", "public", "egress"},
        ),
        ((break_template, break_group), {"template", "inbound"}),
    ],
)
def test_what_was_broken_is_found_and_nothing_else_is_bad(setup: AwsSetup, harm: Any, what: set[str]) -> None:
    for one in harm:
        one(setup)
    bad = [one for one in looked(setup) if one.state == "bad"]
    assert {one.what for one in bad} == what, bad
    assert all(one.remedy for one in bad)


def test_an_image_of_another_region_is_bad(setup: AwsSetup) -> None:
    found = looked(setup, job=job(instance_type="c5.2xlarge", image_id="ami-0fedcba9876543210"))
    (told,) = [one for one in found if one.what == "image"]
    assert (told.state, "there is no image ami-0fedcba9876543210" in told.told) == ("bad", True)


def test_a_region_that_the_job_names_and_the_set_up_has_not_is_bad(setup: AwsSetup) -> None:
    found = looked(setup, job=job(infra="aws/eu-west-1", instance_type="c5.2xlarge"))
    (told,) = [one for one in found if one.what == "set-up"]
    assert (told.state, told.remedy) == ("bad", "fleet init aws --region eu-west-1")


def test_another_account_than_the_set_ups_is_bad(setup: AwsSetup) -> None:
    found = looked(setup.model_copy(update={"account": "999999999999"}))
    (told,) = [one for one in found if one.what == "set-up"]
    assert (told.state, "999999999999" in told.told) == ("bad", True)


@pytest.fixture
def strict(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """moto holds callers to their policies from now on."""

    def enforce(allowed: float) -> None:
        url, plain = f"{moto.url}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        with urllib.request.urlopen(urllib.request.Request(url, str(allowed).encode(), plain, method="POST"), timeout=30):
            pass

    def as_user(*actions: str) -> None:
        iam = aws_client("iam", "us-east-1")
        iam.create_user(UserName="u")
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
        iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName="u")["AccessKey"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        forget_clients()
        enforce(0)

    yield as_user
    enforce(float("inf"))


def test_what_the_caller_may_not_do_is_named_one_by_one(setup: AwsSetup, strict: Any) -> None:
    strict("sts:*", "ec2:Describe*", "ec2:CreateVolume", "s3:Get*", "s3:HeadBucket", "ssm:*")
    found = looked(setup)
    denied = {one.told for one in found if one.what == "permission" and one.state == "bad"}
    assert denied == {f"us-east-1: ec2:{action} is denied" for action in ("RunInstances", "CreateFleet")}
    untold = next(one.told for one in found if one.what == "permission" and "cannot be told of" in one.told)
    for action in ("TerminateInstances", "AttachVolume", "DetachVolume", "DeleteVolume", "GetConsoleOutput"):
        assert f"ec2:{action}" in untold  # of what does not exist EC2 says no to whoever may change only what is tagged
    (there,) = [one.told for one in found if one.what == "permission" and one.state == "good"]
    assert "ec2:CreateVolume" in there
    profile = next(one for one in found if one.what == "profile")
    assert (profile.state, profile.told.startswith("cannot be told")) == ("note", True)
    assert next(one for one in found if one.what == "list").state == "bad"


def test_without_a_login_that_is_what_is_told_and_nothing_else(
    setup: AwsSetup, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    forget_clients()
    found = looked(setup)
    assert [(one.what, one.state) for one in found] == [("login", "bad"), ("others", "note")]
    assert found[0].remedy


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["doctor", *words])
    assert result.exception is None or isinstance(result.exception, (SystemExit, Exit)), result.exception
    return result.exit_code, result.stdout


def test_the_command_finds_the_set_up_by_the_bucket_that_is_known_here(
    setup: AwsSetup, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.store.probe.check_exclusive_creation", lambda _objects: None)  # under load moto's is not
    code, out = run("aws")
    assert code == 0, out
    assert f"good  set-up     fleet {setup.fleet_id} in us-east-1" in out
    assert f"good  bucket     s3://{BUCKET}/x can be written and honours exclusive creation" in out
    break_key(setup)
    code, out = run("aws", "-o", "json")
    assert code == 1
    found = json.loads(out)
    assert {one["what"] for one in found if one["state"] == "bad"} == {"key"}
    assert set(found[0]) == {"what", "state", "told", "remedy"}


def test_before_any_set_up_the_command_says_how_to_make_one(home: Home) -> None:
    code, out = run("aws", "-o", "json")
    found = {one["what"]: one for one in json.loads(out)}
    assert (code, found["set-up"]["state"], found["set-up"]["remedy"]) == (1, "bad", "fleet init aws")
    assert found["login"]["state"] == "good"


def test_a_job_that_runs_elsewhere_is_told(setup: AwsSetup, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("name: here\nrun: 'true'\n")
    _, out = run("aws", str(tmp_path / "job.yaml"), "--bucket", f"s3://{BUCKET}/x", "-o", "json")
    found = {one["what"]: one for one in json.loads(out)}
    assert found["job"]["told"] == "here does not run on aws: its infra is local"


def test_something_else_to_look_at_is_wrong_usage() -> None:
    assert run("azure")[0] == 2


def test_with_a_catalog_accelerators_lead_to_types(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = {"g4dn.xlarge": 1, "g4dn.12xlarge": 4, "g4dn.metal": 8}

    def described(name: str) -> SimpleNamespace:
        return SimpleNamespace(gpus=gpus[name], on_request=name == "g4dn.metal")  # only for those who name it

    catalog = SimpleNamespace(with_gpu=lambda _gpu: list(gpus), type_of=described)
    monkeypatch.setattr(checks_types, "catalog", catalog)
    look = Look(None, "us-east-1", job(accelerators="T4:2"))
    assert checks_types.wanted_types(look) == {"g4dn.12xlarge": {"spot", "on-demand"}}
    look = replace(look, job=job(instance_type="c5.large", market="spot"))
    assert checks_types.wanted_types(look) == {"c5.large": {"spot"}}
