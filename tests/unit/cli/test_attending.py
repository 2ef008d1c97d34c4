"""Who keeps runs alive, in words: from what is known to what people read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fleet import __version__
from fleet.cli import ps, staying
from fleet.cli.attending import attendance, goes_on, line, warning, watched, who
from fleet.cli.controller_list import show as show_list
from fleet.control.controller import Controller
from fleet.control.fleets import hostname, open_fleet
from fleet.control.home import Home
from fleet.control.presence import Telling, Who, told
from fleet.core.presence import Told
from fleet.model import layout
from fleet.model.events import RunCreated
from fleet.model.job import Job
from fleet.model.presence import Presence
from fleet.store.journal import Journal
from tests.unit.cli.test_commands import Shell

NOW = 1_800_000_000.0
FUNCTION: dict[str, Any] = {"kind": "function", "command": "function fleet-1a2b-controller", "host": ""}
SERVICE: dict[str, Any] = {"kind": "service", "host": "nas"}
CRON: dict[str, Any] = {"kind": "cron", "host": "here", "command": "controller run --once"}


def one(*, lives: bool = True, problem: str = "", seen: float = 60, **fields: Any) -> Told:
    told: dict[str, Any] = {"name": "a-1", "kind": "terminal", "host": "anna", "command": "follows racer", "version": "1.0"}
    told |= {"started_at": NOW - 999, "seen_at": NOW - seen, "again_at": NOW - seen + 660, "acted_at": NOW - 200}
    return Told("controllers/a-1.json", Presence(**{**told, **fields}), lives, problem)


READING = one(read_only="the journal holds 'x'. Upgrade fleet", **FUNCTION)


@pytest.mark.parametrize(
    ("told_of", "words"),
    [
        (one(**FUNCTION), "the function fleet-1a2b-controller in the cloud"),
        (one(**SERVICE), "the service on nas"),
        (one(kind="service", host="here"), "the service on this computer"),
        (one(**CRON), "cron on this computer"),
        (one(process=7), "a terminal on anna (follows racer, process 7)"),
        (one(host="here", command=""), "a terminal on this computer"),
        (one(host=""), "a terminal on an unknown computer (follows racer)"),
    ],
)
def test_each_kind_is_called_what_it_is(told_of: Told, words: str) -> None:
    assert who(told_of.presence, "here") == words


@pytest.mark.parametrize(
    ("told_of", "words"),
    [
        (one(**SERVICE), "the service on nas: fleet 1.0, acted 3 min ago"),
        (one(acted_at=None, **SERVICE), "the service on nas: fleet 1.0, nothing to do yet"),
        (one(lives=False, seen=7200, **SERVICE), "the service on nas: fleet 1.0, acted 3 min ago, silent for 2 h"),
        (one(read_only="newer", blind="x", **SERVICE), "the service on nas: fleet 1.0, acted 3 min ago, only reads: newer"),
        (one(blind="aws: no token", **SERVICE), "the service on nas: fleet 1.0, acted 3 min ago, cannot see aws: no token"),
        (one(problem="unreadable", version="", **SERVICE), "the service on nas: unreadable"),
        (Told("", one(version="", host="here").presence, lives=True), "a terminal on this computer (follows racer)"),
    ],
)
def test_a_line_says_the_version_when_it_acted_and_what_keeps_it_from_acting(told_of: Told, words: str) -> None:
    assert line(told_of, NOW, "here") == words


def test_nobody_is_needed_where_nothing_lives_and_a_silent_terminal_is_no_news() -> None:
    assert attendance([], NOW, "here", set()) == []
    assert attendance([one(lives=False)], NOW, "here", set()) == []
    assert attendance([one(), one(lives=False)], NOW, "here", {"aws"})[1:] == [f"  {line(one(), NOW, 'here')}"]
    silent = one(lives=False, **SERVICE)
    assert attendance([silent], NOW, "here", set()) == ["controllers:", f"  {line(silent, NOW, 'here')}"]


@pytest.mark.parametrize(
    ("found", "live", "says", "deploys"),
    [
        ([], {"aws"}, "No controller lives: ", True),
        ([], {"local"}, "No controller lives: ", False),
        ([one(lives=False)], {"aws", "local"}, "No controller lives: ", True),
        ([READING], {"aws"}, "No controller may act: ", True),
    ],
)
def test_where_runs_live_and_nobody_acts_it_says_so_and_what_to_type(
    found: list[Told], live: set[str], says: str, deploys: bool
) -> None:
    lines = attendance(found, NOW, "here", live)
    assert len([text for text in lines if text.startswith("  ") and "fleet 1.0" in text]) == len(found)
    assert [text for text in lines if text.startswith(says)]
    typed = " ".join(lines)
    assert ("fleet controller deploy aws" in typed) == deploys
    assert "fleet controller install" in typed
    assert "fleet controller run" in typed


def test_different_versions_are_a_warning_of_what_comes() -> None:
    lines = attendance([one(), one(version="1.10", **FUNCTION), one(version="1.9", lives=False)], NOW, "here", {"aws"})
    assert lines[-1] == "  fleet 1.0 only reads as soon as fleet 1.10 writes what it does not know: upgrade it"
    assert len(attendance([one(), one(version="0.9", lives=False)], NOW, "here", {"aws"})) == 2


def test_status_and_the_last_words_of_up_tell_the_same() -> None:
    assert watched([one(), one(**SERVICE)], "here") == "by a terminal on anna (follows racer), by the service on nas"
    assert watched([], "here").startswith("by nobody: `fleet controller run`")
    assert watched([READING], "here").startswith(
        "by nobody but the function fleet-1a2b-controller in the cloud, which only reads:"
    )
    assert watched(None, "here").startswith("by whom cannot be told now")
    ends = "launches the next one after an interruption"
    assert goes_on([one(), one(**SERVICE)], "here") == f"and the service on nas {ends}."
    assert goes_on([one()], "here") == f"and a terminal on anna (follows racer) {ends}, as long as it lives."
    assert goes_on([one(blind="aws: x", **SERVICE), one(**CRON)], "here") == f"and cron on this computer {ends}."
    assert goes_on([one(blind="aws: x", **SERVICE), one()], "here").endswith("but cannot see aws: x.")
    assert goes_on([READING, one(lives=False)], "here").startswith("but nobody relaunches it")
    assert "cannot be told" in goes_on(None, "here")


@pytest.mark.parametrize(
    ("found", "providers", "warns"),
    [
        ([], {"aws"}, True),
        ([], {"aws", "local"}, True),
        ([], {"local"}, False),
        ([one()], {"aws"}, True),  # somebody's terminal is no better than this one
        ([one(**FUNCTION)], {"aws"}, False),
        ([one(**SERVICE)], {"aws"}, False),
        ([one(lives=False, **SERVICE)], {"aws"}, True),
        ([READING], {"aws"}, True),
        ([one(blind="aws: x", **FUNCTION), one(**SERVICE)], {"aws"}, False),
    ],
)
def test_before_a_run_goes_to_a_cloud_it_is_said_if_nobody_outlives_the_terminal(
    found: list[Told], providers: set[str], warns: bool
) -> None:
    now = [
        Told(told_of.key, told_of.presence.model_copy(update={"version": __version__}), told_of.lives) for told_of in found
    ]
    text = warning(now, providers, "here")
    assert bool(text) == warns
    if warns:
        assert "no controller outlives this terminal" in text
        assert "`fleet controller deploy aws`" in text
        assert "`fleet controller install`" in text
        assert len(text.splitlines()) == 3


def test_who_runs_on_this_computer_alone_acts_only_as_long_as_it_is_awake() -> None:
    cron = one(**{**CRON, "version": __version__})
    until = "as long as this computer is awake; `fleet controller deploy aws` is for when it sleeps."
    assert warning([cron], {"aws"}, "here") == f"cron on this computer looks after it {until}"
    assert goes_on([one(), cron], "here", {"aws"}).endswith(f"launches the next one after an interruption, {until}")
    assert until in warning([one(**{**CRON, "blind": "aws: x"})], {"aws"}, "here")
    for elsewhere in (FUNCTION, SERVICE):
        both = [cron, one(**{**elsewhere, "version": __version__})]
        assert warning(both, {"aws"}, "here") == ""
        assert "awake" not in goes_on(both, "here", {"aws"})
    assert warning([cron], {"local"}, "here") == ""
    assert "awake" not in goes_on([cron], "here", {"local"})


def test_one_that_stays_and_is_blind_is_warned_of() -> None:
    text = warning([one(blind="aws/us-east-1: no credentials", **SERVICE)], {"aws"}, "here")
    assert text.startswith("the service on nas outlives this terminal, but cannot see aws/us-east-1: no credentials.")


def test_one_that_stays_and_is_older_than_this_fleet_is_warned_of() -> None:
    older = one(version="0.0.1", **FUNCTION)
    text = warning([older], {"aws"}, "here")
    assert text.startswith(
        f"the function fleet-1a2b-controller in the cloud is fleet 0.0.1, and this is fleet {__version__}"
    )
    assert "`fleet controller deploy aws` upgrades it" in text
    assert warning([older, one(version=__version__, **SERVICE)], {"aws"}, "here") == ""
    assert warning([one(version="99.0", **SERVICE)], {"aws"}, "here") == ""  # then this one only reads, and says so itself


@pytest.fixture
def fleet_with_a_run(home: Home, monkeypatch: pytest.MonkeyPatch) -> Controller:
    monkeypatch.setenv("FLEET_HOME", str(home.path))
    controller = open_fleet(home, home.bucket, create=True)
    job = Job(name="racer", run="true")
    now = controller.objects.now()
    assert controller.record([RunCreated(at=now, run_id="racer-1", name="racer", job=job, mounts={})])
    return controller


def test_ps_says_of_an_older_controller_that_it_only_reads_and_why(
    fleet_with_a_run: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    older = fleet_with_a_run
    newer = Journal(older.objects, older.state.fleet_id, by="function", version="99.0")
    newer.refresh()
    assert newer.append([{"type": "sail-hoisted", "v": 1, "at": older.objects.now()}])
    older.tick()
    told(older, kind="function", every=60, key="fleet-1a2b-controller")
    assert ps.show(None, everything=False, last=None, as_json=False) == 0
    said = capsys.readouterr().out
    assert "the function fleet-1a2b-controller in the cloud: " in said
    assert "only reads: the journal holds an event 'sail-hoisted' version 1" in said
    assert "No controller may act" in said
    assert show_list(None, as_json=False) == 0
    assert "None of them acts" in capsys.readouterr().out
    assert show_list(None, as_json=True) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["lives"], "sail-hoisted" in found["read_only"]) == (True, True)


def test_ps_shows_a_word_that_nobody_understands_and_no_escape_sequence(
    fleet_with_a_run: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet_with_a_run.objects.put(layout.controller("x"), b'{"v": 1, "name": "n", "host": "\\u001b[2Jevil", "kind": 5}')
    assert ps.show(None, everything=False, last=None, as_json=False) == 0
    said = capsys.readouterr().out
    assert "a terminal on evil: its word cannot be read" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("kind", ["terminal", "service"])
def test_a_job_for_a_cloud_is_looked_up_in_the_bucket_that_it_goes_to(
    kind: Any, fleet_with_a_run: Controller, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    job = Job.model_validate({"name": "a", "run": "x", "resources": {"infra": "aws"}})
    staying.warn_before_starting(home, job)  # it was not set up: others say that
    assert capsys.readouterr().err == ""
    home.remember_aws(home.bucket, None, ["us-east-1"])
    Telling(Who("k", kind, "controller run", hostname()), 60).tell(fleet_with_a_run)
    staying.warn_before_starting(home, job)
    staying.warn_before_resuming(fleet_with_a_run, job)
    said = capsys.readouterr()
    assert said.err.count("fleet: no controller outlives this terminal") == (2 if kind == "terminal" else 0)
    assert said.out == ""
    staying.warn_before_starting(home, Job(name="a", run="x"))
    assert capsys.readouterr().err == ""


def test_up_says_it_before_anything_is_begun_and_not_where_programs_read(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.home.path.mkdir()
    shell.home.remember_aws(shell.home.bucket, None, ["us-east-1"])  # a folder stands in for its bucket
    path = Path(shell.job())
    path.write_text(path.read_text().replace("{market: spot}", "{market: spot, infra: aws}"))
    out, err = shell.run("up", str(path), "--yes", "-o", "json", code=1)
    assert err.index("no controller outlives this terminal") < err.index("was not set up for aws")
    assert json.loads(out)["error"]["kind"] == "fleet"
