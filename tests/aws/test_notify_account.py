"""Notifications by the controller in the account: whom it may write to, and what it tells, as moto plays SNS and IAM."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.control.fleets import open_fleet
from fleet.control.function import handler
from fleet.control.home import Home
from fleet.model import events as ev
from fleet.model.job import Job
from fleet.providers.aws.setup_policy import setup_policy
from tests.aws.account import ACCOUNT, BUCKET, Account
from tests.aws.deploying import everything_of_it
from tests.aws.ec2_events import SCHEDULE
from tests.aws.evaluator import Request, decide
from tests.aws.recorded import Recorder, requests_of
from tests.aws.test_init_aws import shell
from tests.aws.test_report_account import MAIL, called, deployed, policies
from tests.aws.test_report_send import heard, topic
from tests.typed import Shell, told

__all__ = ["called", "deployed", "shell"]

URL = f"s3://{BUCKET}"


def test_the_function_may_write_to_whom_was_named_until_they_are_named_no_more(deployed: Shell, account: Account) -> None:
    arn, _ = topic()
    out, _ = deployed("notify", "on", "failed", "--to", f"sns:{arn}", "--to", MAIL)
    assert f"the controller in the account may write to sns:{arn}, {MAIL}" in out
    assert set(policies(account)) == {"fleet", "notify"}
    policy = policies(account)["notify"]
    assert decide(policy, Request("sns:Publish", arn)) == "allow"
    assert decide(policy, Request("sns:Publish", f"{arn}-another")) == "nothing"
    assert [one["Sid"] for one in policy["Statement"]] == ["Mail0", "Topics"]
    assert "may write to" not in deployed("notify", "on", "finished")[0]
    assert "Nothing to do" in deployed("controller", "deploy", "aws")[0]
    assert "the controller in the account tells nobody" in deployed("notify", "off", "all")[0]
    assert set(policies(account)) == {"fleet"}


def test_removing_the_controller_removes_it_and_one_that_is_deployed_later_is_told_of(deployed: Shell) -> None:
    deployed("notify", "on", "failed", "--to", MAIL)
    deployed("controller", "remove", "aws", "--yes")
    assert everything_of_it() == []
    assert told(deployed, "notifications", "notify", "list")[0]["notes"] == []
    deployed("controller", "deploy", "aws", "--yes")
    (note,) = told(deployed, "notifications", "notify", "list")[0]["notes"]
    assert "may not write to all of them: fleet notify on" in note
    assert told(deployed, "notifications", "notify", "on", "failed")[0]["notes"] == []


def test_a_destination_that_needs_a_secret_is_none_of_the_functions(deployed: Shell, account: Account) -> None:
    (found,) = told(deployed, "notifications", "notify", "on", "failed", "--to", "ntfy://ntfy.example.com/topic")
    assert found["notes"] == ["the controller in the account reaches ses: and sns: only: name one of them with --to"]
    assert set(policies(account)) == {"fleet"}


def test_every_call_of_it_is_in_the_policy_for_set_up(deployed: Shell) -> None:
    recorder = Recorder()
    deployed("notify", "on", "failed", "--to", MAIL)
    deployed("notify", "off", "failed")
    policy = setup_policy(ACCOUNT, "aws", BUCKET)
    refused = [str(one) for call in recorder.calls for one in requests_of(call) if decide(policy, one) != "allow"]
    assert refused == []
    assert {call.operation for call in recorder.changes} >= {"PutRolePolicy", "DeleteRolePolicy"}


def ended(home: Home, name: str) -> None:
    """A run that failed."""
    controller = open_fleet(home, URL)
    at, job = controller.objects.now(), Job(name=name, run="true")
    made = ev.RunCreated(at=at, run_id=f"{name}-1", name=name, job=job, mounts={})
    controller.record([made, ev.RunEnded(at=at, run_id=f"{name}-1", outcome="failed", reason="exit code 3: it ended")])


def test_the_function_tells_it_once_also_in_a_process_that_begins_anew(
    called: Home, deployed: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn, queue = topic()
    deployed("notify", "on", "failed", "--to", f"sns:{arn}", "--bucket", URL)
    ended(called, "racer")
    for _ in range(3):
        monkeypatch.setattr("fleet.control.function._KEPT", [])
        answer: dict[str, Any] = handler(SCHEDULE, None)
        assert answer["ticks"] == 1
    messages = heard(queue)
    assert [one["Subject"] for one in messages] == ["fleet: racer failed"]
    assert messages[0]["Message"] == "fleet: racer failed. Next: fleet logs racer"
    assert "exit code" not in json.dumps(messages)


def test_a_topic_that_is_gone_is_said_in_the_log_and_the_call_succeeds(
    called: Home, deployed: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = "sns:arn:aws:sns:us-east-1:123456789012:gone"
    deployed("notify", "on", "failed", "--to", gone, "--bucket", URL)
    ended(called, "racer")
    assert handler(SCHEDULE, None)["ticks"] == 1
    assert "not told: 'fleet: racer failed': " in capsys.readouterr().out
