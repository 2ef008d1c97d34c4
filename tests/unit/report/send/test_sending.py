"""Sending through real servers: a mail server and a webhook's, which take, refuse, or hang."""

from __future__ import annotations

import sys
import time

import pytest

from fleet.report.send import Rendered, doubts, send, send_each
from fleet.report.send.secrets import masked
from tests.unit.report.send.servers import mail_server, web_hook

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + b"\0" * 20
PAGE = '<!DOCTYPE html><html><body><h1>Night</h1><p>$1.23 for &lt;b&gt;racer</p><img src="cid:prices.png"></body></html>'
REPORT = Rendered("fleet, 2026-11-25: $1.23", "Night\n$1.23 for <b>racer\n", PAGE, {"prices.png": PNG}, "fleet: $1.23")
KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def test_a_mail_has_the_page_its_text_and_its_images() -> None:
    with mail_server() as box:
        assert send(REPORT, [box.url]) == []
    (mail,) = box.mails
    assert (mail["Subject"], mail["To"]) == (REPORT.subject, "me@example.com")
    parts = {part.get_content_type(): part for part in mail.walk()}
    assert "$1.23 for &lt;b&gt;racer" in parts["text/html"].get_content()
    assert "$1.23 for <b>racer" in parts["text/plain"].get_content()
    assert parts["image/png"]["Content-ID"] == "<prices.png>"
    assert parts["image/png"].get_payload(decode=True) == PNG


def test_a_webhook_is_told_the_text() -> None:
    with web_hook() as hook:
        assert send(REPORT, [hook.url]) == []
    (told,) = hook.told
    assert (told["title"], told["message"].strip()) == (REPORT.subject, REPORT.text.strip())


def test_one_that_fails_keeps_nobody_else_from_it() -> None:
    with mail_server() as box, mail_server("refuse") as refusing, web_hook() as hook, web_hook(500) as broken:
        failures = send(REPORT, [refusing.url, box.url, broken.url, hook.url])
        assert (len(box.mails), len(hook.told)) == (1, 1)
    assert [failure.to.split(":")[0] for failure in failures] == ["mailto", "json"]
    assert "error=500" in failures[1].why or "500" in failures[1].why


@pytest.mark.parametrize("kind", ["mail", "web"])
def test_a_server_that_hangs_is_left_at_the_deadline(kind: str) -> None:
    began = time.monotonic()
    with mail_server("hang") as box, web_hook(hangs=True) as hook, web_hook() as other:
        slow = box.url if kind == "mail" else hook.url
        outcomes = send_each(REPORT, [slow, other.url], 0.7)
        took = time.monotonic() - began
    assert outcomes[0] is not None
    assert "within 0.7 s" in outcomes[0].why
    assert outcomes[1] is None
    assert took < 5


def test_nobody_listening_is_a_failure_with_its_reason() -> None:
    with web_hook() as hook:
        pass
    (failure,) = send(REPORT, [hook.url])
    assert "refused" in failure.why


def test_what_is_secret_in_a_destination_is_never_told() -> None:
    with mail_server("refuse") as box, web_hook(500) as hook:
        told = " ".join(
            map(str, send(REPORT, [box.url, hook.url, "slack://TokenA1234/TokenB1234/TokenC1234567", "odd:hunter2"]))
        )
    for secret in ("pa55word-of-mine", "t0ken-of-mine", "TokenA1234", "TokenC1234567", "hunter2"):
        assert secret not in told
    assert "localhost" in told
    assert "me@example.com" in told


@pytest.mark.parametrize(
    "url", ["", "nobody", "mailto", "nosuch://x", "mailto://", "ses:me", "sns:arn:aws:sqs:x", "://", "a b://c"]
)
def test_what_is_no_destination_is_a_failure_and_no_fault(url: str) -> None:
    (failure,) = send(REPORT, [url])
    assert failure.why


def test_secrets_in_what_is_sent_are_taken_out_in_every_form() -> None:
    line = f"aws_secret_access_key={SECRET} {KEY} and https://me:hunter2secret@example.com"
    page = f"<style>a{{color:red}}</style><p title='{KEY}'>password=&quot;hunter2secret&quot; {SECRET}</p>"
    report = Rendered(f"fleet {KEY}", line, page, {}, f"token: {SECRET}")
    with mail_server() as box, web_hook() as hook:
        assert send(report, [box.url, hook.url]) == []
    told = (
        box.mails[0].as_string()
        + str(hook.told)
        + "".join(part.get_content() for part in box.mails[0].walk() if part.get_content_maintype() == "text")
    )
    for secret in (SECRET, KEY, "hunter2secret"):
        assert secret not in told
    assert "<style>a{color:red}</style>" in box.mails[0].get_body(("html",)).get_content()  # type: ignore[union-attr]


def test_without_apprise_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    (failure,) = send(REPORT, ["json://localhost/x"])
    assert "Apprise is not installed" in failure.why
    assert "fleet[report]" in failure.hint


def test_a_subject_of_several_lines_is_one_line_and_no_header_of_its_own() -> None:
    report = Rendered("fleet\nBcc: stranger@example.com", "text", "<p>page</p>")
    with mail_server() as box:
        assert send(report, [box.url]) == []
    assert box.mails[0]["Bcc"] is None
    assert box.mails[0]["Subject"] == "fleet Bcc: stranger@example.com"


def test_where_there_is_little_room_the_short_form_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.custom_json import NotifyJSON

    monkeypatch.setattr(NotifyJSON, "body_maxlen", 15)
    with web_hook() as hook:
        assert send(REPORT, [hook.url]) == []
    assert hook.told[0]["message"] == "fleet: $1.23"


def test_what_is_not_installed_is_known_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"a": "json://localhost", "b": "ses:fleet@example.com>me@example.com"}
    assert doubts(named) == []
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    first, second = doubts(named)
    assert first.startswith("a: Apprise is not installed")
    assert second == "b: boto3 is not installed: pip install 'fleet[aws]'"


@pytest.mark.parametrize("line", ["a" * 20_000, "a-token" * 3000, "x://" + "a:" * 10_000, "-" * 20_000, "eyJ-" * 5000])
def test_a_long_line_of_letters_is_looked_at_in_a_moment(line: str) -> None:
    began = time.process_time()
    assert masked(line) == line
    assert time.process_time() - began < 5  # it took half a minute, and more
