"""``fleet simulate --model tick``: what it takes, prints and refuses."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fleet.backtest.runner import names
from fleet.cli.complete import policy_names
from fleet.cli.main import app
from fleet.core.ticks.model import Terms
from fleet.core.ticks.registry import PEERS
from fleet.core.ticks.run import simulate
from fleet.model.errors import FleetError
from tests.unit.cli.test_json import check

UPS = {"us-east-1a_x.json": [1, 1, 0, 0, 1, 1] * 10, "us-east-1b_x.json": [0] * 60, "us-west-2a_x.json": [1] * 12}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in UPS.items():
        (tmp_path / name).write_text(json.dumps({"metadata": {"gap_seconds": 600}, "data": data}))
    return tmp_path


def said(*words: str, work: str = "3h") -> tuple[str, str]:
    """Standard output, and standard error."""
    done = CliRunner().invoke(app, ["simulate", "--model", "tick", "--work", work, *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


def objects(*words: str, work: str = "3h") -> list[Any]:
    return [check("ticks", json.loads(line)) for line in said(*words, "-o", "json", work=work)[0].splitlines()]


def refused(*words: str) -> FleetError:
    with pytest.raises(FleetError) as error:
        said(*words)
    return error.value


def test_one_policy_is_one_json_object_under_the_cost_model(folder: Path) -> None:
    (told,) = objects("--traces", str(folder), "--policy", "greedy", "--deadline", "5h", "--overhead", "12m")
    terms = Terms(3 * 3600, 5 * 3600, 720, 600)
    expected = {name: simulate(PEERS["greedy"](), data, terms) for name, data in UPS.items()}
    assert told["policy"] == "greedy"
    assert [one["file"] for one in told["windows"]] == list(UPS)
    for one in told["windows"]:
        outcome = expected[one["file"]]
        assert one == {
            "file": one["file"],
            "cost_od_hours": outcome.cost_od_hours,
            "finish_tick": outcome.finish_tick,
            "late": False,
            "launches": outcome.launches,
        }
    assert told["mean_cost_ratio"] == pytest.approx(sum(one.cost_od_hours for one in expected.values()) / 3 / 3)
    assert told["late"] == 0


def test_several_policies_are_a_line_each_and_all_where_none_is_named(folder: Path) -> None:
    named = objects("--traces", str(folder), "--deadline", "5h", "--policy", "omniscient", "--policy", "on-demand")
    assert [one["policy"] for one in named] == ["omniscient", "on-demand"]
    assert [one["policy"] for one in objects("--traces", str(folder), "--deadline", "5h")] == names()


def test_the_table_tells_cost_closed_share_lateness_and_launches(folder: Path) -> None:
    text, _ = said("--traces", str(folder), "--deadline", "5h", "--policy", "uniform-progress", "--policy", "greedy")
    head, *rows = [line.split() for line in text.splitlines()[:3]]
    assert head == ["POLICY", "COST", "CLOSED", "LATE", "LAUNCHES", "FINISHED"]
    assert [(row[0], row[3]) for row in rows] == [("uniform-progress", "0"), ("greedy", "0")]
    assert rows[1][2] == "0.00"
    assert "3 windows: 3h of work by 5h, 3m from a launch to training." in text


def test_prices_are_taken_as_given(folder: Path) -> None:
    words = ("--traces", str(folder), "--policy", "greedy", "--deadline", "9h", "--overhead", "0s")
    half, same = (objects(*words, "--spot-price", price, "--on-demand-price", "2")[0]["windows"][2] for price in ("1", "$2"))
    assert (half["cost_od_hours"], same["cost_od_hours"]) == (2.0, 3.0)  # two hours of spot, then one of on-demand


def test_a_window_that_ends_before_the_deadline_is_noted_and_one_that_a_run_outlasts_is_told(folder: Path) -> None:
    _, err = said("--traces", str(folder), "--policy", "greedy", "--deadline", "5h")
    assert "note: 1 of 3 windows end before the deadline (us-west-2a_x.json: 2h)" in err
    text, err = said("--traces", str(folder), "--policy", "greedy")
    assert err == ""
    assert "2 runs reached the window's end; from there on-demand did the rest." in text


def test_zones_of_one_clock_are_one_window_with_prices_regions_and_transfer(folder: Path) -> None:
    (folder / "us-west-2a_x.json").write_text(
        json.dumps({"metadata": {"gap_seconds": 600}, "data": [0, 0, 1, 1, 0, 0] * 10})
    )
    words = ("--traces", str(folder), "--zones", "--policy", "failover", "--overhead", "0s", "--on-demand-price", "1",
             "--spot-price", "0.5", "--spot-price", "us-west-2=0.25")  # fmt: skip
    (near,) = objects(*words)
    (far,) = objects(*words, "--transfer", "2")
    assert [one["file"] for one in near["windows"]] == [folder.name]
    assert near["windows"][0]["cost_od_hours"] == pytest.approx((12 * 0.5 + 6 * 0.25) / 6)
    assert far["windows"][0]["cost_od_hours"] - near["windows"][0]["cost_od_hours"] == pytest.approx(2 * 6)
    assert "MOVES" in said(*words)[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--policy", "gredy"), "did you mean 'greedy'?"),
        (("--deadline", "3h"), "the deadline of 3h cannot be met"),
        (("--deadline", "soon"), "--deadline: 'soon' is no duration"),
        (("--overhead", "-3m"), "--overhead: '-3m' is no duration"),
        (("--restore", "x"), "--restore: 'x' is no duration"),
        (("--spot-price", "nan"), "--spot-price must be dollars"),
        (("--spot-price", "-1"), "--spot-price must be dollars"),
        (("--spot-price", "much"), "--spot-price must be dollars"),
        (("--on-demand-price", "0"), "--on-demand-price must be above 0"),
        (("--on-demand-price", "inf"), "--on-demand-price must be dollars"),
        (("--transfer", "-1", "--zones"), "--transfer must be dollars"),
        (("--transfer", "1"), "need --zones"),
        (("--spot-price", "us-east-1a=1"), "need --zones"),
        (("--zones",), "zones need one clock"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(folder: Path, words: tuple[str, ...], told: str) -> None:
    error = refused("--traces", str(folder), *words)
    assert told in str(error)


def test_an_impossible_deadline_names_the_earliest_possible(folder: Path) -> None:
    assert refused("--traces", str(folder), "--deadline", "3h").hint == "The earliest possible deadline is 3h10m."


def test_a_zone_that_no_file_is_named_after_is_refused(folder: Path) -> None:
    (folder / "us-west-2a_x.json").unlink()
    error = refused("--traces", str(folder), "--zones", "--spot-price", "us-east-1bb=1")
    assert str(error) == "--spot-price: no trace is named after 'us-east-1bb'; did you mean 'us-east-1b_x'?"


def test_what_is_missing_is_asked_for(folder: Path) -> None:
    assert "--traces is missing" in str(refused())
    for words in (["--model", "tick", "--traces", str(folder)], ["--traces", str(folder)]):
        done = CliRunner().invoke(app, ["simulate", *words])
        assert isinstance(done.exception, FleetError)
        assert "--work" in str(done.exception)


def test_the_example_in_the_documentation_works(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "windows").mkdir()
    (folder / "us-east-1a_x.json").rename(folder / "windows" / "a.json")
    monkeypatch.chdir(folder)
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
    (example,) = [line for line in page.splitlines() if line.startswith("fleet simulate --model tick")]
    done = CliRunner().invoke(app, shlex.split(example)[1:])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[1:3]] == ["greedy", "omniscient"]


def test_policies_complete() -> None:
    assert policy_names("uni") == ["uniform-progress"]
    jobs = {"spot", "spot-first"}  # what a job is held against
    assert set(policy_names("")) == {*PEERS, "omniscient", *jobs, *policy_names("fleet")}
