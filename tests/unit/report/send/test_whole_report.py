"""A whole night's report, charts and all, as it arrives."""

from __future__ import annotations

import re

from fleet.report.rendering import rendered
from fleet.report.send import send
from tests.unit.report.samples import MISCHIEF, statement
from tests.unit.report.send.servers import mail_server, web_hook

SECRET = "wandb_api_key=0123456789abcdef0123456789abcdef01234567"


def test_every_image_that_the_page_names_comes_with_the_mail_and_no_other() -> None:
    with mail_server() as box:
        assert send(rendered(statement()), [box.url]) == []
    (mail,) = box.mails
    page = next(part for part in mail.walk() if part.get_content_type() == "text/html").get_content()
    images = {str(part["Content-ID"]).strip("<>") for part in mail.walk() if part.get_content_maintype() == "image"}
    assert images
    assert set(re.findall(r'src="cid:([^"]+)"', page)) == images
    assert not re.search(r"<script|<img src=x|https?://(?!schemas)[^\s\"<]+\.(?:js|css|png)", page)


def test_a_trainings_last_lines_come_without_their_secrets_and_do_nothing() -> None:
    with mail_server() as box, web_hook() as hook:
        assert send(rendered(statement(f"exit code 1\n{SECRET}\n{MISCHIEF}")), [box.url, hook.url]) == []
    told = "".join(part.get_content() for part in box.mails[0].walk() if part.get_content_maintype() == "text")
    assert "wandb_api_key=" in told
    for one in (told, str(hook.told)):
        assert "0123456789abcdef0123456789abcdef" not in one
    page = next(part for part in box.mails[0].walk() if part.get_content_type() == "text/html").get_content()
    assert "<script" not in page
