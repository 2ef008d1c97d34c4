"""Sending through the account, as moto plays it: SES takes a whole mail, SNS a few words."""

from __future__ import annotations

import email
import email.policy
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from fleet.providers.aws import session
from fleet.providers.aws.session import aws_client
from fleet.report.send import Account, Rendered, send
from tests.aws.moto import Moto
from tests.unit.report.send.servers import web_hook
from tests.unit.report.send.test_sending import PAGE, PNG, REPORT

HOME, WEST = "us-east-1", "eu-west-1"


def mails(moto: Moto) -> list[dict[str, Any]]:
    """What SES was given."""
    with urllib.request.urlopen(f"{moto.url}/moto-api/data.json", timeout=30) as answer:
        data = json.load(answer)
    return [one for service in data.values() for kind, found in service.items() if kind == "RawMessage" for one in found]


def topic(region: str = HOME) -> tuple[str, str]:
    """A topic, and a queue that hears it."""
    sns, sqs = aws_client("sns", region), aws_client("sqs", region)
    arn, queue = sns.create_topic(Name="fleet")["TopicArn"], sqs.create_queue(QueueName="heard")["QueueUrl"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=f"arn:aws:sqs:{region}:123456789012:heard")
    return arn, queue


def heard(queue: str, region: str = HOME) -> list[dict[str, Any]]:
    answer = aws_client("sqs", region).receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    return [json.loads(one["Body"]) for one in answer.get("Messages", ())]


def test_ses_is_given_a_whole_mail_with_page_text_and_images(moto: Moto) -> None:
    aws_client("sesv2", WEST).create_email_identity(EmailIdentity="fleet@example.com")
    assert send(REPORT, [f"ses:fleet@example.com>me@example.com,you@example.com?region={WEST}"]) == []
    (sent,) = mails(moto)
    assert set(sent["destinations"]) == {"me@example.com", "you@example.com"}
    mail: Any = email.message_from_string(sent["raw_data"], policy=email.policy.default)
    assert (mail["Subject"], mail["From"]) == (REPORT.subject, "fleet@example.com")
    assert sent["raw_data"].isascii()
    assert mail.get_body(("plain",)).get_content().split() == REPORT.text.split()
    assert mail.get_body(("html",)).get_content().strip() == PAGE
    (image,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert (image["Content-ID"], image.get_payload(decode=True)) == ("<prices.png>", PNG)


def test_ses_that_does_not_know_the_sender_is_a_failure_with_what_to_do(moto: Moto) -> None:
    (failure,) = send(REPORT, ["ses:fleet@example.com>me@example.com"], account=Account(region=HOME))
    assert failure.to == "ses:fleet@example.com>me@example.com"
    assert "authority" in failure.why.lower()
    assert "create-email-identity --email-identity fleet@example.com" in failure.hint


def test_sns_is_told_the_short_form_in_the_topics_own_region(moto: Moto) -> None:
    arn, queue = topic(WEST)
    assert send(REPORT, [f"sns:{arn}"], account=Account(region=HOME)) == []
    (one,) = heard(queue, WEST)
    assert (one["Message"], one["Subject"]) == (REPORT.short, REPORT.subject)


def test_sns_takes_a_subject_of_letters_that_it_does_not_know_and_no_secret(moto: Moto) -> None:
    arn, queue = topic()
    assert send(Rendered("fleet … " + "ü" * 200, "AKIAIOSFODNN7EXAMPLE"), [f"sns:{arn}"]) == []
    assert send(Rendered("fleet", "x", short="key AKIAIOSFODNN7EXAMPLE"), [f"sns:{arn}"]) == []
    found = heard(queue)
    assert len(found[0]["Subject"]) <= 100
    assert "AKIA" not in json.dumps(found)


def test_a_topic_that_is_gone_is_a_failure(moto: Moto) -> None:
    (failure,) = send(REPORT, [f"sns:arn:aws:sns:{HOME}:123456789012:gone"])
    assert "does not exist" in failure.why.lower()


def test_an_account_that_hangs_is_left_at_the_deadline(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    with web_hook(hangs=True) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://localhost:{silent.port}")
        session.forget_clients()
        (failure,) = send(REPORT, [f"sns:arn:aws:sns:{HOME}:123456789012:fleet"], 0.7)
    assert "within 0.7 s" in failure.why


def test_without_boto3_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "fleet.providers.aws.calling", None)
    (failure,) = send(REPORT, ["ses:fleet@example.com>me@example.com"])
    assert "fleet[aws]" in failure.hint
