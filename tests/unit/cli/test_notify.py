"""``fleet notify`` as a user types it, and what a real webhook is told by controllers in processes of their own."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.cli.money_objects import NotificationsObject
from fleet.model import layout
from fleet.model.notify import KINDS
from fleet.providers.local.market import set_market
from fleet.providers.local.provider import stop_everything
from fleet.report.send.destinations import FILE
from tests.unit.cli.test_json import Checked
from tests.unit.control.webhook import Webhook, webhook

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Checked]:
    made = Checked(tmp_path)
    yield made
    stop_everything(made.home.local)


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as made:
        yield made


def whole_bucket(shell: Checked) -> bytes:
    return b"".join(path.read_bytes() for path in (shell.home.path / "bucket").rglob("*") if path.is_file())


def type_next(shell: Checked, body: str) -> None:
    """The message's last line is a command, and it is one."""
    last = body.splitlines()[-1]
    assert last.startswith("Next: fleet ")
    shell.run(*shlex.split(last.removeprefix("Next: fleet ")))


def test_an_interruption_is_told_by_one_of_two_controllers_with_the_command_to_type(shell: Checked, hook: Webhook) -> None:
    set_market(shell.home.local, {"kind": "schedule", "take_backs": [{"after": 2.0, "from": "training"}]})
    shell.run("up", "--detach", shell.job(steps=120))
    told = shell.told("notify", "on", "all", "--to", hook.url, "--after", "2m")
    assert told[0]["destinations"][0]["kinds"] == list(KINDS)
    assert told[0]["no_capacity_seconds"] == 120
    loops = [shell.start("controller", "run", start_new_session=True) for _ in range(2)]
    wanted = ["fleet: count was interrupted", "fleet: count trains again", "fleet: count finished"]
    shell.until(lambda: len(hook.came) >= 3)
    shell.run("controller", "run", "--once")
    for loop in loops:
        os.killpg(loop.pid, signal.SIGINT)
        out, err = loop.communicate(timeout=30)
        assert "Traceback" not in err
        assert hook.url not in out + err
    assert hook.titles == wanted
    body = hook.body(wanted[0])
    assert re.fullmatch(
        r"count: the cloud takes machine 1 back, without a warning \(\w+ spot in here-\w\)\.\nNext: .*", body
    )
    assert "after the interruption; " in hook.body(wanted[1])
    for title in wanted:
        type_next(shell, hook.body(title))
    last = shell.told("notify", "list")[0]["destinations"][0]["said"]
    assert [one["title"] for one in last] == wanted
    assert b"Tr0ub4dor" not in whole_bucket(shell)
    assert b"s3cr3t" not in whole_bucket(shell)


def test_who_follows_a_run_tells_how_it_ended_and_nothing_that_it_printed(shell: Checked, hook: Webhook) -> None:
    shell.run("up", shell.job())
    assert hook.came == []  # nobody asked
    shell.run("notify", "on", "failed", "finished", "--to", hook.url)
    assert hook.came == []  # what was before is not told
    bad = shell.job(name="bad", run=f"echo AWS_SECRET_ACCESS_KEY={SECRET}; exit 3", extra="retries: {training: 0}\n")
    shell.run("up", bad, code=4)
    assert hook.titles == ["fleet: bad failed"]
    assert "exit code 3" in hook.body("fleet: bad failed")
    assert SECRET not in json.dumps(hook.came)
    assert SECRET in shell.run("logs", "bad")[0]
    type_next(shell, hook.body("fleet: bad failed"))


def destinations(shell: Checked, *words: str) -> dict[str, list[str]]:
    found: list[NotificationsObject] = shell.told("notify", *words)
    return {one["to"]: list(one["kinds"]) for one in found[0]["destinations"]}


def test_kinds_are_turned_on_and_off_for_all_or_for_one(shell: Checked) -> None:
    shell.run("up", shell.job())
    file = shell.home.path / "destinations.yaml"
    assert "whom?" in shell.refused("notify", "on", "failed")["message"]
    first, second = "ntfy://ntfy.example.com/my-topic", "sns:arn:aws:sns:us-east-1:123456789012:fleet"
    name = "ntfy://ntfy.example.com/***"
    assert destinations(shell, "on", "failed", "--to", first) == {name: ["failed"]}
    assert file.stat().st_mode & 0o077 == 0
    assert destinations(shell, "on", "finished", "--to", second) == {name: ["failed"], second: ["finished"]}
    assert "my-topic" in file.read_text()
    assert "sns:" not in file.read_text()  # it holds no secret: every controller of the account can tell it
    assert destinations(shell, "on", "blind") == {name: ["failed", "blind"], second: ["finished", "blind"]}
    assert destinations(shell, "off", "blind", "--to", name) == {name: ["failed"], second: ["finished", "blind"]}
    assert destinations(shell, "off", "failed", "--to", first) == {second: ["finished", "blind"]}
    assert not file.exists()
    assert destinations(shell, "off", "all") == {}
    assert not (shell.home.path / "bucket" / "settings" / "notify.json").exists()
    assert "nobody is told anything" in shell.run("notify", "list")[0]


def test_a_url_is_kept_as_long_as_it_is_not_known_whether_another_fleet_tells_it(shell: Checked, tmp_path: Path) -> None:
    shell.run("up", "--detach", shell.job(steps=1))
    shell.told("notify", "on", "failed", "--to", "json://localhost:9/Tr0ub4dor")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "fleet.json").write_text("[")
    shell.home.remember_bucket(broken.as_uri())
    shell.run("notify", "off", "all")
    assert "Tr0ub4dor" in (shell.home.path / FILE).read_text()
    (broken / "fleet.json").unlink()
    shell.told("notify", "on", "failed")
    shell.run("notify", "off", "all")
    assert not (shell.home.path / FILE).exists()


def test_a_destination_that_only_another_computer_can_reach_is_shown_as_such(shell: Checked) -> None:
    shell.run("up", shell.job())
    topic = "sns:arn:aws:sns:us-east-1:123456789012:fleet"
    (found,) = shell.told("notify", "on", "failed", "--to", topic)
    assert not found["destinations"][0]["here"]
    assert found["notes"] == [f"{topic} cannot be reached from this computer: a controller that can tells it"]


def test_a_url_may_come_by_standard_input_so_that_no_history_keeps_it(shell: Checked, hook: Webhook) -> None:
    shell.run("up", shell.job())
    typed = shell.start("notify", "on", "failed", "--to", "-", stdin=-1)
    out, _ = typed.communicate(f"{hook.url}\n", timeout=30)
    assert typed.returncode == 0
    assert "Tr0ub4dor" not in out
    assert "s3cr3t" not in out
    shell.run("notify", "test")
    assert hook.titles == ["fleet: this is a test"]


def test_a_test_tells_whether_it_arrives(shell: Checked, hook: Webhook) -> None:
    shell.run("up", shell.job())
    assert "nobody is told anything yet" in shell.refused("notify", "test")["message"]
    (told,) = shell.told("notify", "test", "--to", hook.url)
    assert told["sent"]
    assert not (shell.home.path / "destinations.yaml").exists()
    hook.answer = 500
    (told,) = shell.told("notify", "test", "--to", hook.url, code=1)
    assert not told["sent"]
    assert "500" in told["why"]
    assert "s3cr3t" not in json.dumps(told)


WRONG = [
    (["on", "finishd", "--to", "ntfy://x/y"], "did you mean 'finished'"),
    (["on", "failed", "--to", "nonsense"], "no scheme"),
    (["on", "failed", "--to", "slack://***"], "not known on this computer"),
    (["off", "failed", "--to", "ntfy://x/y"], "is told nothing"),
    (["on", "failed", "--to", "ntfy://x/y", "--after", "1s"], "not between a minute and a day"),
    (["on", "failed", "--to", "ntfy://x/y", "--every", "soon"], "is no duration"),
]


def test_what_is_wrong_is_said_and_nothing_is_changed(shell: Checked) -> None:
    shell.run("up", shell.job(steps=1))
    for words, message in WRONG:
        assert message in shell.refused("notify", *words)["message"]
    assert not (shell.home.path / "destinations.yaml").exists()
    assert destinations(shell, "list") == {}


def test_a_loop_that_cannot_read_its_journal_says_that_it_is_blind(shell: Checked, hook: Webhook) -> None:
    shell.run("up", shell.job(steps=1))
    shell.run("notify", "on", "all", "--to", hook.url)
    bucket = shell.home.path / "bucket"
    settings = bucket / "settings" / "notify.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "blind": 1.0}))
    loop = shell.start("controller", "run", start_new_session=True, bufsize=1)
    shell.run("up", shell.job(name="other", steps=1))
    shell.until(lambda: "fleet: other finished" in hook.titles)
    shell.until(lambda: list((shell.home.path / "notify").glob("*/memory.json")))
    entries = sorted(path for path in (bucket / "journal").iterdir())
    blocked = bucket / layout.journal_entry(int(entries[-1].stem) + 1)
    blocked.write_text("{")  # as a power cut leaves one
    try:
        shell.until(lambda: len(hook.came) == 2)
    finally:
        blocked.unlink()
        os.killpg(loop.pid, signal.SIGINT)
        loop.communicate(timeout=30)
    assert hook.titles[1].endswith(" is blind")
    assert "fleet journal repair" in hook.came[1]["message"]
    assert hook.came[1]["message"].endswith("Next: fleet controller list")
