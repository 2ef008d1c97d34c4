"""Every prompt: Ctrl-C is 130 and one line, Ctrl-D is a no; neither does anything."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.cli.ask import confirm
from fleet.control.home import Home
from fleet.control.offering import NothingFitsError, Plan, Priced
from fleet.model.cloud import Market, Offer
from fleet.model.errors import FleetError
from fleet.model.job import Job
from fleet.providers.local.provider import LocalProvider
from fleet.store.fleetfile import read_fleet
from fleet.store.opening import open_objects
from tests.unit.bad_luck.pty import CTRL_C, CTRL_D, Terminal
from tests.unit.cli.test_commands import Shell
from tests.unit.providers.test_local import Local

JOB: dict[str, object] = {"name": "racer", "run": "true", "resources": {"infra": "aws"}}
SPOT = Offer(
    provider="aws",
    region="us-east-1",
    zone="us-east-1b",
    instance_type="g4dn.xlarge",
    market=Market.SPOT,
    price=157_800,
    on_demand_price=526_000,
)
PLANNED = Plan(
    offers=(Priced(SPOT, hourly=212_600, chosen=True, cooling=False),),
    why="the cheapest",
    volume_monthly=40_000_000,
    job=Job.model_validate(JOB),
)


def everything(shell: Shell) -> dict[str, bytes]:
    """What fleet keeps, but for what grows by looking."""
    return {str(p): p.read_bytes() for p in shell.folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}


@pytest.fixture
def prompt(a_run_that_ended: Shell, request: pytest.FixtureRequest) -> list[str]:
    """The command that asks, once there is something to ask about."""
    shell = a_run_that_ended
    if request.param == "prune":
        return ["checkpoints", "prune", "count", "--keep", "1"]
    if request.param == "volume":
        return ["volumes", "delete", shell.json("volumes", "list")[0]["volume"]]
    if request.param == "gc":
        fleet_id = _fleet_id(shell.home)
        if not shell.json("gc"):
            provider = LocalProvider(shell.home.local, fleet_id, agent_command=["sleep", "600"])
            tags = {"fleet": fleet_id, "run": "forgotten-1", "attempt": "1", "try": "1", "token": "t"}
            made = provider.launch(Local(shell.home.local).request(tags=tags, volume={"kind": "new", "size_gb": 10}))
            record = shell.home.local / "instances" / made.instance_id / "instance.json"
            shell.until(lambda: '"running"' in record.read_text())
        return ["gc", "--delete"]
    if request.param == "script":
        return ["up", shell.job(run="python nowhere.py", name="other")]
    if request.param == "uninstall":
        unit = shell.folder / ".config" / "systemd" / "user" / "fleet-controller.service"
        unit.parent.mkdir(parents=True, exist_ok=True)
        unit.write_text("")
        return ["controller", "uninstall"]
    return ["controller", "install"]


def _fleet_id(home: Home) -> str:
    found = read_fleet(open_objects(home.bucket))
    assert found is not None
    return found.fleet_id


PROMPTS = ["script", "prune", "volume", "install", "uninstall", "gc"]


@pytest.mark.parametrize("prompt", PROMPTS, indirect=True)
@pytest.mark.parametrize(("keys", "code"), [(CTRL_C, 130), (CTRL_D, 1), (b"\n", 1), (b"what?\n", 1)])
def test_at_every_prompt_anything_but_a_yes_does_nothing_and_says_so(
    a_run_that_ended: Shell, prompt: list[str], keys: bytes, code: int
) -> None:
    before = everything(a_run_that_ended)
    asked = Terminal(prompt, a_run_that_ended.env, a_run_that_ended.folder)
    try:
        asked.wait_for("[y/N] ")
        at = len(asked.said)
        asked.press(keys)
        ended, said = asked.end()
    finally:
        asked.close()
    after = said.encode()[at:].decode().replace("^C", "").replace("^D\b\b", "").replace("what?", "").strip()
    assert ended == code, said
    assert after.startswith("fleet: nothing was ")
    assert len(after.splitlines()) == 1
    assert everything(a_run_that_ended) == before


def test_a_yes_is_a_yes(a_run_that_ended: Shell) -> None:
    asked = Terminal(["checkpoints", "prune", "count", "--keep", "3"], a_run_that_ended.env, a_run_that_ended.folder)
    try:
        asked.wait_for("[y/N] ")
        asked.press(b"y\n")
        code, said = asked.end()
    finally:
        asked.close()
    assert (code, "Removed" in said) == (0, True)


def test_money_is_asked_about_where_enter_is_a_yes_and_ctrl_d_a_no(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from fleet.cli import up

    readable = os.open(os.devnull, os.O_RDONLY)
    answers: list[object] = ["", "n", EOFError()]
    plans: list[Plan | FleetError] = [PLANNED]

    def say(*_args: object) -> str:
        answer = answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return str(answer)

    def plan(_path: object) -> Plan:
        if isinstance(plans[0], FleetError):
            raise plans[0]
        return plans[0]

    class Input:
        there = False

        def isatty(self) -> bool:
            return self.there

        def fileno(self) -> int:
            return readable

    def ask(infra: str, *, yes: bool = False) -> None:
        job = Job.model_validate({**JOB, "resources": {"infra": infra}})
        up._confirm(job, None if yes else up._planned(Path("fleet.yaml"), job), yes=yes)

    monkeypatch.setattr("builtins.input", say)
    monkeypatch.setattr("fleet.cli.ask.sys.stdin", Input())
    monkeypatch.setattr("fleet.api.plan", plan)
    with pytest.raises(FleetError, match=r"(?s)Nobody is there.*--yes"):
        ask("aws")
    Input.there = True
    ask("aws")
    told = capsys.readouterr().err
    assert "It begins on g4dn.xlarge in us-east-1b, spot." in told
    assert "$0.16 an hour, $0.21 with its volume of 500 GB (on demand $0.53)." in told
    for _ in range(2):
        with pytest.raises(FleetError, match="nothing was started"):
            ask("aws")
    plans[:] = [NothingFitsError("no offer fits g9.huge", "Loosen resources, or raise max_price.")]
    answers[:] = [""]
    with pytest.raises(FleetError, match="nothing was started"):
        ask("aws")
    assert "no offer fits g9.huge now" in capsys.readouterr().err
    ask("local")
    ask("aws", yes=True)
    os.close(readable)


@pytest.mark.parametrize(
    ("job", "ends"),
    [
        ({"budget": {"run": "$5"}}, "$5.00 a run at most: its budget."),
        ({"budget": {"day": "$2", "month": "$20"}}, "$2.00 a day and $20.00 a month at most: its budget."),
        ({"max_duration": "10h"}, "$2.13 for the 10h00m that it may take."),
        ({}, "$5.10 a day until it ends: it has neither a budget nor a max_duration."),
    ],
)
def test_the_question_says_where_the_spending_ends(job: dict[str, object], ends: str) -> None:
    from fleet.cli.up import spending

    planned = replace(PLANNED, job=Job.model_validate({**JOB, **job}))
    assert spending(planned).endswith(f"\n{ends}")
    waits = replace(planned, offers=(replace(PLANNED.offers[0], chosen=False),), why="all of it was just taken back")
    assert spending(waits).startswith("Nothing can be had this moment (all of it was just taken back): it waits.\n")


def test_a_question_never_stands_in_what_a_program_reads(capsys: pytest.CaptureFixture[str]) -> None:
    class Tty:
        def isatty(self) -> bool:
            return True

        def fileno(self) -> int:
            return readable

    readable = os.open(os.devnull, os.O_RDONLY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fleet.cli.ask.sys.stdin", Tty())
        patch.setattr("builtins.input", lambda *words: "y" if not words else "no: a question on standard output")
        confirm("Really?", yes=False, otherwise="nothing")
    os.close(readable)
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "Really? [y/N] ")


def test_without_a_terminal_nothing_is_asked_and_the_way_on_is_told(a_run_that_ended: Shell) -> None:
    job = a_run_that_ended.job(run="python nowhere.py", name="other")
    process = a_run_that_ended.start("up", job, stdin=subprocess.DEVNULL)
    _, err = process.communicate(timeout=40)
    assert process.returncode == 1
    assert "nowhere.py, which is not in the packed workdir" in err
    assert "--yes" in err
    assert not [run for run in a_run_that_ended.runs() if run["name"] == "other"]


def test_a_missing_script_is_started_all_the_same_on_a_word_and_named_by_plan(shell: Shell) -> None:
    job = shell.job(run="python nowhere.py", extra="retries: {training: 0}\n")
    _, err = shell.run("plan", job)
    assert "nowhere.py" in err
    out, err = shell.run("up", "--yes", job, code=4)
    assert "nowhere.py" in err
    assert "exit code 2" in out
