"""`fleet deepracer plot`, as it is typed."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from typer.testing import CliRunner

from fleet.cli.deepracer_draw import span_of
from fleet.cli.main import app
from fleet.cli.schemas import schema_of
from fleet.model.errors import FleetError
from fleet.workloads.deepracer.checking.routes import ROUTES
from fleet.workloads.deepracer.checking.tracks import stand_in
from tests.unit.cli.test_json import closed
from tests.unit.deepracer.analyses import data

LOG = str(data("drfc-robomaker.log"))
FOLDER = str(data("drfc-1"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(*words: str) -> str:
    done = CliRunner().invoke(app, ["deepracer", "plot", *words, "--offline"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_page_of_a_log_has_its_track_and_says_where_it_is(folder: Path) -> None:
    assert typed(LOG, "-f", "log.html") == "Drew log.html.\n"
    text = (folder / "log.html").read_text(encoding="utf-8")
    assert "40 episodes in 4 iterations by 2 workers, no whole lap yet" in text
    assert "The track: 2022_reinvent_champ" in text
    assert 'class="map m-reward"' in text


def test_what_was_drawn_is_told_to_programs(folder: Path) -> None:
    answer = json.loads(typed(FOLDER, "-f", "it.png", "--what", "speed", "--track", "reinvent_base", "-o", "json"))
    jsonschema.Draft202012Validator(closed(schema_of("deepracer-plotted"))).validate(answer)
    steps = answer["maps"][0].pop("steps")
    assert answer == {
        "file": "it.png",
        "bytes": (folder / "it.png").stat().st_size,
        "episodes": 541,
        "iterations": 28,
        "maps": [{"track": "reinvent_base", "borders": False}],
    }
    traces = [data(f"drfc-1/training-simtrace/{number}-iteration.csv") for number in (0, 1, 2, 3, 10)]
    assert steps == sum(len(one.read_text().splitlines()) - 1 for one in traces)


def test_borders_come_from_the_cache_where_the_route_was_fetched_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    route = folder / "route.npy"
    made = stand_in("reinvent_base")
    np.save(route, np.concatenate([made.centre.points, made.inner.points, made.outer.points], axis=1))
    digest = hashlib.sha256(route.read_bytes()).hexdigest()
    monkeypatch.setitem(ROUTES, "reinvent_base", digest)
    (folder / "home" / "cache" / "tracks").mkdir(parents=True)
    route.rename(folder / "home" / "cache" / "tracks" / f"{digest}.npy")
    answer = json.loads(typed(FOLDER, "-f", "it.html", "--track", "reinvent_base", "-o", "json"))
    assert answer["maps"][0]["borders"] is True
    assert 'class="border"' in (folder / "it.html").read_text()


def test_maps_of_some_iterations_hold_their_steps(folder: Path) -> None:
    first = json.loads(typed(FOLDER, "-f", "a.html", "--iterations", "0", "-o", "json"))
    rest = json.loads(typed(FOLDER, "-f", "b.html", "--iterations", "1-", "-o", "json"))
    whole = json.loads(typed(FOLDER, "-f", "c.html", "-o", "json"))
    assert first["maps"][0]["steps"] + rest["maps"][0]["steps"] == whole["maps"][0]["steps"]
    assert first["iterations"] == 28  # curves and laps are the whole training's
    assert json.loads(typed(FOLDER, "-f", "d.html", "--iterations", "4-9", "-o", "json"))["maps"] == []


@pytest.mark.parametrize(("text", "span"), [("7", (7, 7)), ("10-20", (10, 20)), (" 3 ", (3, 3)), ("0-0", (0, 0))])
def test_iterations_are_named_by_the_first_and_the_last(text: str, span: tuple[int, int]) -> None:
    assert span_of(text) == span
    assert span_of("10-")[0] == 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((LOG, "-f", "it.gif"), r"ends in \.html or \.png"),
        ((LOG, "-f", "nowhere/it.png"), "there is no folder"),
        ((LOG, "-f", "it.html", "--what", "speed"), "a page shows everything"),
        ((LOG, "-f", "it.html", "--iterations", "20-10"), "are no iterations"),
        ((LOG, "-f", "it.html", "--iterations", "some"), "are no iterations"),
        ((LOG, "-f", "it.png", "--what", "laps"), r"\(laps\) there is nothing"),
        (("nowhere", "-f", "it.png"), "there is no"),
    ],
)
def test_what_cannot_be_drawn_is_said_and_nothing_is_written(words: tuple[str, ...], said: str, folder: Path) -> None:
    with pytest.raises(FleetError, match=said) as error:
        typed(*words)
    assert error.value.hint
    assert {one.name for one in folder.iterdir()} <= {"home"}


def test_nothing_driven_is_nothing_to_draw(folder: Path) -> None:
    (folder / "metrics").mkdir()
    (folder / "metrics" / "TrainingMetrics.json").write_text('{"metrics": [], "version": 2.0}')
    with pytest.raises(FleetError, match=r"nobody has driven|there is no record"):
        typed(str(folder), "-f", "it.html")


def test_without_matplotlib_a_picture_is_refused_and_a_page_drawn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(FleetError, match="matplotlib") as error:
        typed(LOG, "-f", "it.png")
    assert "fleet[deepracer]" in error.value.hint
    monkeypatch.setitem(sys.modules, "pandas", None)
    typed(LOG, "-f", "it.html")
    assert (folder / "it.html").exists()


def test_of_a_trainers_log_alone_the_curves_are_drawn_and_no_laps_are_counted(folder: Path) -> None:
    log = next(str(one) for one in data("console").iterdir() if one.suffix == ".log")
    typed(log, "-f", "trainer.html")
    text = (folder / "trainer.html").read_text(encoding="utf-8")
    assert "567 episodes in 29 iterations; the trainer&#x27;s log alone does not tell how far they came." in text
    assert "Entropy of the policy" in text
    assert "Whole laps" not in text
    assert "Off track" not in text
