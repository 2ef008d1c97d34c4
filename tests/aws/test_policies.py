"""Who may do what: fleet's policies, asked request by request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fleet.model import layout
from fleet.providers.aws.policies import INLINE_LIMIT, MANAGED_LIMIT, controller_policy, instance_policy, trust_policy
from fleet.providers.aws.setup_policy import setup_policy
from tests.agent.fakes import RUN, World
from tests.aws.account import ACCOUNT
from tests.aws.evaluator import Judged, Request, decide
from tests.aws.recorded import Call, requests_of

FLEET = "0123456789abcdef"
OTHER = "fedcba9876543210"
BUCKET = f"fleet-{ACCOUNT}-ap-southeast-2"
ROLE = instance_policy(BUCKET, account=ACCOUNT)
CONTROLLER = controller_policy(ACCOUNT, "aws", BUCKET, FLEET)
SETUP = setup_policy(ACCOUNT, "aws", BUCKET)
CHECKPOINT = layout.checkpoint_file("racer-1", 2, 7, "model/weights.bin")


def on(action: str, key: str, policy: Mapping[str, Any] = ROLE) -> str:
    return decide(policy, Request(f"s3:{action}", f"arn:aws:s3:::{BUCKET}/{key}"))


# --- the machines' role

WRITTEN = [
    layout.heartbeat("racer-1", 2),
    layout.began("racer-1", 2),
    layout.base("racer-1", 2),
    layout.host_key("racer-1", 2),
    layout.boot_log("racer-1", 2),
    layout.log_chunk("racer-1", 2, 3),
    layout.manifest("racer-1", 2, 7),
    CHECKPOINT,
    layout.models("racer") + "final/model.bin",
]
STATE = [
    layout.FLEET,
    layout.AWS_SETUP,
    layout.LOCAL_HOME,
    layout.journal_entry(7),
    layout.snapshot(3, 100),
]
ORDERS = [layout.desired("racer-1"), layout.launch("racer-1", 2, 1)]
CODE = [layout.job_archive("ab" * 32), layout.wheel_index("0.1"), layout.wheels("0.1") + "x.tar.gz"]


@pytest.mark.parametrize("key", WRITTEN)
def test_a_machine_writes_what_is_a_machines(key: str) -> None:
    assert on("PutObject", key) == "allow"
    assert on("GetObject", key) == "allow"


@pytest.mark.parametrize("key", STATE)
@pytest.mark.parametrize("action", ["GetObject", "PutObject", "DeleteObject", "PutObjectAcl", "DeleteObjectVersion"])
def test_a_machine_never_touches_state(key: str, action: str) -> None:
    """Denied, not only not allowed: no other policy of the role's can give it."""
    assert on(action, key) == "deny"


@pytest.mark.parametrize("key", [*ORDERS, *CODE])
def test_a_machine_reads_its_orders_and_its_code_and_cannot_write_them(key: str) -> None:
    assert on("GetObject", key) == "allow"
    assert on("PutObject", key) != "allow"
    assert on("DeleteObject", key) == "deny"


def test_a_machine_removes_what_retention_removes_and_nothing_else() -> None:
    assert on("DeleteObject", CHECKPOINT) == on("DeleteObject", layout.heartbeat("racer-1", 2)) == "allow"
    for key in (layout.models("racer") + "model.bin", layout.began("racer-1", 2), layout.log_chunk("racer-1", 2, 3), "x"):
        assert on("DeleteObject", key) == "deny"
    assert on("DeleteObjectVersion", CHECKPOINT) != "allow"


@pytest.mark.parametrize(
    "action", ["DeleteBucket", "PutBucketPolicy", "PutBucketPublicAccessBlock", "PutLifecycleConfiguration"]
)
def test_a_machine_never_changes_the_bucket_itself(action: str) -> None:
    assert decide(ROLE, Request(f"s3:{action}", f"arn:aws:s3:::{BUCKET}")) == "deny"


def test_a_machine_lists_runs_and_not_the_journal() -> None:
    root = f"arn:aws:s3:::{BUCKET}"
    assert decide(ROLE, Request("s3:ListBucket", root, {"s3:prefix": layout.checkpoints("racer-1", 2)})) == "allow"
    assert decide(ROLE, Request("s3:ListBucket", root, {"s3:prefix": "journal/"})) == "nothing"


def test_an_absent_key_is_told_as_absent() -> None:
    """S3 answers "not found" only to those who may list, and asks that without any prefix; else it says "denied"."""
    assert decide(ROLE, Request("s3:ListBucket", f"arn:aws:s3:::{BUCKET}")) == "allow"


def test_a_machine_reads_the_fleets_secrets_and_no_others() -> None:
    parameter = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter"
    assert decide(ROLE, Request("ssm:GetParameters", f"{parameter}/fleet/WANDB_API_KEY")) == "allow"
    assert decide(ROLE, Request("ssm:GetParameters", f"{parameter}/production/password")) == "nothing"
    key = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1"
    of = "kms:EncryptionContext:PARAMETER_ARN"
    assert decide(ROLE, Request("kms:Decrypt", key, {of: f"{parameter}/fleet/X"})) == "allow"
    assert decide(ROLE, Request("kms:Decrypt", key, {of: f"{parameter}/other/X"})) == "nothing"
    assert decide(ROLE, Request("kms:Decrypt", key)) == "nothing"


@pytest.mark.parametrize("action", ["ec2:RunInstances", "ec2:TerminateInstances", "iam:PassRole", "sts:AssumeRole"])
def test_a_machine_may_do_nothing_with_machines(action: str) -> None:
    assert decide(ROLE, Request(action)) == "nothing"


def test_a_prefix_is_a_wall() -> None:
    policy = instance_policy(BUCKET, "teams/red", account=ACCOUNT)
    assert on("PutObject", f"teams/red/{CHECKPOINT}", policy) == "allow"
    assert on("PutObject", f"teams/blue/{CHECKPOINT}", policy) == "nothing"
    assert on("PutObject", CHECKPOINT, policy) == "nothing"
    assert on("PutObject", "teams/red/journal/000000000001.json", policy) == "deny"
    listing = {"s3:prefix": "runs/"}
    assert decide(policy, Request("s3:ListBucket", f"arn:aws:s3:::{BUCKET}", listing)) == "nothing"


def test_the_role_is_ec2s_to_take() -> None:
    assert trust_policy()["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def new(**job: object) -> World:
        made.append(World(tmp_path, job))
        return made[-1]

    yield new
    for one in made:
        one.close()


def test_two_whole_lives_of_the_real_agent_are_within_its_role(make: Callable[..., World]) -> None:
    """Claims, logs, checkpoints, retention, heartbeats, a resume: every access asked about."""
    world = make(checkpoint={"format": "rename", "keep": 2})
    judged = Judged(world.objects, ROLE, BUCKET)
    first = world.attempt(disk=world.disk(), objects=judged)
    first.until("training")
    for step in range(10, 70, 10):
        first.training.save(step)
        first.live(5)
    first.machine.notice_until = world.clock() + 120
    first.training.on_stop = lambda: setattr(first.training, "code", 0)
    first.until("released")
    world.desired(live=(2,), newest=2, gone=(1,))
    second = world.attempt(2, disk=world.disk("other"), objects=judged, predecessor=1)
    second.until("training")
    second.live(1)
    assert second.beat.resumed is not None
    assert second.beat.resumed.source == "bucket"
    second.training.save(80)
    second.live(5)
    second.training.say("the end")
    second.training.code = 0
    second.live(10)
    assert judged.refused == []
    kinds = {one.split()[0] for one in judged.asked}
    assert kinds == {"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"}
    assert any(layout.logs(RUN, 1) in one for one in judged.asked)


# --- the controller


def call(operation: str, tags: Mapping[str, Mapping[str, str]] | None = None, **parameters: object) -> Call:
    return Call("ec2", "us-east-1", operation, parameters, tags or {})


def decisions(policy: Mapping[str, Any], one: Call) -> set[str]:
    return {decide(policy, request) for request in requests_of(one)}


def tagged(*kinds: str, fleet: str = FLEET) -> list[dict[str, object]]:
    return [
        {"ResourceType": kind, "Tags": [{"Key": "fleet", "Value": fleet}, {"Key": "run", "Value": "r"}]} for kind in kinds
    ]


MINE = {one: {"fleet": FLEET, "run": "r"} for one in ("i-1", "vol-1", "sg-1", "lt-1", "snap-1", "sir-1")}
THEIRS = {one: {"fleet": OTHER} for one in MINE}
CHANGES: list[tuple[str, dict[str, object]]] = [
    ("TerminateInstances", {"InstanceIds": ["i-1"]}),
    ("AttachVolume", {"VolumeId": "vol-1", "InstanceId": "i-1"}),
    ("DetachVolume", {"VolumeId": "vol-1", "InstanceId": "i-1"}),
    ("DeleteVolume", {"VolumeId": "vol-1"}),
    ("ModifyVolume", {"VolumeId": "vol-1"}),
    ("DeleteSnapshot", {"SnapshotId": "snap-1"}),
    ("CancelSpotInstanceRequests", {"SpotInstanceRequestIds": ["sir-1"]}),
    ("GetConsoleOutput", {"InstanceId": "i-1"}),
    ("AuthorizeSecurityGroupIngress", {"GroupId": "sg-1"}),
    ("RevokeSecurityGroupIngress", {"GroupId": "sg-1"}),
    ("UpdateSecurityGroupRuleDescriptionsIngress", {"GroupId": "sg-1"}),
    ("DeleteLaunchTemplateVersions", {"LaunchTemplateId": "lt-1"}),
    ("DeleteLaunchTemplate", {"LaunchTemplateId": "lt-1"}),
    ("ModifyLaunchTemplate", {"LaunchTemplateId": "lt-1"}),
    ("CreateTags", {"Resources": ["vol-1"], "Tags": [{"Key": "run", "Value": "r2"}]}),
    ("CreateSnapshot", {"VolumeId": "vol-1", "TagSpecifications": tagged("snapshot")}),
]


@pytest.mark.parametrize(("operation", "parameters"), CHANGES)
def test_a_controller_changes_what_is_its_fleets_and_nothing_else(operation: str, parameters: dict[str, object]) -> None:
    assert decisions(CONTROLLER, call(operation, MINE, **parameters)) == {"allow"}
    assert "nothing" in decisions(CONTROLLER, call(operation, THEIRS, **parameters))
    assert "nothing" in decisions(CONTROLLER, call(operation, {}, **parameters))


def launches(fleet: str = FLEET, kinds: tuple[str, ...] = ("instance", "volume")) -> list[Call]:
    tags, template = tagged(*kinds, fleet=fleet), {"LaunchTemplateId": "lt-1", "Version": "1"}
    alone = {
        "SecurityGroupIds": ["sg-1"],
        "IamInstanceProfile": {"Name": f"fleet-{FLEET[:8]}"},
        "KeyName": f"fleet-{FLEET[:8]}",
    }
    return [
        call("RunInstances", MINE, **alone, TagSpecifications=tags),
        call("RunInstances", MINE, LaunchTemplate=template, TagSpecifications=tags),
        call("CreateFleet", MINE, LaunchTemplateConfigs=[{"LaunchTemplateSpecification": template}], TagSpecifications=tags),
    ]


def test_a_controller_launches_what_is_tagged_in_the_launching_call() -> None:
    for one in launches():
        assert decisions(CONTROLLER, one) == {"allow"}
    for one in [*launches(kinds=("volume",)), *launches(fleet=OTHER)]:
        assert "nothing" in decisions(CONTROLLER, one)


def test_a_controller_launches_by_its_own_template_in_its_own_group_only() -> None:
    for one in launches():
        for thing in ("lt-1",) if "IamInstanceProfile" not in one.parameters else ("sg-1",):
            theirs = Call(one.service, one.region, one.operation, one.parameters, {**MINE, thing: {"fleet": OTHER}})
            assert "nothing" in decisions(CONTROLLER, theirs)


def test_a_controller_cannot_take_what_is_anothers_by_tagging_it() -> None:
    mine = [{"Key": "fleet", "Value": FLEET}]
    assert "nothing" in decisions(CONTROLLER, call("CreateTags", THEIRS, Resources=["vol-1"], Tags=mine))
    assert "nothing" in decisions(CONTROLLER, call("CreateTags", {}, Resources=["vol-1"], Tags=mine))
    given_away = [{"Key": "fleet", "Value": OTHER}]
    assert "nothing" in decisions(CONTROLLER, call("CreateTags", MINE, Resources=["vol-1"], Tags=given_away))


def test_a_controller_makes_tagged_disks_and_copies_only_its_own() -> None:
    assert decisions(CONTROLLER, call("CreateVolume", TagSpecifications=tagged("volume"))) == {"allow"}
    assert "nothing" in decisions(CONTROLLER, call("CreateVolume", TagSpecifications=tagged("volume", fleet=OTHER)))


@pytest.mark.parametrize("kind", ["role", "instance-profile"])
def test_a_controller_makes_no_roles(kind: str) -> None:
    for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:CreateUser"):
        assert decide(CONTROLLER, Request(action, f"arn:aws:iam::{ACCOUNT}:{kind}/fleet-{FLEET[:8]}")) == "nothing"


def test_a_controller_hands_machines_their_role_and_no_other() -> None:
    service = {"iam:PassedToService": "ec2.amazonaws.com"}
    role = f"arn:aws:iam::{ACCOUNT}:role/fleet-{FLEET[:8]}"
    assert decide(CONTROLLER, Request("iam:PassRole", role, service)) == "allow"
    assert decide(CONTROLLER, Request("iam:PassRole", role, {"iam:PassedToService": "lambda.amazonaws.com"})) == "nothing"
    assert decide(CONTROLLER, Request("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/Admin", service)) == "nothing"


@pytest.mark.parametrize("key", [*STATE, *ORDERS, *CODE, *WRITTEN])
def test_a_controller_uses_the_whole_bucket_and_no_other(key: str) -> None:
    assert {on(action, key, CONTROLLER) for action in ("GetObject", "PutObject", "DeleteObject")} == {"allow"}
    assert decide(CONTROLLER, Request("s3:GetObject", f"arn:aws:s3:::another/{key}")) == "nothing"


# --- all of them


@pytest.mark.parametrize(("policy", "limit"), [(ROLE, INLINE_LIMIT), (CONTROLLER, MANAGED_LIMIT), (SETUP, MANAGED_LIMIT)])
def test_a_policy_fits_where_it_goes(policy: Mapping[str, Any], limit: int) -> None:
    assert len("".join(json.dumps(policy).split())) < limit
    names = [one["Sid"] for one in policy["Statement"]]
    assert len(set(names)) == len(names)
    assert all(name.isalnum() for name in names)


@pytest.mark.parametrize("policy", [ROLE, CONTROLLER, SETUP])
def test_nothing_is_allowed_on_everything_but_looking(policy: Mapping[str, Any]) -> None:
    looking = ("Describe", "Get", "List", "Simulate", "Decode")
    for one in policy["Statement"]:
        if one["Effect"] == "Allow" and "*" in ([one["Resource"]] if isinstance(one["Resource"], str) else one["Resource"]):
            assert all(action.partition(":")[2].startswith(looking) for action in one["Action"]), one["Sid"]
        assert not any(action.endswith(":*") for action in one["Action"] if one["Effect"] == "Allow")
