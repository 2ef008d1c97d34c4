"""What nobody owns in an account is found in every region, priced, and removed on a word: that, and nothing else."""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.parsers import ResponseParserError

from fleet.cli import gc
from fleet.control.fleets import open_fleet
from fleet.control.home import Home
from fleet.control.runs import start_run
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.job import Job
from fleet.model.setup import AwsRegion, AwsSetup
from fleet.providers.aws import sweep as pure
from fleet.providers.aws import sweeping
from fleet.providers.aws.session import aws_client
from fleet.providers.aws.sweep import Found, strays
from fleet.providers.aws.sweeping import Account, remove, sweep
from fleet.providers.strays import Owned, Stray
from fleet.store.fleetfile import FleetInfo
from fleet.store.opening import open_objects
from tests.aws.moto import Moto

NOW = 1_800_000_000.0
FLEET = "f" * 16


def ago(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOW - seconds, timezone.utc)


def tags(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in {"fleet": FLEET, **values}.items()]


def machine(**fields: Any) -> dict[str, Any]:
    known = {"InstanceId": "i-1", "InstanceType": "g4dn.xlarge", "State": {"Name": "running"}, "LaunchTime": ago(7200)}
    return {**known, "Tags": tags(run="r-1", token="t-1"), "Placement": {"AvailabilityZone": "us-east-1a"}, **fields}


def disk(**fields: Any) -> dict[str, Any]:
    known = {"VolumeId": "vol-1", "Size": 500, "VolumeType": "gp3", "State": "available", "CreateTime": ago(7200)}
    return {**known, "Tags": tags(run="r-1"), "Attachments": [], **fields}


def judged(owned: Owned = Owned(), **facts: Any) -> list[Stray]:  # noqa: B008 - frozen
    return strays(Found("us-east-1", **facts), FLEET, owned, NOW)


R1 = frozenset({"r-1"})


@pytest.mark.parametrize(
    ("owned", "fields", "stray"),
    [
        (Owned(), {}, True),
        (Owned(R1), {}, True),
        (Owned(R1, instances=frozenset({"i-1"})), {}, False),
        (Owned(R1, tokens=frozenset({"t-1"})), {}, False),
        (Owned(R1, instances=frozenset({"i-2"}), tokens=frozenset({"t-2"})), {}, True),
        (Owned(frozenset(), frozenset({"i-1"})), {}, True),  # the run that is named on it is none of this fleet's
        (Owned(), {"LaunchTime": ago(3599)}, False),
        (Owned(), {"State": {"Name": "shutting-down"}}, False),
        (Owned(), {"State": {"Name": "stopped"}}, True),
        (Owned(), {"Tags": [{"Key": "fleet", "Value": "another"}]}, False),
        (Owned(), {"Tags": []}, False),
    ],
)
def test_a_machine_is_nobodys_if_no_attempt_has_it_and_it_is_old_enough(
    owned: Owned, fields: dict[str, Any], stray: bool
) -> None:
    assert [one.id for one in judged(owned, instances=[machine(**fields)])] == (["i-1"] if stray else [])


def test_a_machines_price_is_that_of_machine_address_and_the_disk_that_goes_with_it() -> None:
    root = disk(VolumeId="vol-root", Size=100, Tags=tags(), Attachments=[{"InstanceId": "i-1", "DeleteOnTermination": True}])
    facts: dict[str, Any] = {"instances": [machine(PublicIpAddress="1.2.3.4")], "volumes": [root]}
    (one,) = judged(**facts, prices={"i-1": 200_000})
    assert one.monthly == (200_000 + 5_000) * 730 + 100 * 80_000
    assert "g4dn.xlarge, running" in one.why
    (one,) = judged(**facts)
    assert one.monthly == 5_000 * 730 + 100 * 80_000
    assert "its own price is not known" in one.why
    (one,) = judged(instances=[machine(State={"Name": "stopped"}, PublicIpAddress="1.2.3.4")], volumes=[root])
    assert one.monthly == 100 * 80_000


@pytest.mark.parametrize(
    ("owned", "fields", "stray"),
    [
        (Owned(), {}, True),
        (Owned(R1), {}, False),
        (Owned(), {"Tags": tags()}, True),
        (Owned(), {"Tags": [{"Key": "run", "Value": "r-1"}]}, False),
        (Owned(), {"CreateTime": ago(60)}, False),
        (Owned(), {"CreateTime": None}, False),
        (Owned(), {"State": "deleting"}, False),
        (Owned(), {"Attachments": [{"InstanceId": "i-9", "DeleteOnTermination": False}]}, True),
        (Owned(), {"Attachments": [{"InstanceId": "i-9", "DeleteOnTermination": True}]}, False),
        (Owned(instances=frozenset({"i-9"})), {"Attachments": [{"InstanceId": "i-9"}]}, False),
    ],
)
def test_a_disk_is_nobodys_if_no_run_has_it_and_it_does_not_go_with_its_machine(
    owned: Owned, fields: dict[str, Any], stray: bool
) -> None:
    found = judged(owned, volumes=[disk(**fields)])
    assert [(one.id, one.monthly) for one in found] == ([("vol-1", 500 * 80_000)] if stray else [])


def test_a_snapshot_of_no_run_costs_what_its_disk_held_at_most() -> None:
    snapshot = {"SnapshotId": "snap-1", "VolumeSize": 500, "StartTime": ago(7200), "Tags": tags(run="r-1")}
    assert [(one.id, one.monthly) for one in judged(snapshots=[snapshot])] == [("snap-1", 500 * 50_000)]
    assert judged(Owned(R1), snapshots=[snapshot]) == []
    assert judged(snapshots=[{**snapshot, "StartTime": ago(60)}]) == []


@pytest.mark.parametrize(
    ("fields", "stray"),
    [
        ({"State": "open"}, True),
        ({"State": "active"}, False),
        ({"State": "active", "Type": "persistent"}, True),
        ({"State": "disabled", "Type": "persistent"}, True),
        ({"State": "closed", "Type": "persistent"}, False),
        ({"State": "cancelled"}, False),
        ({"State": "open", "CreateTime": ago(60)}, False),
        ({"State": "open", "Tags": tags(run="r-1", token="t-live")}, False),
        ({"State": "open", "Tags": [{"Key": "fleet", "Value": "another"}]}, False),
    ],
)
def test_a_spot_request_that_may_bring_another_machine_is_nobodys(fields: dict[str, Any], stray: bool) -> None:
    known = {"SpotInstanceRequestId": "sir-1", "Type": "one-time", "CreateTime": ago(7200), "Tags": tags(run="r-1")}
    found = judged(Owned(R1, tokens=frozenset({"t-live"})), spot_requests=[{**known, **fields}])
    assert [one.id for one in found] == (["sir-1"] if stray else [])


@pytest.mark.parametrize(
    ("description", "stray"),
    [
        (f"fleet:{FLEET} until {NOW - 1:.0f}", True),
        (f"fleet:{FLEET} until {NOW + 1:.0f}", False),
        (f"fleet:another until {NOW - 1:.0f}", False),
        ("my own", False),
        ("", False),
    ],
)
def test_a_port_whose_time_has_passed_is_nobodys_and_one_that_the_user_opened_is_the_users(
    description: str, stray: bool
) -> None:
    rule = {"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "FromPort": 22, "CidrIpv4": "1.2.3.4/32"}
    found = judged(rules=[{**rule, "Description": description}])
    assert [(one.id, one.of) for one in found] == ([("sgr-1", "sg-1")] if stray else [])


def version(number: int, age: float, template: str = "lt-1") -> dict[str, Any]:
    return {"LaunchTemplateId": template, "VersionNumber": number, "CreateTime": ago(age), "Tags": tags()}


@pytest.mark.parametrize(
    ("versions", "used", "stray"),
    [
        ([version(1, 9000), version(2, 8000)], ("lt-1", "2"), ["lt-1:1"]),
        ([version(1, 9000), version(2, 60)], ("lt-1", "2"), []),  # launches by the first may be on their way
        ([version(1, 9000), version(2, 8000), version(3, 7000)], ("lt-1", "2"), ["lt-1:1", "lt-1:3"]),
        ([version(1, 9000)], ("lt-1", "2"), []),  # what is used is not seen: a set-up is at work
        ([version(1, 9000), version(1, 9000, "lt-0")], ("lt-1", "1"), ["lt-0:1"]),
        ([version(1, 9000)], None, ["lt-1:1"]),
        ([version(1, 9000), version(2, 60)], None, []),
    ],
)
def test_versions_that_no_launch_names_are_nobodys(
    versions: list[dict[str, Any]], used: tuple[str, str] | None, stray: list[str]
) -> None:
    assert [one.id for one in judged(templates=versions, template=used)] == stray
    another = [{**one, "Tags": [{"Key": "fleet", "Value": "another"}]} for one in versions]
    assert judged(templates=another, template=used) == []


def test_an_upload_is_nobodys_once_it_is_a_day_old_and_costs_what_was_sent() -> None:
    upload = {"UploadId": "u-1", "Key": "x/runs/k", "Bytes": 100 * 10**9, "Initiated": ago(3 * 86_400)}
    (one,) = judged(uploads=[upload])
    assert (one.id, one.of, one.monthly) == ("u-1", "x/runs/k", 2_300_000)
    assert "3 days ago" in one.why
    assert judged(uploads=[{**upload, "Initiated": ago(86_000)}]) == []


class World:
    """An account with things of this fleet, and of another, in two regions; nothing of it is old."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.s3 = aws_client("s3", "us-east-1")
        self.s3.create_bucket(Bucket="the-fleets-bucket")
        self.url = "s3://the-fleets-bucket/x"
        # By hand: under load moto lets several writers win the race that a set-up looks at.
        info = FleetInfo(fleet_id=secrets.token_hex(8), layout=layout.LAYOUT_VERSION)
        open_objects(self.url).put(layout.FLEET, document_bytes(info))
        self.controller = open_fleet(home, self.url)
        home.remember_bucket(self.url)
        self.fleet = self.controller.state.fleet_id
        self.made: dict[str, str] = {}

    def tag(self, kind: str, fleet: str = "", **more: str) -> list[dict[str, Any]]:
        return [
            {
                "ResourceType": kind,
                "Tags": [{"Key": k, "Value": v} for k, v in {"fleet": fleet or self.fleet, **more}.items()],
            }
        ]

    def launch(self, region: str, fleet: str = "", **more: str) -> str:
        ec2 = aws_client("ec2", region)
        image = ec2.describe_images()["Images"][0]["ImageId"]
        words = {"ImageId": image, "InstanceType": "c5.large", "MinCount": 1, "MaxCount": 1}
        made = ec2.run_instances(**words, TagSpecifications=self.tag("instance", fleet, **more))
        return str(made["Instances"][0]["InstanceId"])

    def volume(self, region: str, fleet: str = "", **more: str) -> str:
        words = {"AvailabilityZone": f"{region}a", "Size": 500, "VolumeType": "gp3"}
        made = aws_client("ec2", region).create_volume(**words, TagSpecifications=self.tag("volume", fleet, **more))
        return str(made["VolumeId"])

    def setup(self, version: int) -> None:
        ec2 = aws_client("ec2", "us-east-1")
        if "template" not in self.made:
            words = {"LaunchTemplateName": "fleet", "LaunchTemplateData": {"InstanceType": "c5.large"}}
            made = ec2.create_launch_template(**words, TagSpecifications=self.tag("launch-template"))
            self.made["template"] = made["LaunchTemplate"]["LaunchTemplateId"]
        for _ in range(version - 1):
            ec2.create_launch_template_version(
                LaunchTemplateId=self.made["template"], LaunchTemplateData={"InstanceType": "c5.xlarge"}
            )
        group = ec2.create_security_group(GroupName="fleet", Description="d", TagSpecifications=self.tag("security-group"))[
            "GroupId"
        ]
        self.made["group"] = group
        region = AwsRegion(
            region="us-east-1",
            security_group=group,
            launch_template=self.made["template"],
            template_version=str(version),
        )
        made_setup = AwsSetup(
            fleet_id=self.fleet,
            account="123456789012",
            bucket="the-fleets-bucket",
            bucket_region="us-east-1",
            instance_profile="fleet",
            regions={"us-east-1": region},
            made_at=1.0,
        )
        self.controller.objects.put(layout.AWS_SETUP, document_bytes(made_setup))

    def open_port(self, until: int, address: str) -> str:
        rule = {"CidrIp": address, "Description": f"fleet:{self.fleet} until {until}"}
        made = aws_client("ec2", "us-east-1").authorize_security_group_ingress(
            GroupId=self.made["group"],
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [rule]}],
        )
        return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])


@pytest.fixture
def world(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    few = ["ap-south-1", "eu-north-1", "eu-west-1", "us-east-1"]  # moto has 38, and one process
    monkeypatch.setattr(sweeping, "_regions", lambda _account: few)
    return World(Home(tmp_path / "home"))


def told(capsys: pytest.CaptureFixture[str], **words: Any) -> list[dict[str, Any]]:
    capsys.readouterr()
    gc.collect(None, delete=words.get("delete", False), yes=True, as_json=True)
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_every_region_is_swept_and_what_is_shown_is_removed_and_nothing_else(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.setup(version=1)
    run = start_run(world.controller, Job.model_validate({"name": "a", "run": "true"}), Path()).run_id
    ec2 = aws_client("ec2", "us-east-1")
    stray = {
        ("machine", world.launch("us-east-1", run="gone-1")),
        ("machine", world.launch("ap-south-1", run=run, token="nobodys")),
        ("volume", world.volume("eu-west-1", run="gone-1")),
        ("snapshot", ec2.create_snapshot(
            VolumeId=world.volume("us-east-1", run=run), TagSpecifications=world.tag("snapshot"))["SnapshotId"]),
        ("ingress-rule", world.open_port(100, "1.2.3.4/32")),
        ("upload", world.s3.create_multipart_upload(Bucket="the-fleets-bucket", Key="x/runs/k")["UploadId"]),
    }  # fmt: skip
    kept = world.open_port(99_999_999_999, "1.2.3.5/32")
    strangers = {world.launch("eu-west-1", "another"), world.volume("us-east-1", "another")}
    elsewhere = world.s3.create_multipart_upload(Bucket="the-fleets-bucket", Key="elsewhere")["UploadId"]

    assert {(one["kind"], one["id"]) for one in told(capsys)} == {
        one
        for one in stray
        if one[0] in ("ingress-rule", "upload")  # moto's uploads all began in 2010
    }
    monkeypatch.setattr(pure, "YOUNG", -60)
    shown = told(capsys)
    assert {(one["kind"], one["id"]) for one in shown} == stray
    assert {one["region"] for one in shown} == {"us-east-1", "ap-south-1", "eu-west-1"}
    prices = {one["id"]: one["usd_per_month"] for one in shown if one["kind"] in ("volume", "snapshot")}
    assert sorted(prices.values()) == [25.0, 40.0]
    assert gc.collect(None, delete=False, yes=True, as_json=False) == 0
    text = capsys.readouterr().out
    assert "aws/ap-south-1" in text
    assert "fleet gc --delete" in text

    assert {(one["kind"], one["id"]) for one in told(capsys, delete=True) if one["deleted"]} == stray
    assert told(capsys) == []
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [world.made["group"]]}])
    assert kept in {one["SecurityGroupRuleId"] for one in rules["SecurityGroupRules"]}
    left = {v["VolumeId"] for v in ec2.describe_volumes()["Volumes"] if v["Attachments"] == []}
    alive = aws_client("ec2", "eu-west-1").describe_instances(
        Filters=[{"Name": "instance-state-name", "Values": ["running"]}]
    )
    left |= {i["InstanceId"] for r in alive["Reservations"] for i in r["Instances"]}
    assert strangers <= left
    uploads = world.s3.list_multipart_uploads(Bucket="the-fleets-bucket")["Uploads"]
    assert [one["UploadId"] for one in uploads] == [elsewhere]


def test_every_region_that_is_switched_on_is_asked_and_those_of_the_set_up_anyhow(moto: Moto) -> None:
    told = {one["RegionName"] for one in aws_client("ec2", "us-east-1").describe_regions()["Regions"]}
    region = AwsRegion(region="xx-new-1", security_group="sg", launch_template="lt", template_version="1")
    setup = AwsSetup(
        fleet_id=FLEET,
        account="1",
        bucket="b",
        bucket_region="us-east-1",
        instance_profile="p",
        regions={"xx-new-1": region},
        made_at=1.0,
    )
    assert len(told) > 10
    assert set(sweeping._regions(Account(FLEET, "us-east-1"))) == told
    assert set(sweeping._regions(Account(FLEET, "us-east-1", setup=setup))) == {*told, "xx-new-1"}


def test_a_region_that_cannot_be_asked_hides_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    strange = world.volume("eu-west-1", run="gone-1")
    monkeypatch.setattr(pure, "YOUNG", -60)
    account = Account(world.fleet, "us-east-1")

    class Refusing:
        """A region that an organisation's policy closes."""

        meta = aws_client("ec2", "eu-north-1").meta

        def get_paginator(self, call: str) -> Any:
            raise ProviderError(ErrorClass.DENIED, "UnauthorizedOperation", f"{call}: no")

    def client(self: Account, service: str, region: str) -> Any:
        return Refusing() if region == "eu-north-1" else aws_client(service, region)

    monkeypatch.setattr(Account, "client", client)
    swept = sweep(account, Owned(), world.controller.objects.now())
    assert [one.id for one in swept.strays] == [strange]
    assert list(swept.troubles) == ["eu-north-1"]


def test_without_any_account_nothing_of_aws_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path))
    home = Home(tmp_path)
    open_fleet(home, home.bucket, create=True)
    monkeypatch.setattr("fleet.providers.aws.session.aws_session", lambda *_: pytest.fail("asked"))
    assert gc.collect(None, delete=False, yes=True, as_json=True) == 0


def test_what_somebody_else_removed_meanwhile_is_removed(world: World) -> None:
    account = Account(world.fleet, "us-east-1", bucket="the-fleets-bucket")
    remove(account, Stray("volume", "us-east-1", "vol-0123456789abcdef0", "", 0))
    remove(account, Stray("machine", "us-east-1", "i-0123456789abcdef0", "", 0))
    remove(account, Stray("snapshot", "us-east-1", "snap-0123456789abcdef0", "", 0))
    remove(account, Stray("upload", "us-east-1", "never", "", 0, "x/k"))


def test_a_template_that_no_region_launches_with_goes_whole(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.setup(version=2)
    world.controller.objects.delete([layout.AWS_SETUP])
    monkeypatch.setattr(pure, "YOUNG", -60)
    shown = told(capsys, delete=True)
    assert {one["id"] for one in shown} == {f"{world.made['template']}:1", f"{world.made['template']}:2"}
    assert aws_client("ec2", "us-east-1").describe_launch_templates()["LaunchTemplates"] == []


@pytest.mark.xfail(
    strict=True, reason="moto 5.2.5 knows no DeleteLaunchTemplateVersions", raises=(ProviderError, ResponseParserError)
)
def test_an_old_version_goes_and_the_set_ups_stays(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.setup(version=2)
    monkeypatch.setattr(pure, "YOUNG", -60)
    assert {one["id"] for one in told(capsys, delete=True)} == {f"{world.made['template']}:1"}


def test_a_fleet_whose_bucket_is_named_is_swept_alone(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "s3://the-fleets-bucket/y"
    fleet = secrets.token_hex(8)
    open_objects(other).put(layout.FLEET, document_bytes(FleetInfo(fleet_id=fleet, layout=layout.LAYOUT_VERSION)))
    mine, others = world.volume("us-east-1"), world.volume("us-east-1", fleet)
    monkeypatch.setattr(pure, "YOUNG", -60)
    assert [one["id"] for one in told(capsys)] == [mine]
    gc.collect(other, delete=False, yes=True, as_json=True)
    assert [one["id"] for one in json.loads(capsys.readouterr().out)] == [others]
