"""The nightly report by the controller in the account: installed, shown, changed, undone, and made by the function."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from fleet.control import aws_function, function
from fleet.control.function import CallFailedError, handler
from fleet.control.function_report import tell, within
from fleet.control.home import Home
from fleet.control.night import last_night
from fleet.model.errors import FleetError
from fleet.providers.aws.session import aws_client
from fleet.providers.aws.setup_policy import setup_policy
from tests.aws.account import ACCOUNT, BUCKET, HOME, Account
from tests.aws.deploying import everything_of_it, sources
from tests.aws.evaluator import Request, decide
from tests.aws.recorded import Recorder, requests_of
from tests.aws.test_init_aws import shell
from tests.aws.test_report_send import heard, topic
from tests.typed import Shell, told

__all__ = ["shell"]

MAIL = "ses:fleet@example.com>me@example.com"
REPORT = {"source": "fleet.report", "detail-type": "night"}


@pytest.fixture
def deployed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A terminal before an account with a controller; the zone is the user's."""
    monkeypatch.setattr(aws_function, "SOURCES", sources())
    monkeypatch.setenv("TZ", "Europe/Berlin")
    shell("init", "aws", "--yes")
    shell("controller", "deploy", "aws", "--yes")
    return shell


def name_of(account: Account) -> str:
    return f"fleet-{account.setup.fleet_id[:8]}-controller"


def schedule(account: Account) -> dict[str, Any]:
    return dict(aws_client("scheduler", HOME).get_schedule(Name=f"{name_of(account)}-report"))


def policies(account: Account) -> dict[str, Any]:
    iam, role = aws_client("iam", HOME), name_of(account)
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return {one: iam.get_role_policy(RoleName=role, PolicyName=one)["PolicyDocument"] for one in names}


def test_it_is_shown_made_once_moved_and_undone(deployed: Shell, account: Account) -> None:
    before = policies(account)
    words = ("report", "install", "--on", "account", "--at", "02:30", "--to", MAIL)
    out, err = deployed(*words, code=1)
    assert "cron(30 2 * * ? *)" in out
    assert "ses:SendRawEmail" in out
    assert "Nobody is there to answer" in err
    assert policies(account) == before
    made = told(deployed, "report-installed", *words, "--yes")
    assert [step["action"] for step in made["steps"]] == ["write", "write"]
    one = schedule(account)
    assert (one["ScheduleExpression"], one["ScheduleExpressionTimezone"]) == ("cron(30 2 * * ? *)", "Europe/Berlin")
    asked = json.loads(one["Target"]["Input"])
    assert asked == {**REPORT, "detail": {"to": [MAIL], "zone": "Europe/Berlin", "quiet_nights": "line"}}
    assert set(policies(account)) == {"fleet", "report"}
    assert "Nothing to do" in deployed(*words)[0]
    told(deployed, "report-installed", "report", "install", "--on", "account", "--at", "03:00", "--yes")
    assert schedule(account)["ScheduleExpression"] == "cron(0 3 * * ? *)"
    assert f"tells {MAIL}, from the account" in deployed("report", "status")[0]
    gone = told(deployed, "report-installed", "report", "uninstall", "--yes")
    assert gone["on"] == ["account"]
    assert policies(account) == before
    assert not any(one.endswith("-report") for one in everything_of_it())


def test_deploying_again_leaves_it_and_removing_the_controller_removes_it(deployed: Shell, account: Account) -> None:
    deployed("report", "install", "--on", "account", "--to", MAIL, "--yes")
    assert "Nothing to do" in deployed("controller", "deploy", "aws")[0]
    assert set(policies(account)) == {"fleet", "report"}
    out, _ = deployed("controller", "remove", "aws", "--yes")
    assert "sent the nightly report" in out
    assert everything_of_it() == []


def test_destroying_the_set_up_removes_it_too(deployed: Shell) -> None:
    deployed("report", "install", "--on", "account", "--to", MAIL, "--yes")
    deployed("destroy", "aws", "--yes")
    assert everything_of_it() == []


def test_the_function_may_tell_those_who_were_named_and_nobody_else(deployed: Shell, account: Account) -> None:
    arn, _ = topic()
    deployed("report", "install", "--on", "account", "--to", MAIL, "--to", f"sns:{arn}", "--yes")
    policy = policies(account)["report"]
    (mail,) = [one for one in policy["Statement"] if one["Sid"].startswith("Mail")]
    assert mail["Condition"] == {
        "StringEquals": {"ses:FromAddress": "fleet@example.com"},
        "ForAllValues:StringEquals": {"ses:Recipients": ["me@example.com"]},
    }
    rest = {"Statement": [one for one in policy["Statement"] if one is not mail]}
    assert decide(rest, Request("sns:Publish", arn)) == "allow"
    assert decide(rest, Request("sns:Publish", f"{arn}-another")) == "nothing"
    assert decide(rest, Request("s3:PutObject", f"arn:aws:s3:::{BUCKET}/reports/sent/2026-11-25.json")) == "allow"
    assert decide(rest, Request("s3:PutObject", f"arn:aws:s3:::{BUCKET}/agent/code.zip")) == "nothing"


def test_every_call_of_installing_and_undoing_is_in_the_policy_for_set_up(deployed: Shell) -> None:
    recorder = Recorder()
    deployed("report", "install", "--on", "account", "--to", MAIL, "--yes")
    deployed("report", "install", "--on", "account", "--at", "5:00", "--yes")
    deployed("report", "uninstall", "--yes")
    policy = setup_policy(ACCOUNT, "aws", BUCKET)
    refused = [str(one) for call in recorder.calls for one in requests_of(call) if decide(policy, one) != "allow"]
    assert refused == []
    assert {call.operation for call in recorder.changes} >= {"CreateSchedule", "UpdateSchedule", "DeleteSchedule"}


def test_what_is_secret_stays_on_this_computer(deployed: Shell, account: Account) -> None:
    _, err = deployed("report", "install", "--on", "account", "--to", "slack://TokenA/TokenB/TokenC", "--yes", code=1)
    assert "stays on this computer" in err
    assert "TokenA" not in err
    assert set(policies(account)) == {"fleet"}


def test_without_a_controller_or_with_an_older_one_it_is_said(
    deployed: Shell, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.control.aws_report.__version__", "99.0")
    _, err = deployed("report", "install", "--on", "account", "--to", MAIL, "--yes", code=1)
    assert "this is 99.0" in err
    deployed("controller", "remove", "aws", "--yes")
    _, err = deployed("report", "install", "--on", "account", "--to", MAIL, "--yes", code=1)
    assert "fleet controller deploy aws" in err


@pytest.fixture
def called(deployed: Shell, account: Account, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The function's own environment."""
    monkeypatch.setenv("FLEET_BUCKET", f"s3://{BUCKET}")
    monkeypatch.setenv("FLEET_HOME", str(account.home.path / "of the function"))
    monkeypatch.setenv("AWS_REGION", HOME)
    monkeypatch.setattr(function, "_KEPT", [])
    monkeypatch.setattr("fleet.providers.aws.session.hurry", lambda: None)
    assert os.environ["FLEET_BUCKET"]
    return account.home


def ask(*to: str, quiet: str = "line") -> dict[str, Any]:
    return handler({**REPORT, "detail": {"to": list(to), "zone": "Europe/Berlin", "quiet_nights": quiet}}, None)


def test_the_function_sends_it_once_by_ses_and_sns(called: Home) -> None:
    aws_client("sesv2", HOME).create_email_identity(EmailIdentity="fleet@example.com")
    arn, queue = topic()
    answer = ask(MAIL, f"sns:{arn}")
    assert answer["told"] == {answer["night"]: [MAIL, f"sns:{arn}"]}
    sent = aws_client("ses", HOME).get_send_quota()["SentLast24Hours"]
    assert sent
    assert ask(MAIL, f"sns:{arn}")["told"] == {answer["night"]: []}
    assert aws_client("ses", HOME).get_send_quota()["SentLast24Hours"] == sent
    assert len(heard(queue)) == 1
    keys = [one["Key"] for one in aws_client("s3", HOME).list_objects_v2(Bucket=BUCKET, Prefix="reports/")["Contents"]]
    assert f"reports/sent/{answer['night']}.json" in keys


def test_who_is_not_reached_makes_the_call_count_as_failed_and_is_told_by_the_next(called: Home) -> None:
    with pytest.raises(CallFailedError, match="not told to ses:fleet"):
        ask(MAIL)
    aws_client("sesv2", HOME).create_email_identity(EmailIdentity="fleet@example.com")
    assert [MAIL] in ask(MAIL)["told"].values()


@pytest.mark.parametrize("detail", [None, {}, {"to": "x"}, {"to": [1]}])
def test_an_event_that_names_nobody_fails_with_what_to_do(called: Home, detail: Any) -> None:
    with pytest.raises((CallFailedError, FleetError), match="fleet report install --on account"):
        handler({**REPORT, "detail": detail}, None)


def test_clouds_that_do_not_answer_in_time_are_told_without(called: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, over, asked = function.open_keeper(os.environ), threading.Event(), list[object]()

    def hang(controller: object, **_: object) -> list[Any]:
        asked.append(controller)
        over.wait(60)
        return []

    monkeypatch.setattr("fleet.control.night.unowned", hang)
    make, night = within(0.3, keeper.controller, "UTC"), last_night(keeper.controller.objects.now(), "UTC")
    made = [make(night) for _ in range(3)]  # one call makes several, and has but a minute for all of them
    over.set()
    assert all(one.rendered.text for one in made)
    assert len(asked) == 1


def test_sending_ends_before_the_call_does_however_long_making_took(called: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, remains, given = function.open_keeper(os.environ), [55.0], list[float]()

    def slow(_controller: object, **_: object) -> list[Any]:
        remains[0] = 30.0
        return []

    def sent(_message: object, to: Sequence[str], seconds: float, _account: object) -> list[None]:
        given.append(seconds)
        return [None for _ in to]

    monkeypatch.setattr("fleet.control.night.unowned", slow)
    monkeypatch.setattr("fleet.control.function_report.send_each", sent)
    event = {**REPORT, "detail": {"to": [MAIL], "zone": "UTC", "quiet_nights": "line"}}
    assert MAIL in str(tell(keeper.controller, event, lambda: remains[0]))
    assert given == [20.0]
