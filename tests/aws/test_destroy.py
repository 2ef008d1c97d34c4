"""Tearing an account's set-up down, against moto: everything that was made goes, nothing that is data unless it is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.control.aws_teardown import check_removal, prepare_removal
from fleet.model.errors import FleetError
from fleet.model.events import RunCreated
from fleet.model.job import Job
from fleet.providers.aws.names import own_name
from fleet.providers.aws.session import aws_client, forget_clients
from fleet.providers.aws.setup_policy import setup_policy
from fleet.providers.aws.teardown import plan_removal
from fleet.providers.remains import Contents, Machine, Remains, Remnant, contents_of, living, lost
from fleet.providers.wanted import nothing_to_do
from fleet.store.journal import Journal
from fleet.store.opening import open_objects
from tests.aws.account import ACCOUNT, BUCKET, HOME, Account
from tests.aws.evaluator import decide
from tests.aws.recorded import Call, Recorder, requests_of

# --- the plan

REMAINS = Remains(
    "0123456789abcdef",
    things=(
        Remnant("bucket", HOME, "b"),
        Remnant("role", "", "fleet-01234567"),
        Remnant("volume", HOME, "vol-1", "run racer-1", 500),
        Remnant("security group", HOME, "sg-1"),
        Remnant("record", "", "setup/aws.json"),
        Remnant("snapshot", HOME, "snap-1", "", 100),
        Remnant("profile", "", "fleet-01234567"),
        Remnant("launch template", HOME, "lt-1"),
    ),
    contents=Contents(3, 2_000_000_000, (("runs/", 2, 1_900_000_000),)),
)


def doing(**options: bool) -> dict[str, str]:
    chosen = {"delete_volumes": False, "delete_bucket": False, **options}
    return {step.kind: step.action for step in plan_removal(REMAINS, **chosen)}


def test_what_was_made_goes_in_an_order_in_which_nothing_holds_anything_else_and_data_stays() -> None:
    found = doing()
    assert {kind for kind, action in found.items() if action == "leave"} == {"volume", "snapshot", "bucket"}
    kinds = list(found)
    assert kinds.index("profile") < kinds.index("role") < kinds.index("record") < kinds.index("bucket")


def test_data_goes_only_if_it_is_said() -> None:
    assert doing(delete_volumes=True)["volume"] == doing(delete_volumes=True)["snapshot"] == "remove"
    assert doing(delete_volumes=True)["bucket"] == "leave"
    assert doing(delete_bucket=True)["bucket"] == "remove"
    assert doing(delete_bucket=True)["volume"] == "leave"


def test_what_stays_and_what_is_lost_is_told_with_its_price() -> None:
    steps = {step.kind: step for step in plan_removal(REMAINS, delete_volumes=False, delete_bucket=True)}
    assert "500 GB of run racer-1, $40.00 a month" in steps["volume"].told
    assert steps["volume"].monthly == 40_000_000
    assert "3 objects, 2.00 GB (runs/ 2, 1.90 GB)" in steps["bucket"].told


def test_a_disk_that_a_machine_holds_stays_whatever_is_said() -> None:
    remains = Remains("f", things=(Remnant("volume", HOME, "vol-1", "", 10, busy="i-1"),))
    (step,) = plan_removal(remains, delete_volumes=True, delete_bucket=True)
    assert step.action == "leave"
    assert "i-1 holds it" in step.told


def test_a_machine_that_shuts_down_is_over() -> None:
    states = ("pending", "running", "stopping", "stopped", "shutting-down")
    remains = Remains("f", tuple(Machine(HOME, f"i-{state}", state, "") for state in states))
    assert [machine.state for machine in living(remains)] == list(states[:-1])


def test_the_contents_of_a_bucket_are_counted_and_what_is_not_fleets_is_found() -> None:
    found = contents_of(
        [("fleet.json", 50), ("journal/1", 100), ("runs/a/x", 900), ("holiday.jpg", 7), ("setup/aws.json", 1)]
    )
    assert (found.objects, found.bytes, found.strange) == (5, 1058, ("holiday.jpg",))
    assert lost(found) == "5 objects, 1 kB (journal/ 1, 0 kB; runs/ 1, 1 kB)"


# --- the effects


def tagged(account: Account, *kinds: str) -> list[dict[str, Any]]:
    tags = [{"Key": "fleet", "Value": account.setup.fleet_id}, {"Key": "run", "Value": "racer-1"}]
    return [{"ResourceType": kind, "Tags": tags} for kind in kinds]


def a_machine(account: Account) -> str:
    made = aws_client("ec2", HOME).run_instances(
        ImageId="ami-1234abcd", MinCount=1, MaxCount=1, InstanceType="c5.2xlarge",
        LaunchTemplate={"LaunchTemplateId": account.setup.regions[HOME].launch_template},
        TagSpecifications=tagged(account, "instance"),
    )  # fmt: skip
    return str(made["Instances"][0]["InstanceId"])


def a_volume(account: Account) -> str:
    made = aws_client("ec2", HOME).create_volume(
        AvailabilityZone=f"{HOME}a", Size=500, TagSpecifications=tagged(account, "volume")
    )
    return str(made["VolumeId"])


def everything(fleet_id: str, region: str = HOME) -> list[str]:
    """What in a region carries the fleet's tag, and the role of its name."""
    ec2, filters = aws_client("ec2", region), [{"Name": "tag:fleet", "Values": [fleet_id]}]
    found = [one["LaunchTemplateId"] for one in ec2.describe_launch_templates(Filters=filters)["LaunchTemplates"]]
    found += [one["KeyPairId"] for one in ec2.describe_key_pairs(Filters=filters)["KeyPairs"]]
    found += [one["GroupId"] for one in ec2.describe_security_groups(Filters=filters)["SecurityGroups"]]
    found += [one["VolumeId"] for one in ec2.describe_volumes(Filters=filters)["Volumes"]]
    roles = [role["RoleName"] for role in aws_client("iam", region).list_roles(PathPrefix="/")["Roles"]]
    return [*found, *(name for name in roles if name == own_name(fleet_id))]


def test_everything_that_was_made_goes_in_every_region_and_the_bucket_stays(account: Account) -> None:
    account.init(HOME, "eu-west-1")
    fleet = account.setup.fleet_id
    account.destroy()
    assert everything(fleet) == everything(fleet, "eu-west-1") == []
    assert aws_client("iam", HOME).list_instance_profiles()["InstanceProfiles"] == []
    objects = open_objects(f"s3://{BUCKET}")
    assert [one.key for one in objects.list("")] == ["fleet.json"]
    assert account.home.aws() is None
    assert f"s3://{BUCKET}" in account.home.known_buckets()  # what was trained is still looked at


def test_what_another_fleet_has_stays(account: Account) -> None:
    account.init()
    aws_client("s3", HOME).create_bucket(Bucket="another")
    other = account.init(bucket="another").blueprint.fleet_id
    before = everything(other)
    account.home.remember_aws(f"s3://{BUCKET}", None, [HOME])
    account.destroy()
    assert everything(other) == before
    assert len(before) > 3


def test_a_second_time_there_is_nothing_to_remove(account: Account) -> None:
    account.init()
    account.destroy()
    recorder = Recorder()
    assert account.destroy().idle
    assert recorder.changes == []


def test_it_can_be_set_up_again_and_is_the_same_fleet(account: Account) -> None:
    first = account.init().blueprint.fleet_id
    account.destroy()
    again = account.init()
    assert again.blueprint.fleet_id == first
    assert nothing_to_do(account.prepare().steps)


def test_while_a_machine_lives_nothing_is_removed_and_the_command_that_ends_it_is_named(account: Account) -> None:
    account.init()
    machine = a_machine(account)
    recorder = Recorder()
    with pytest.raises(FleetError, match=rf"{machine} in us-east-1 \((pending|running), run racer-1\)") as told:
        account.destroy(delete_volumes=True, delete_bucket=True)
    assert "`fleet down racer-1`" in told.value.hint
    assert recorder.changes == []
    aws_client("ec2", HOME).terminate_instances(InstanceIds=[machine])
    account.destroy()


def test_while_a_run_goes_on_that_would_be_launched_again_nothing_is_removed(account: Account) -> None:
    account.init()
    job = Job.model_validate({"name": "racer", "run": "x", "resources": {"infra": "local"}})
    created = RunCreated(at=1.0, run_id="racer-1", name="racer", job=job, mounts={})
    journal = Journal(open_objects(f"s3://{BUCKET}"), account.setup.fleet_id, by="test", version="0")
    journal.append([created.model_dump(mode="json")])
    with pytest.raises(FleetError, match="runs go on: racer-1") as told:
        account.destroy(delete_bucket=True)
    assert "`fleet stop racer-1`" in told.value.hint
    account.destroy()  # it runs on this computer, and needs the bucket only


@pytest.mark.parametrize("delete_bucket", [False, True])
def test_nothing_goes_while_a_volume_would_be_left_that_nobody_looks_for(account: Account, *, delete_bucket: bool) -> None:
    account.init(HOME)
    volume = a_volume(account)
    before = everything(account.setup.fleet_id)
    with pytest.raises(FleetError, match=rf"{volume}, \$40\.00 a month") as told:
        account.destroy(delete_bucket=delete_bucket)
    assert "--delete-volumes" in told.value.hint
    assert everything(account.setup.fleet_id) == before
    account.destroy(delete_volumes=True)
    assert aws_client("ec2", HOME).describe_volumes()["Volumes"] == []


def test_the_bucket_goes_with_everything_in_it_if_that_is_said(account: Account) -> None:
    account.init()
    s3 = aws_client("s3", HOME)
    for number in range(3):
        s3.put_object(Bucket=BUCKET, Key=f"runs/r-1/{number}", Body=b"x" * 1000)
    s3.create_multipart_upload(Bucket=BUCKET, Key="runs/r-1/unfinished")
    doomed = account.destroy(delete_bucket=True)
    assert doomed.remains.contents is not None
    assert doomed.remains.contents.objects == 5
    assert s3.list_buckets()["Buckets"] == []
    assert f"s3://{BUCKET}" not in account.home.known_buckets()
    assert account.destroy(delete_bucket=True).steps == []


def test_every_version_of_everything_goes_where_somebody_turned_versions_on(account: Account) -> None:
    account.init()
    s3 = aws_client("s3", HOME)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket=BUCKET, Key="runs/r-1/x", Body=body)
    s3.delete_object(Bucket=BUCKET, Key="runs/r-1/x")
    account.destroy(delete_bucket=True)
    assert s3.list_buckets()["Buckets"] == []


def test_a_bucket_with_something_that_fleet_did_not_write_is_not_deleted(account: Account) -> None:
    account.init()
    aws_client("s3", HOME).put_object(Bucket=BUCKET, Key="thesis/draft.tex", Body=b"x")
    with pytest.raises(FleetError, match=r"thesis/draft\.tex") as told:
        account.destroy(delete_bucket=True)
    assert "Nothing was removed" in told.value.hint
    account.destroy()  # without the bucket it goes


class Killed(BaseException):
    """As a kill: nothing catches it."""


def test_a_teardown_that_is_killed_before_any_change_is_completed_by_the_next_one(account: Account) -> None:
    account.init(HOME)
    fleet = account.setup.fleet_id
    a_volume(account)
    seen: list[Call] = []

    def before(call: Call) -> None:
        seen.extend([call] if call.changes else [])
        if len(seen) == 2:
            raise Killed

    Recorder(before)
    kills = 0
    while kills < 40:
        seen.clear()
        try:
            account.destroy(delete_volumes=True, delete_bucket=True)
            break
        except Killed:
            kills += 1
    assert 9 <= kills < 40
    forget_clients()
    assert everything(fleet) == []
    assert aws_client("s3", HOME).list_buckets()["Buckets"] == []
    assert account.home.aws() is None


def test_a_half_made_set_up_is_torn_down_too(account: Account) -> None:
    def before(call: Call) -> None:
        if call.operation == "CreateLaunchTemplate":
            raise Killed

    Recorder(before)
    with pytest.raises(Killed):
        account.init()
    forget_clients()
    fleet = account.doomed().fleet_id
    assert len(everything(fleet)) >= 3
    account.destroy()
    assert everything(fleet) == []


def test_a_role_that_somebody_gave_more_goes_all_the_same(account: Account) -> None:
    name = account.init().blueprint.name
    iam = aws_client("iam", HOME)
    statement = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    policy = iam.create_policy(PolicyName="more", PolicyDocument=document)
    iam.attach_role_policy(RoleName=name, PolicyArn=policy["Policy"]["Arn"])
    account.destroy()
    assert [role for role in iam.list_roles()["Roles"] if role["RoleName"] == name] == []


def test_a_bucket_that_is_no_fleets_is_not_deleted_with_what_lies_in_it(account: Account) -> None:
    s3 = aws_client("s3", HOME)
    s3.create_bucket(Bucket="theirs")
    s3.put_object(Bucket="theirs", Key="models/best.bin", Body=b"x")
    doomed = prepare_removal(account.home, account.calls, "theirs", delete_volumes=False, delete_bucket=True)
    with pytest.raises(FleetError, match="no fleet's, and is not empty"):
        check_removal(account.home, doomed, delete_bucket=True)


def test_everything_that_teardown_calls_is_in_the_set_ups_policy(account: Account) -> None:
    policy = setup_policy(ACCOUNT, "aws", BUCKET)
    account.init()
    a_volume(account)
    aws_client("s3", HOME).create_multipart_upload(Bucket=BUCKET, Key="runs/r-1/unfinished")
    recorder = Recorder()
    account.destroy(delete_volumes=True, delete_bucket=True)
    refused = [str(one) for call in recorder.calls for one in requests_of(call) if decide(policy, one) != "allow"]
    assert refused == []
    assert {call.operation for call in recorder.changes} >= {"DeleteVolume", "DeleteRole", "DeleteBucket", "DeleteObjects"}
