"""A fleet whose bucket is on S3 gets machines on Google Cloud: the role that AWS lets them take on, against moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.control.gcp_teardown import carry_out_removal, check_removal, prepare_removal
from fleet.model.errors import FleetError
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.policies import instance_policy
from fleet.providers.aws.session import aws_client
from fleet.providers.gcp.checks import Look, look_at
from fleet.providers.gcp.setup_aws import policy_of
from fleet.providers.gcp.trust import role_name, role_trust
from fleet.providers.wanted import nothing_to_do
from tests.aws.account import ACCOUNT, BUCKET, HOME, Account
from tests.aws.evaluator import decide
from tests.aws.recorded import Recorder, requests_of
from tests.gce.project import Google, actions

POOR = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}
URL = f"s3://{BUCKET}"


@pytest.fixture
def google(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    """One computer, with a fleet in an AWS account already."""
    account.init()
    (tmp_path / "google").mkdir()
    found = Google(tmp_path / "google", monkeypatch)
    found.home = account.home
    monkeypatch.setattr(Calls, "__init__", _impatient(found))
    from fleet.store.opening import open_objects

    found.elsewhere[URL] = open_objects(URL)
    yield found
    assert found.faults == []


def _impatient(google: Google) -> Any:
    real = Calls.__init__

    def made(self: Calls, *args: Any, **words: Any) -> None:
        real(self, *args, **{**words, "sleep": google.slept.append})

    return made


def role_of(google: Google) -> dict[str, Any]:
    iam = aws_client("iam", HOME)
    name = role_name(google.setup.fleet_id)
    role = iam.get_role(RoleName=name)["Role"]
    return {**role, "policy": iam.get_role_policy(RoleName=name, PolicyName="fleet")["PolicyDocument"]}


def test_a_role_is_made_that_trusts_this_one_account_and_no_key(google: Google, account: Account) -> None:
    prepared = google.init(bucket=URL)
    setup = google.setup
    assert setup.fleet_id == account.setup.fleet_id  # one fleet in both
    assert "bucket" not in {step.kind for step in prepared.steps}
    role = role_of(google)
    assert (setup.aws_role, setup.aws_region) == (role["Arn"], HOME)
    assert role["AssumeRolePolicyDocument"] == role_trust(setup.aws_role, setup.service_account_id)
    sids = {one["Sid"] for one in role["policy"]["Statement"]}
    assert {"Write", "NeverForge", "NeverDelete"} <= sids
    assert not sids & {"Secrets", "Decrypt"}  # they read their own cloud's
    assert nothing_to_do(google.prepare().steps)
    assert google.home.gcp() is not None
    assert google.ground.policies.found.keys() == {"project"}


def test_a_trust_that_was_widened_by_hand_is_mended(google: Google) -> None:
    google.init(bucket=URL)
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
    name = role_name(google.setup.fleet_id)
    aws_client("iam", HOME).update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(wide))
    done = {where: action for where, action in actions(google.init()).items() if action != "leave"}
    assert done == {"aws role": "mend"}
    assert role_of(google)["AssumeRolePolicyDocument"] == role_trust(google.setup.aws_role, google.setup.service_account_id)


def test_a_service_account_that_was_made_anew_is_trusted_instead_of_the_dead_one(google: Google) -> None:
    google.init(bucket=URL)
    google.calls("iam", "DELETE", f"/v1/projects/fleet-test/serviceAccounts/{google.setup.service_account}")
    google.init()
    assert role_of(google)["AssumeRolePolicyDocument"] == role_trust(google.setup.aws_role, google.setup.service_account_id)
    assert nothing_to_do(google.prepare().steps)


def test_doctor_looks_at_the_role(google: Google) -> None:
    google.init(bucket=URL)

    def looked() -> list[tuple[str, str]]:
        look = Look(google.calls, google.setup, trust=google.prepare().blueprint.trust)
        return [(one.state, one.told) for one in look_at(look, seconds=60) if one.what == "aws role"]

    ((state, told),) = looked()
    assert (state, f"reach {URL} by the role" in told) == ("good", True)
    iam, name = aws_client("iam", HOME), role_name(google.setup.fleet_id)
    iam.put_role_policy(RoleName=name, PolicyName="fleet", PolicyDocument=json.dumps(POOR))
    assert looked() == [("bad", f"the role {name} in AWS is another (policy)")]
    iam.delete_role_policy(RoleName=name, PolicyName="fleet")
    iam.delete_role(RoleName=name)
    assert looked() == [("bad", f"the role {name} is gone in AWS: machines reach no bucket")]


def test_a_teardown_takes_the_role_along_and_leaves_everything_of_aws(google: Google, account: Account) -> None:
    google.init(bucket=URL)
    name = role_name(google.setup.fleet_id)
    with pytest.raises(FleetError, match="is in an AWS account"):
        prepare_removal(google.home, google.calls, None, delete_volumes=False, delete_bucket=True)
    doomed = google.doomed()
    check_removal(google.home, doomed, delete_bucket=False)
    carry_out_removal(google.home, doomed, lambda _: None)
    iam = aws_client("iam", HOME)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName=name)
    assert nothing_to_do(account.prepare().steps)
    assert google.home.gcp() is None
    assert google.doomed().steps == []


def test_without_a_fleet_there_the_order_is_told(google: Google) -> None:
    aws_client("s3", HOME).create_bucket(Bucket="another")
    from fleet.store.opening import open_objects

    google.elsewhere["s3://another"] = open_objects("s3://another")
    with pytest.raises(FleetError, match="no fleet of AWS in s3://another") as raised:
        google.prepare(bucket="s3://another")
    assert "`fleet init aws`" in raised.value.hint


def test_what_set_up_calls_in_aws_is_in_the_policy_for_set_up(google: Google) -> None:
    from fleet.providers.aws.setup_policy import setup_policy

    recorder = Recorder()
    google.init(bucket=URL)
    google.destroy()
    policy = setup_policy(ACCOUNT, "aws", BUCKET)
    calls = [call for call in recorder.calls if not call.operation.startswith(("PutObject", "GetObject"))]
    refused = [str(request) for call in calls for request in requests_of(call) if decide(policy, request) != "allow"]
    assert refused == []
    assert {call.operation for call in calls} >= {"CreateRole", "PutRolePolicy", "DeleteRole"}


def test_its_machines_may_do_in_the_bucket_what_those_of_ec2_may(google: Google) -> None:
    google.init(bucket=URL)
    trust = google.prepare().blueprint.trust
    assert trust is not None
    whole = instance_policy(BUCKET, account=ACCOUNT)["Statement"]
    assert [one for one in whole if one not in policy_of(trust)["Statement"]] == [
        one for one in whole if one["Sid"] in ("Secrets", "Decrypt")
    ]
