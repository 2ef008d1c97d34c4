"""Looking at runs: lists that stay short, the nearest names, what a unit of work costs, who watches, words that complete."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet import __version__, api
from fleet.cli.plan import show
from fleet.cli.table import print_table
from fleet.control.fleets import open_fleet
from fleet.control.home import Home
from fleet.control.names import nearest
from fleet.control.offering import Plan, Priced
from fleet.control.watchers import watchers, watching
from fleet.model.cloud import Market, Offer
from fleet.model.events import RunCreated, RunEnded
from fleet.model.job import Job
from fleet.providers.local.provider import stop_everything
from fleet.store.cache import EntryCache
from fleet.store.glance import glance
from tests.unit.cli.test_commands import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    stop_everything(made.home.local)


@pytest.fixture(scope="module")
def racer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A run that is over; not to be changed."""
    made = Shell(tmp_path_factory.mktemp("racer"))
    made.run("up", made.job(name="racer"))
    yield made
    stop_everything(made.home.local)


def many(home: Home, count: int, ended: int) -> None:
    """Runs that nobody trained, recorded as if somebody had."""
    home.path.mkdir(exist_ok=True)
    controller = open_fleet(home, home.bucket, create=True)
    for number in range(count):
        job = Job(name=f"job-{number:03d}", run="true")
        run_id = f"{job.name}-{number:08x}"
        events: list[Any] = [RunCreated(at=float(number), run_id=run_id, name=job.name, job=job, mounts={})]
        if number < ended:
            events.append(RunEnded(at=number + 0.5, run_id=run_id, outcome="succeeded", reason="done"))
        assert controller.record(events)


def test_a_long_list_shows_what_lives_and_the_last_that_ended_and_says_what_it_hides(shell: Shell) -> None:
    many(shell.home, 53, 50)
    out = shell.run("ps")[0]
    rows = [line.split()[0] for line in out.splitlines() if line.startswith("job-")]
    assert rows == [f"job-{number:03d}" for number in range(40, 53)]
    assert "40 earlier run(s) that ended are not shown: fleet ps --all" in out
    assert shell.run("ps", "--all")[0].count("job-") == 53
    assert shell.run("ps", "--last", "2")[0].count("job-") == 5
    assert len(shell.runs()) == 53
    assert len(shell.json("ps", "--last", "0")) == 3


def test_ps_fits_eighty_columns(shell: Shell) -> None:
    shell.run("up", shell.job())
    shell.run("up", shell.job(steps=12))  # the name means this one; the other is shown by its id
    shell.env["COLUMNS"] = "80"
    lines = shell.run("ps")[0].splitlines()
    assert [len(line) <= 80 for line in lines] == [True] * 3
    assert "$/H NOW" in lines[0]
    assert lines[1].startswith(shell.runs()[0]["run"])
    assert lines[2].startswith("count ")


def test_a_table_leaves_out_what_can_be_spared_before_it_falls_apart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("NAME", "LEFT", "RIGHT"), ("a", "one", "two")]
    for columns, shown in ((17, "NAME  LEFT  RIGHT"), (16, "NAME  RIGHT"), (10, "NAME   a")):
        monkeypatch.setenv("COLUMNS", str(columns))
        print_table(rows, spare=("LEFT",))
        assert capsys.readouterr().out.splitlines()[0] == shown


def test_a_name_that_nothing_has_is_answered_with_the_nearest(racer: Shell) -> None:
    done = racer.runs()[0]
    for words in (
        ["logs", "rcaer"],
        ["status", "racr"],
        ["stop", "racer1"],
        ["exec", "racre", "--", "ls"],
        ["events", "r4cer"],
    ):
        assert "did you mean 'racer'?" in racer.run(*words, code=1)[1]
    assert f"did you mean '{done['run']}'" in racer.run("status", done["run"][:-1], code=1)[1]
    assert "known: racer" in racer.run("status", "zzz", code=1)[1]
    assert "Did you mean 'plan'?" in racer.run("plam", code=2)[1]
    assert "Did you mean 'list'?" in racer.run("volumes", "lst", code=2)[1]
    volume = racer.json("volumes", "list")[0]["volume"]
    assert f"did you mean '{volume}'" in racer.run("volumes", "delete", volume[:-1], "--yes", code=1)[1]
    assert "known: 1/" in racer.run("checkpoints", "pull", "racer", "1/99", "--into", "x", code=1)[1]


def test_many_known_names_are_not_all_listed() -> None:
    told = nearest("zzz", [f"name-{number}" for number in range(30)])
    assert told.startswith("known: name-20, ")
    assert told.endswith("name-29 and 20 more")
    assert nearest("x", []) == "known: none yet"


def test_a_plan_tells_what_steps_cost_once_that_was_measured(shell: Shell) -> None:
    job = shell.job(steps=40)
    first = shell.run("plan", job)[0]
    assert "1,000 STEPS" in first
    assert "is known once a run of 'count' has reported steps" in first
    run = shell.json("up", job)
    shell.until(lambda: shell.run("controller", "run", "--once") and shell.runs()[0]["usd_per_hour"] < 0.01)
    kind = run["where"].split("/")[3]
    for offer in shell.json("plan", job)["offers"]:
        rate = offer["steps_per_second"]
        if offer["instance_type"] != kind:
            assert (rate, offer["with_volume_usd_per_1000_steps"]) == (None, None)
            continue
        assert 1 < rate <= 20  # a step takes at least 0.05 s
        expected = offer["with_volume_usd_per_hour"] / 3.6 / rate
        assert offer["with_volume_usd_per_1000_steps"] == pytest.approx(expected, rel=0.01)
    out = shell.run("plan", job)[0]
    assert "$" in next(line for line in out.splitlines() if f" {kind} " in line)
    told = shell.json("plan", job)
    assert told["forecast"]["like"] == run["run"]
    assert f"since  {run['run']} trained " in out
    (got,) = told["bought"]
    assert (got["instance_type"], [one["types"] for one in told["weeks"]]) == (kind, [[got]])
    assert "bought 1,000 steps for $" in out
    assert got["usd_per_1000_steps"] == pytest.approx(1000 * got["usd"] / got["steps"], abs=1e-6)


def priced(kind: str, price: int, rate: float | None, *, chosen: bool = False) -> Priced:
    offer = Offer(
        provider="local",
        region="here",
        zone="here-a",
        instance_type=kind,
        market=Market.SPOT,
        price=price,
        on_demand_price=price,
    )
    return Priced(offer, price, chosen, cooling=False, rate=rate)


@pytest.mark.parametrize(
    ("large_rate", "told"),
    [
        (None, ["is known once"]),
        (2.0, []),  # twice as fast for three times the price
        (4.0, ["1,000 cost $0.0208 on large, $0.0278 on the chosen one; to choose it: instance_type: large"]),
    ],
)
def test_a_plan_tells_if_the_cheapest_hour_is_not_the_cheapest_work(
    large_rate: float | None,
    told: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    offers = (priced("small", 100_000, 1.0, chosen=True), priced("large", 300_000, large_rate))
    plan = Plan(offers, "why", 0, Job(name="a", run="x"))
    monkeypatch.setattr(api, "plan", lambda _job: plan)
    (tmp_path / "a.yaml").write_text("name: a\nrun: x\n")
    show(tmp_path / "a.yaml", as_json=False)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("steps ")]
    assert [want in line for want, line in zip(told, lines, strict=True)] == [True] * len(told)


def test_status_knows_whether_anybody_here_keeps_a_run_alive(shell: Shell) -> None:
    shell.run("up", "--detach", shell.job(steps=10_000))
    assert "watched   by nobody: `fleet controller run`" in shell.run("status", "count")[0]
    assert "No controller lives" in shell.run("ps")[0]
    assert "No controller lives" in shell.run("controller", "list")[0]
    watcher = shell.start("controller", "run")
    told = shell.until(lambda: shell.json("status", "count")["watchers"])
    assert [(one["process"], one["command"]) for one in told] == [(watcher.pid, "controller run")]
    whose = f"a terminal on this computer (controller run, process {watcher.pid})"
    assert f"watched   by {whose}\n" in shell.run("status", "count")[0]
    shell.until(lambda: shell.json("controller", "list")[0]["key"])
    assert f"controllers:\n  {whose}: fleet {__version__}, " in shell.run("ps")[0]
    assert whose in shell.run("controller", "list")[0]
    assert [run["name"] for run in shell.json("ps")] == ["count"]  # runs, and nothing else
    watcher.kill()  # without a word
    watcher.communicate(timeout=20)
    assert shell.json("status", "count")["watchers"] == []
    assert [one["lives"] for one in shell.json("controller", "list")] == [False]
    assert f"  {whose}: fleet {__version__}, " in shell.run("ps")[0]
    assert "silent for" in shell.run("ps")[0]
    assert "No controller lives" in shell.run("ps")[0]
    assert list((shell.home.path / "watchers").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (signal.SIGINT, "terminal", 130),
        (signal.SIGHUP, "terminal", 128 + signal.SIGHUP),
        (signal.SIGTERM, "terminal", 128 + signal.SIGTERM),
        (signal.SIGTERM, "service", 0),
    ],
)
def test_a_controller_that_ends_properly_is_no_more_told_of(
    number: signal.Signals, kind: str, code: int, shell: Shell
) -> None:
    many(shell.home, 1, 1)
    shell.env["FLEET_CONTROLLER"] = kind
    watcher = shell.start("controller", "run")
    (told,) = shell.until(lambda: [one for one in shell.json("controller", "list") if one["key"]])
    assert (told["kind"], told["outlives_terminal"]) == (kind, kind == "service")
    watcher.send_signal(number)
    watcher.communicate(timeout=20)
    assert watcher.returncode == code
    assert shell.json("controller", "list") == []
    assert not list((shell.home.path / "bucket").glob("controllers/*"))


def test_a_controller_looks_after_a_fleet_too_that_becomes_known_after_it_began(shell: Shell) -> None:
    job = shell.job(extra=f"bucket: {(shell.folder / 'other').as_uri()}\n")
    shell.run("up", job)
    watcher = shell.start("controller", "run")
    shell.until(lambda: shell.json("controller", "list"))
    shell.run("up", "--detach", shell.job(steps=10_000))  # in the default bucket, which was not there before
    told = shell.until(lambda: [one for one in shell.json("controller", "list") if one["bucket"] == shell.home.bucket])
    assert [(one["process"], one["lives"]) for one in told] == [(watcher.pid, True)]
    watcher.send_signal(signal.SIGINT)
    out, err = watcher.communicate(timeout=20)
    assert out.count("watching ") == 2
    assert "1 machine(s) go on without anybody" in err
    assert "Traceback" not in err


def test_one_that_cron_starts_is_told_of_between_its_rounds_and_one_by_hand_is_not(shell: Shell) -> None:
    many(shell.home, 1, 1)
    shell.run("controller", "run", "--once")
    assert shell.json("controller", "list") == []
    shell.env["FLEET_CONTROLLER"] = "cron"
    shell.run("controller", "run", "--once")
    (told,) = shell.json("controller", "list")
    assert (told["kind"], told["process"], told["lives"], told["outlives_terminal"]) == ("cron", None, True, True)
    shell.run("controller", "run", "--once")
    assert shell.json("controller", "list") == [told]  # one word each ten minutes


def test_watchers_of_other_buckets_are_not_this_ones(home: Home) -> None:
    with watching(home, "controller run", ["file:///a", "file:///b"]):
        assert [one.process for one in watchers(home, "file:///b")] == [os.getpid()]
        assert watchers(home, "file:///c") == []
        (home.path / "watchers" / "99.json").write_text("{")
        assert len(watchers(home, "file:///a")) == 1
    assert watchers(home, "file:///a") == []


def test_a_home_that_cannot_be_written_hinders_no_watcher(home: Home) -> None:
    (home.path / "watchers").write_text("a file")
    with watching(home, "controller run", ["file:///a"]):
        assert watchers(home, "file:///a") == []


class Typing:
    """A shell that asks what a word may become."""

    def __init__(self, shell: Shell, kind: str) -> None:
        self.shell, self.kind = shell, kind

    def words(self, line: str) -> list[str]:
        env = {**self.shell.env, "_FLEET_COMPLETE": f"complete_{self.kind}"}
        if self.kind == "bash":
            env |= {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        else:
            env |= {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        command = [sys.executable, "-m", "fleet.cli"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=30)
        assert done.stderr == ""
        if self.kind == "zsh":
            if done.stdout == "_files\n":
                return []  # nothing to say: zsh may offer files
            return [word for word in done.stdout.split('"')[1::2] if word]
        return done.stdout.split()


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
def test_names_complete_in_every_shell(racer: Shell, kind: str) -> None:
    typing, run = Typing(racer, kind), racer.runs()[0]
    assert typing.words("fleet logs r") == ["racer"]
    assert typing.words("fleet status racer-") == [run["run"]]
    saved = [one["checkpoint"] for one in racer.json("checkpoints", "list", "racer")]
    assert typing.words("fleet checkpoints pull racer 1/") == saved
    assert typing.words("fleet volumes delete vo") == [run["volume"]]
    assert typing.words("fleet volumes delete xy") == []
    assert typing.words("fleet init r") == ["racer"]


def test_fixed_words_complete_and_a_deleted_volume_no_more(shell: Shell) -> None:
    typing = Typing(shell, "bash")
    assert typing.words("fleet completion z") == ["zsh"]
    assert typing.words("fleet schema checkp") == ["checkpoints"]
    shell.run("up", shell.job())
    assert typing.words("fleet events -o json co") == ["count"]
    (volume,) = typing.words("fleet volumes delete vo")
    shell.run("volumes", "delete", volume, "--yes")
    assert typing.words("fleet volumes delete vo") == []


def test_bash_itself_completes_after_the_line_that_is_documented(shell: Shell) -> None:
    many(shell.home, 2, 0)
    script = shell.run("completion", "bash")[0]
    folder = shell.folder / "bin"
    folder.mkdir()
    (folder / "fleet").write_text(f'#!/bin/sh\nexec {sys.executable} -m fleet.cli "$@"\n')
    (folder / "fleet").chmod(0o755)
    ask = script + '\nCOMP_WORDS=(fleet status jo); COMP_CWORD=2; _fleet_completion fleet; echo "${COMPREPLY[@]}"\n'
    env = {**shell.env, "PATH": f"{folder}:{shell.env['PATH']}"}
    done = subprocess.run(["bash"], input=ask, env=env, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["job-001", "job-000"]


@pytest.mark.parametrize("harm", ["no home", "torn", "no journal", "binary snapshot", "not a bucket"])
def test_completion_never_fails_or_speaks(shell: Shell, harm: str) -> None:
    if harm != "no home":
        many(shell.home, 2, 0)
    bucket = shell.home.path / "bucket"
    if harm == "torn":
        (bucket / "journal" / "000000000003.json").write_text("{")
    elif harm == "no journal":
        (bucket / "journal").rename(bucket / "gone")
    elif harm == "binary snapshot":
        (bucket / "snapshots" / "9").mkdir(parents=True)
        (bucket / "snapshots" / "9" / "000000000100.json").write_bytes(b"\xff\x00")
    elif harm == "not a bucket":
        (shell.home.path / "buckets.json").write_text('["file:///proc/self/mem", 5, "s3://far/away"]')
    found = Typing(shell, "bash").words("fleet status j")
    assert found == {"torn": ["job-001", "job-000"], "not a bucket": ["job-001", "job-000"]}.get(harm, [])
    assert (shell.home.path).exists() == (harm != "no home")


def test_a_glance_starts_from_a_snapshot_and_from_what_is_remembered_of_a_far_bucket(home: Home, tmp_path: Path) -> None:
    many(home, 120, 0)
    controller = open_fleet(home, home.bucket)
    controller._snapshot()
    folder = Path(home.bucket.removeprefix("file://"))
    assert list(folder.glob("snapshots/*/*.json"))
    for number in range(1, 121):  # what the snapshot holds is not read again
        (folder / "journal" / f"{number:012d}.json").write_text("{")
    many_more = Home(tmp_path / "other")
    many(many_more, 3, 0)
    cache = EntryCache(home.cache, "f")
    for path in sorted(Path(many_more.bucket.removeprefix("file://")).glob("journal/*.json")):
        cache.put(int(path.stem), path.read_bytes())
    assert len(glance([home.bucket], home.cache).runs) == 120
    assert list(glance(["s3://far"], home.cache).runs) == ["job-000", "job-001", "job-002"]
    assert json.loads(next(folder.glob("snapshots/*/*.json")).read_text())["number"] == 120
