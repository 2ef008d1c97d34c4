"""``fleet simulate JOB`` and ``fleet history``: what they print, and what they refuse."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fleet.cli.main import app
from fleet.cli.simulate_job import Wish, job_of
from fleet.control.fleets import open_fleet
from fleet.control.home import open_home
from fleet.model import events as ev
from fleet.model.cloud import Instance, InstanceState, Market, NewVolume, Offer
from fleet.model.errors import ErrorClass, FleetError
from fleet.model.job import Job
from tests.unit.cli.test_json import check

PAGE = Path(__file__).parents[3] / "docs" / "simulate.md"
JOB = "name: racer\nresources: {infra: local, instance_type: medium}\nrun: python train.py\nvolume: {size: 20GB}\n"
DAY = 86_400.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.yaml").write_text(JOB)
    return tmp_path


def typed(*words: str) -> Result:
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


def refused(*words: str) -> FleetError:
    with pytest.raises(FleetError) as caught:
        typed(*words)
    return caught.value


def met(folder: Path) -> str:
    """A fleet that has met something; its bucket."""
    url = f"file://{folder / 'bucket'}"
    controller = open_fleet(open_home(), url, create=True)
    began = controller.objects.now() - DAY
    offer = Offer(
        provider="local", region="here", zone="here-a", instance_type="medium", market=Market.SPOT, price=270_000,
        on_demand_price=900_000,
    )  # fmt: skip
    job = Job.model_validate({"name": "secret-name", "run": "t"})
    told: list[ev.Event] = [ev.RunCreated(at=began, run_id="secret-name-1", name=job.name, job=job, mounts={})]
    for number, at in enumerate((began, began + 20_000), 1):
        who: dict[str, Any] = {"run_id": "secret-name-1", "attempt": number}
        given = {"predecessor": None, "lease_until": None, "share": None, "why": "", "volume": NewVolume(size_gb=1)}
        made = Instance(instance_id=f"i{number}", offer=offer, state=InstanceState.PENDING, launched_at=at)
        told += [
            ev.LaunchIntended(at=at, try_no=1, token=f"t{number}", offers=(offer,), **who, **given),
            ev.LaunchSucceeded(at=at, try_no=1, instance=made, **who),
            ev.AttemptGone(at=at + 7200, ended_at=at + 7200, ended_by="cloud", **who),
        ]
    last = {"run_id": "secret-name-1", "attempt": 3}
    told.append(ev.LaunchIntended(at=began + 40_000, try_no=1, token="t3", offers=(offer,), **last, **given))
    refusal = {"error_class": ErrorClass.CAPACITY, "code": "c", "message": "none left"}
    told.append(ev.LaunchFailed(at=began + 40_001, try_no=1, **last, **refusal))
    assert controller.record(told)
    return url


def test_a_job_is_tried_under_every_policy(folder: Path) -> None:
    found = check(
        "simulation",
        json.loads(
            typed("simulate", ".", "--estimate", "1h", "--deadline", "3h", "--runs", "2", "--timeline", "-o", "json").stdout
        ),
    )
    assert [one["policy"] for one in found["policies"]] == ["fleet", "on-demand", "spot-first", "spot"]
    assert all(
        one["runs"] == 2 and one["cost_low_usd"] <= one["cost_usd"] <= one["cost_high_usd"] for one in found["policies"]
    )
    usual = found["policies"][1]
    assert usual["cost_usd"] == pytest.approx(0.9, abs=0.06)
    assert usual["spot_seconds"] == usual["late_runs"] == 0
    assert found["timeline"][0]["type"] == "run-created"
    assert found["timeline"][-1]["after_seconds"] > 3600


def test_people_get_a_table_its_assumptions_and_a_story(folder: Path) -> None:
    out = typed("simulate", "fleet.yaml", "--estimate", "1h", "--runs", "1", "--policy", "on-demand", "--timeline").stdout
    assert re.search(r"on-demand +\$0\.9\d", out)
    assert "note       the market 'average' is drawn" in out
    assert re.search(r"00:00:00 +#1 +launched +medium on-demand", out)


def test_a_plot_is_a_page_that_fetches_nothing(folder: Path) -> None:
    typed("simulate", ".", "--estimate", "1h", "--deadline", "3h", "--runs", "2", "--plot", "costs.html")
    page = (folder / "costs.html").read_text()
    HTMLParser().feed(page)
    assert page.count("<svg") == 2
    assert page.count("<rect") >= 6
    assert "deadline</text>" in page
    assert not re.search(r"https?:|<script|<link|<img", page)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--estimate", "1h", "--runs", "0"), "0 runs tell nothing"),
        (("--estimate", "soon"), "--estimate: 'soon' is no duration"),
        (("--estimate", "9999d"), "--estimate: 863913600 s is no time"),
        (("--estimate", "1h", "--deadline", "30m"), "the deadline in 30m00s cannot be kept"),
        (("--estimate", "1h", "--market", "sunny"), "there is no market 'sunny'"),
        (("--estimate", "1h", "--policy", "magic"), "there is no policy 'magic'"),
        (("--estimate", "1h", "--plot", "costs.png"), "plots are pages"),
        ((), "does not say how long its training takes"),
    ],
)
def test_what_cannot_be_tried_is_refused_in_one_message(folder: Path, words: tuple[str, ...], told: str) -> None:
    error = refused("simulate", ".", *words)
    assert told in error.message
    assert error.hint


def test_what_to_simulate_must_be_said(folder: Path) -> None:
    assert "what to simulate is not said" in refused("simulate").message
    assert "knows no jobs" in refused("simulate", ".", "--model", "tick").message


def test_a_job_file_may_say_it_all(folder: Path) -> None:
    (folder / "fleet.yaml").write_text(JOB + "estimate: 2h\ndeadline: 5h\n")
    job = job_of(Wish(folder))
    assert (job.estimate, job.deadline) == (7200, 18_000)
    (folder / "fleet.yaml").write_text(JOB + 'estimate: 2h\ndeadline: "2019-01-01 08:00"\n')
    with pytest.raises(FleetError, match="deadline"):
        job_of(Wish(folder))


def test_history_tells_of_pools_and_not_of_runs(folder: Path) -> None:
    url = met(folder)
    (pool,) = check("history", json.loads(typed("history", "show", "--bucket", url, "-o", "json").stdout))
    assert (pool["pool"], pool["launches"], pool["refusals"], pool["interruptions"]) == ("local/here/here-a/medium", 2, 1, 2)
    assert (pool["ran_seconds"], pool["mean_life_seconds"]) == (14_400, 7200)
    assert "2h00m" in typed("history", "show", "--bucket", url).stdout
    out = typed("history", "export", "--bucket", url).stdout
    exported = check("history-export", json.loads(out))
    assert [one["what"] for one in exported["records"]] == ["launched", "taken", "launched", "taken", "refused"]
    assert "secret" not in out
    assert (
        json.loads(typed("history", "export", "--bucket", url, "--with-runs").stdout)["records"][0]["run"] == "secret-name-1"
    )
    rows = list(csv.DictReader(io.StringIO(typed("history", "export", "--bucket", url, "-o", "csv").stdout)))
    assert [row["what"] for row in rows] == [one["what"] for one in exported["records"]]
    assert typed("history", "export", "--bucket", url, "--since", "1h").stdout.count("what") == 0
    assert "'x' is no duration" in refused("history", "export", "--bucket", url, "--since", "x").message


def test_an_export_is_a_market(folder: Path) -> None:
    typed("history", "export", "history.json", "--bucket", met(folder))
    found = json.loads(
        typed("simulate", ".", "--estimate", "1h", "--runs", "2", "--market", "history.json", "-o", "json").stdout
    )
    assert found["notes"][0].startswith("capacity is what the fleet met")
    (folder / "other.yaml").write_text(JOB.replace("medium", "large"))
    error = refused("simulate", "other.yaml", "--estimate", "1h", "--market", "history.json")
    assert "nothing that this job could use: it tells of here-a/medium" in error.message


def test_an_empty_home_has_no_history(folder: Path) -> None:
    assert "nothing was launched yet" in typed("history").stdout
    assert json.loads(typed("history", "export").stdout)["records"] == []


def test_every_command_of_the_page_does_what_it_says(folder: Path) -> None:
    url = met(folder)
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) == 8
    for line in lines:
        _, *words = line.split()
        if words[0] == "simulate":
            typed(*words, "--runs", "1")  # the last one counts
        else:
            typed(*words, *(("--bucket", url) if "export" in words else ()))
    assert (folder / "costs.html").exists()
