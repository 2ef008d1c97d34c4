"""Setting an account up, against moto: from nothing, from every half-made state, again and again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.control import aws_place, aws_setup
from fleet.control.home import Home
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.names import tags_of
from fleet.providers.aws.policies import instance_policy
from fleet.providers.aws.session import aws_client, aws_session, forget_clients
from fleet.providers.aws.setup_policy import setup_policy
from fleet.providers.wanted import nothing_to_do
from fleet.store.opening import open_objects
from tests.aws.account import ACCOUNT, BUCKET, HOME, KEY, OTHER_KEY, Account, actions, group_of, template_of
from tests.aws.evaluator import Judged, decide
from tests.aws.recorded import Call, Recorder, requests_of

# --- from nothing


def test_from_nothing_everything_is_made_as_it_is_wanted(account: Account) -> None:
    prepared = account.init()
    name, fleet = prepared.blueprint.name, prepared.blueprint.fleet_id
    s3, iam = aws_client("s3", HOME), aws_client("iam", HOME)
    blocks = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert set(blocks.values()) == {True}
    rule = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (lifecycle,) = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert lifecycle["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"] == tags_of(fleet)
    policy = iam.get_role_policy(RoleName=name, PolicyName="fleet")["PolicyDocument"]
    assert policy == instance_policy(BUCKET, account=ACCOUNT)
    profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == [name]
    group = group_of(name)
    assert group["IpPermissions"] == []
    assert {one["Key"]: one["Value"] for one in group["Tags"]} == {"fleet": fleet}
    (key,) = aws_client("ec2", HOME).describe_key_pairs(KeyNames=[name], IncludePublicKey=True)["KeyPairs"]
    assert key["PublicKey"].startswith(KEY)
    data = template_of(account.setup)["LaunchTemplateData"]
    assert data["MetadataOptions"] == {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    assert (data["KeyName"], data["SecurityGroupIds"]) == (name, [group["GroupId"]])


def test_the_record_names_what_was_made_and_the_computer_remembers_where(account: Account) -> None:
    prepared = account.init()
    setup, name = account.setup, prepared.blueprint.name
    assert (setup.fleet_id, setup.account, setup.bucket, setup.bucket_region) == (
        prepared.blueprint.fleet_id, ACCOUNT, BUCKET, HOME,
    )  # fmt: skip
    assert setup.instance_profile == name
    region = setup.regions[HOME]
    assert region.security_group == group_of(name)["GroupId"]
    assert (region.template_version, region.key_name, region.subnets) == ("1", name, {})
    known = account.home.aws()
    assert known is not None
    assert (known.bucket, known.profile, known.regions) == (f"s3://{BUCKET}", None, (HOME,))
    assert f"s3://{BUCKET}" in account.home.known_buckets()
    open_objects(f"s3://{BUCKET}").get("fleet.json")


def test_a_second_time_nothing_is_changed(account: Account) -> None:
    account.init()
    recorder = Recorder()
    again = account.init()
    assert nothing_to_do(again.steps)
    assert recorder.changes == []
    assert account.slept == []


def test_from_another_computer_the_same_is_found(account: Account, tmp_path: Path) -> None:
    account.init()
    (tmp_path / "other").mkdir()
    other = Account(tmp_path / "other")
    (other.ssh / "id_ed25519.pub").write_text(OTHER_KEY)
    assert nothing_to_do(other.init().steps)  # another computer's key does not replace the one that is there
    assert other.home.aws() == account.home.aws()


def test_another_region_is_added_and_the_first_one_left(account: Account) -> None:
    account.init()
    prepared = account.init("eu-west-1")
    done = {where for where, action in actions(prepared).items() if action != "leave"}
    assert done == {"security group eu-west-1", "key eu-west-1", "launch template eu-west-1", "record"}
    assert set(account.setup.regions) == {HOME, "eu-west-1"}
    assert account.setup.bucket_region == HOME
    assert nothing_to_do(account.prepare().steps)


# --- broken off


class Killed(BaseException):
    """As a kill: nothing catches it."""


def test_a_set_up_that_is_killed_before_any_change_is_completed_by_the_next_one(account: Account) -> None:
    """One change more each time; each time the next run begins where the last one was killed."""
    seen: list[Call] = []

    def before(call: Call) -> None:
        seen.extend([call] if call.changes and not call.parameters.get("DryRun") else [])
        if len(seen) == 2:
            raise Killed

    Recorder(before)
    kills = 0
    while kills < 40:
        seen.clear()
        try:
            account.init()
            break
        except Killed:
            kills += 1
    assert 12 <= kills < 40  # at so many different places
    forget_clients()
    ec2, name = aws_client("ec2", HOME), account.prepare().blueprint.name
    assert nothing_to_do(account.prepare().steps)
    assert len(ec2.describe_launch_templates()["LaunchTemplates"]) == 1
    assert account.setup.regions[HOME].template_version == "1"
    assert group_of(name)["GroupId"] == account.setup.regions[HOME].security_group
    assert len(aws_client("iam", HOME).list_roles(PathPrefix="/")["Roles"]) == 3  # ours, and two of AWS's own


def test_a_set_up_that_is_killed_between_any_two_steps_is_completed_by_the_next_one(account: Account) -> None:
    kinds = []
    for _ in range(20):
        prepared = account.prepare()
        if nothing_to_do(prepared.steps):
            break

        def killed(step: Any) -> None:
            kinds.append(step.kind)
            raise Killed

        with pytest.raises(Killed):
            aws_setup.carry_out(account.home, prepared, killed)
    assert kinds == [step.kind for step in prepared.steps]  # each once, in order: what was made was never made again


def test_answers_that_are_lost_do_not_end_it(account: Account) -> None:
    """Every change is made, and its answer lost, once: the call is made again, and finds its own work."""
    from botocore.exceptions import ConnectionClosedError

    lost: set[str] = set()
    recorder = Recorder()

    def lose(model: Any, **_: Any) -> None:
        if model.name not in lost and not model.name.startswith(("Describe", "Get", "List", "Head")):
            lost.add(model.name)
            raise ConnectionClosedError(endpoint_url="https://…")

    aws_session(None).events.register("after-call.*.*", lose)
    account.init()
    assert lost >= {"CreateRole", "CreateBucket", "CreateSecurityGroup", "ImportKeyPair", "CreateLaunchTemplate"}
    assert account.slept
    forget_clients()
    assert nothing_to_do(account.prepare().steps)
    assert account.setup.regions[HOME].template_version == "1"
    assert recorder.changes


def test_a_new_version_that_was_made_and_not_made_the_default_is_not_made_again(account: Account) -> None:
    account.init()

    def before(call: Call) -> None:
        if call.operation == "ModifyLaunchTemplate":
            raise Killed

    (account.ssh / "new.pub").write_text(OTHER_KEY)
    identity = account.setup.regions[HOME].launch_template
    aws_client("ec2", HOME).create_launch_template_version(LaunchTemplateId=identity, LaunchTemplateData={"KeyName": "x"})
    aws_client("ec2", HOME).modify_launch_template(LaunchTemplateId=identity, DefaultVersion="2")
    Recorder(before)
    with pytest.raises(Killed):
        account.init()
    forget_clients()
    account.init()
    assert account.setup.regions[HOME].template_version == "3"
    versions = aws_client("ec2", HOME).describe_launch_template_versions(LaunchTemplateId=identity)
    assert len(versions["LaunchTemplateVersions"]) == 3  # the old ones stay, for fleet gc


# --- who may


def test_everything_that_set_up_calls_is_in_its_policy(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = setup_policy(ACCOUNT, "aws", BUCKET)
    opened: list[Judged] = []

    def judged(_home: Home, url: str) -> Judged:
        opened.append(Judged(open_objects(url), policy, BUCKET))
        return opened[-1]

    for module in (aws_place, aws_setup):
        monkeypatch.setattr(module, "open_bucket", judged)
    recorder = Recorder()
    account.init()
    name = account.prepare().blueprint.name
    group = group_of(name)
    aws_client("iam", HOME).delete_role_policy(RoleName=name, PolicyName="fleet")
    ec2 = aws_client("ec2", HOME)
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    own = [*recorder.calls]
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[rule])
    ec2.revoke_security_group_egress(GroupId=group["GroupId"], IpPermissions=group["IpPermissionsEgress"])
    recorder.calls.clear()
    (account.ssh / "id_ed25519.pub").write_text(OTHER_KEY)
    account.init("eu-west-1", key=account.ssh / "id_ed25519.pub", public_ip=False)
    calls = [call for call in [*own, *recorder.calls] if not call.parameters.get("DryRun")]
    refused = [str(request) for call in calls for request in requests_of(call) if decide(policy, request) != "allow"]
    assert refused == []
    assert {call.operation for call in calls} >= {"CreateRole", "CreateLaunchTemplateVersion", "DeleteKeyPair"}
    assert [one for bucket in opened for one in bucket.refused] == []


def test_a_permission_that_is_missing_is_named_with_the_policy_that_has_it(account: Account) -> None:
    def refuse(operation: str) -> None:
        raise ProviderError(ErrorClass.DENIED, "AccessDenied", f"{operation}: not authorized to perform: iam:CreateRole")

    class Denied(Calls):
        def once(self, service: str, region: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
            try:
                return super().once(service, region, operation, parameters)
            finally:
                if operation == "create_role":
                    refuse("CreateRole")

    prepared = account.prepare()
    with pytest.raises(ProviderError, match="iam:CreateRole"):
        aws_setup.carry_out(account.home, replace(prepared, calls=Denied(sleep=account.slept.append)), lambda _: None)
    assert account.slept == []
