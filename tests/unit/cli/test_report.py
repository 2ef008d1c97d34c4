"""`fleet report --night`, typed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import jsonschema
import pytest

from fleet.cli.schemas import schema_of
from fleet.core.upcast import encode
from fleet.model import events as ev
from fleet.model.cloud import Instance, InstanceState, NewVolume, Volume, VolumeState
from fleet.model.job import Job
from fleet.providers.local.provider import stop_everything
from fleet.store.files import FileObjects
from fleet.store.fleetfile import ensure_fleet
from fleet.store.journal import Journal
from tests.unit.cli.test_commands import Shell
from tests.unit.report.nights import offer

ZONE = "America/New_York"


def midnight(back: int = 0) -> float:
    """The last local midnight, or one of the days before."""
    day = datetime.now(ZoneInfo(ZONE)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (day - timedelta(days=back)).replace(fold=0).timestamp()


def yesterday() -> str:
    return f"{datetime.now(ZoneInfo(ZONE)) - timedelta(days=1):%Y-%m-%d}"


def events(at: float, name: str) -> list[ev.Event]:
    """A run with a machine for two hours from a time on, and its disk."""
    run, what = f"{name}-1", offer(price=100_000)
    job = Job.model_validate({"name": "racer", "run": "true"})
    disk = Volume(
        volume_id="vol-1", region="us-east-1", zone="us-east-1a", size_gb=73, state=VolumeState.AVAILABLE, created_at=at,
        price=80_000, tags={"run": run},
    )  # fmt: skip
    machine = Instance(instance_id="i-1", offer=what, state=InstanceState.RUNNING, launched_at=at)
    return [
        ev.RunCreated(at=at, run_id=run, name=name, job=job, mounts={}),
        ev.LaunchIntended(
            at=at, run_id=run, attempt=1, try_no=1, token="t", offers=(what,), volume=NewVolume(size_gb=73),
            predecessor=None, lease_until=None, share=None, why="",
        ),
        ev.LaunchSucceeded(at=at, run_id=run, attempt=1, try_no=1, instance=machine),
        ev.VolumeMade(at=at, run_id=run, provider="aws", volume=disk),
        ev.AttemptGone(at=at + 7200, run_id=run, attempt=1, ended_at=at + 7200, ended_by="itself"),
        ev.RunEnded(at=at + 7200, run_id=run, outcome="failed", reason="exit code 1"),
    ]  # fmt: skip


def written(folder: Path, told: list[ev.Event]) -> None:
    """A fleet's bucket in a folder, with these events in its journal."""
    folder.mkdir(parents=True, exist_ok=True)
    objects = FileObjects(folder, time.time)
    fleet_id = ensure_fleet(objects, "home").fleet_id
    if told:
        assert Journal(objects, fleet_id, by="test", version="0").append([encode(event) for event in told])


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.setenv("TZ", ZONE)
    made = Shell(tmp_path)
    yield made
    stop_everything(made.home.local)


@pytest.fixture
def nights(shell: Shell) -> Shell:
    """Yesterday from eleven in the evening on: an hour of it is today's."""
    written(shell.home.path / "bucket", events(midnight() - 3600, "<b>racer</b>"))
    return shell


def told(shell: Shell, *words: str) -> dict[str, object]:
    out, _ = shell.run("report", *words, "-o", "json")
    value = json.loads(out)
    jsonschema.Draft202012Validator(schema_of("night")).validate(value)
    assert len(value) == 1
    return dict(value[0])


def test_yesterday_is_told_in_the_users_time_zone(nights: Shell) -> None:
    """An hour at $0.10, an hour of 73 GB at $0.008 an hour, before midnight there; what came after is another day's."""
    made = told(nights, "--night")
    assert (made["date"], made["time_zone"]) == (yesterday(), ZONE)
    assert made["night"]["usd_by_kind"]["instance"] == 0.1  # type: ignore[index]
    assert made["night"]["usd_by_kind"]["volume"] == 0.008  # type: ignore[index]
    today = told(nights, "--night", f"{datetime.now(ZoneInfo(ZONE)):%Y-%m-%d}")
    assert today["night"]["usd_by_kind"]["instance"] == 0.1  # type: ignore[index]
    assert [one["id"] for one in today["left"]] == ["vol-1"]  # type: ignore[attr-defined]


def test_alone_or_with_a_date_or_before_other_options_it_is_the_same_night(nights: Shell) -> None:
    same = [
        ("report",),
        ("report", "--night"),
        ("report", "--night", yesterday()),
        ("report", "--night", "--format", "text"),
    ]
    answers = [nights.run(*words)[0] for words in same]
    assert answers[0].startswith("What ")
    assert len(set(answers)) == 1


def test_each_form_is_printed(nights: Shell) -> None:
    assert nights.run("report", "--night", "--format", "md")[0].startswith("# What ")
    assert nights.run("report", "--night", "--format", "csv")[0].startswith("date,fleet,section,of,figure,value,unit\n")
    assert json.loads(nights.run("report", "--night", "--format", "json")[0])[0]["date"] == yesterday()


def test_a_page_is_written_and_holds_names_as_words(nights: Shell) -> None:
    out, _ = nights.run("report", "--night", "--html", "night.html")
    assert out == f"{yesterday()} is in night.html\n"
    text = (nights.folder / "night.html").read_text()
    assert "&lt;b&gt;racer&lt;/b&gt;" in text
    assert "<b>racer" not in text
    assert text.count("<svg") >= 1


def test_a_page_and_json_go_together(nights: Shell) -> None:
    out, err = nights.run("report", "--html", "night.html", "-o", "json")
    assert json.loads(out)[0]["date"] == yesterday()
    assert "is in night.html" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--night", "soon"), 1, "'soon' is no date"),
        (("--night", "2999-01-01"), 1, "2999-01-01 has not begun"),
        (("--html", "night.pdf"), 1, "--html writes .html, not '.pdf'"),
        (("--format", "xml"), 2, "xml"),
        (("--send", "--format", "csv"), 2, "goes with neither"),
    ],
)
def test_what_cannot_be_done_is_said(nights: Shell, words: tuple[str, ...], code: int, said: str) -> None:
    assert said in nights.run("report", *words, code=code)[1]


def test_without_a_fleet_it_says_how_to_begin(shell: Shell) -> None:
    assert "there is no fleet yet" in shell.run("report", "--night", code=1)[1]


def test_of_two_fleets_the_one_in_which_something_happened_is_told(nights: Shell) -> None:
    """And a page of two is refused: it is one fleet's."""
    other = nights.folder / "other"
    written(other, [])
    nights.home.remember_bucket(other.as_uri())
    assert told(nights, "--night")["fleet"] == (nights.home.path / "bucket").as_uri()
    third = nights.folder / "third"
    written(third, events(midnight() - 7200, "second"))
    nights.home.remember_bucket(third.as_uri())
    out, _ = nights.run("report", "--night")
    assert [line.count(" cost") for line in out.splitlines() if line.startswith("What ") and "20" in line] == [1, 1]
    assert "Add --bucket" in nights.run("report", "--html", "x.html", code=1)[1]
    nights.run("report", "--html", "x.html", "--bucket", third.as_uri())
    assert "second" in (nights.folder / "x.html").read_text()


def test_a_night_in_which_nothing_ran_is_a_line(nights: Shell) -> None:
    long_ago = f"{datetime.now(ZoneInfo(ZONE)) - timedelta(days=40):%Y-%m-%d}"
    made = told(nights, "--night", long_ago)
    assert made["runs"] == []
    assert made["night"]["paid_usd"] == 0  # type: ignore[index]
