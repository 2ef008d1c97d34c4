"""Watching a training: what is told when, how often is looked, and how it ends."""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Callable
from dataclasses import replace

import jsonschema
import pytest

from fleet.cli import deepracer_watch
from fleet.cli.deepracer_screen import rendered
from fleet.cli.deepracer_watch import Wish, watch
from fleet.cli.deepracer_watching import LONGEST, SHARE, Watching
from fleet.cli.schemas import schema_of
from fleet.model.errors import FleetError, StoreError
from fleet.workloads.deepracer.analysis.scenery import Scenery
from tests.unit.cli.test_json import closed
from tests.unit.cli.watched import NOWHERE, Seen, nan_reward, training

Waited = list[float]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, Waited]]:
    """The command over a source that is told beforehand; its exit code, and how long it waited each time."""

    def run(
        source: Seen, wish: Wish | None = None, at_wait: Callable[[int], None] = lambda _number: None
    ) -> tuple[int, Waited]:
        waited: Waited = []

        def wait(seconds: float) -> None:
            waited.append(seconds)
            at_wait(len(waited))

        monkeypatch.setattr(deepracer_watch, "open_source", lambda paths, bucket: source)
        return watch(["racer-1"], None, wish or Wish(offline=True), wait), waited

    return run


def test_a_line_for_each_iteration_once_the_next_one_began_and_the_last_at_the_end(
    watched: Callable[..., tuple[int, Waited]], capsys: pytest.CaptureFixture[str]
) -> None:
    source = Seen([training(2), None, training(4), training(4)], how="succeeded")
    code, waited = watched(source)
    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert [line.split(":")[0] for line in lines if line.startswith("iteration")] == [f"iteration {n}" for n in (1, 2, 3)]
    assert lines[0] == "racer-1: 2 iterations up to now"
    assert lines[-1] == "ended: succeeded"
    assert "completion 80.0 %" in next(line for line in lines if line.startswith("iteration 3"))
    assert set(waited) == {10.0}


def test_a_run_that_failed_is_exit_code_4(watched: Callable[..., tuple[int, Waited]]) -> None:
    assert watched(Seen([training(1)], how="failed"))[0] == 4


def test_findings_are_said_once(watched: Callable[..., tuple[int, Waited]], capsys: pytest.CaptureFixture[str]) -> None:
    watched(Seen([nan_reward(training(2)), nan_reward(training(3))], how="succeeded"))
    told = capsys.readouterr().out
    assert told.count("no number") == 1


def test_json_is_a_line_for_each_change_and_null_where_there_is_no_number(
    watched: Callable[..., tuple[int, Waited]], capsys: pytest.CaptureFixture[str]
) -> None:
    source = Seen([nan_reward(training(1)), None, None, training(6), None], how="succeeded")
    watched(source, Wish(offline=True, as_json=True))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    validator = jsonschema.Draft202012Validator(closed(schema_of("deepracer-watched")))
    for line in lines:
        validator.validate(line)
    assert [line["iterations"] for line in lines] == [1, 6, 6]
    assert [line["ended"] for line in lines] == [False, False, True]
    assert lines[0]["newest"]["best_lap_seconds"] is None
    assert lines[0]["findings"][0]["code"] == "nan"
    assert lines[1]["laps_completed"] == 3
    assert lines[1]["best_lap_seconds"] == pytest.approx(149 / 15, abs=1e-4)
    assert lines[1]["cost_usd"] == 1.5
    assert lines[2]["state"] == "succeeded"


def test_a_bucket_that_does_not_answer_is_said_once_and_looked_at_again(
    watched: Callable[..., tuple[int, Waited]], capsys: pytest.CaptureFixture[str]
) -> None:
    away = StoreError("the bucket does not answer")
    code, _ = watched(Seen([training(1), away, away, training(3)], how="succeeded"))
    told = capsys.readouterr().out
    assert code == 0
    assert told.count("Nothing newer is seen: the bucket does not answer") == 1
    assert "iteration 2" in told


def test_looking_once_tells_all_of_it(
    watched: Callable[..., tuple[int, Waited]], capsys: pytest.CaptureFixture[str]
) -> None:
    code, waited = watched(Seen([training(6)]), Wish(offline=True, once=True))
    told = capsys.readouterr().out
    assert (code, waited) == (0, [])
    assert "18 episodes in 6 iterations, 3 whole laps among them, the best of 9.933 s." in told
    assert "The shortest laps" in told
    assert "Completion of the lap" in told
    assert "cost $1.50" in told
    with pytest.raises(FleetError, match="exclude each other"):
        watched(Seen([training(1)]), Wish(offline=True, once=True, page=True))
    with pytest.raises(FleetError, match="does not answer"):
        watched(Seen([StoreError("it does not answer")]), Wish(offline=True, once=True))


@pytest.mark.parametrize(("every", "said"), [("0.5s", "too often"), ("soon", "--every"), ("0", "too often|--every")])
def test_how_often_is_checked_before_anything_is_opened(every: str, said: str) -> None:
    with pytest.raises(FleetError, match=said):
        watch(["nowhere"], None, Wish(every=every))


def test_ctrl_c_ends_the_watch_and_its_page(
    watched: Callable[..., tuple[int, Waited]], capsys: pytest.CaptureFixture[str]
) -> None:
    urls: list[str] = []

    def at_wait(number: int) -> None:
        url = json.loads(capsys.readouterr().out)["page"]
        urls.append(url)
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert b"The track: circle" in answer.read()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watched(Seen([training(2)]), Wish(page=True, offline=True, as_json=True), at_wait)
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(urls[0], timeout=10)


def test_an_open_page_is_told_of_the_end(
    watched: Callable[..., tuple[int, Waited]], capsys: pytest.CaptureFixture[str]
) -> None:
    bodies: list[str] = []
    url = ""

    def at_wait(number: int) -> None:
        nonlocal url
        url = url or json.loads(capsys.readouterr().out.splitlines()[0])["page"]
        with urllib.request.urlopen(f"{url}body", timeout=10) as answer:
            bodies.append(answer.read().decode())

    code, waited = watched(
        Seen([training(1), training(2)], how="succeeded"), Wish(page=True, offline=True, as_json=True), at_wait
    )
    assert code == 0
    assert ["id=ended" in body for body in bodies] == [False, False, True]
    assert waited == [10.0, 10.0, 1.0]


def test_nobody_waits_for_a_page_that_nobody_looks_at(watched: Callable[..., tuple[int, Waited]]) -> None:
    _, waited = watched(Seen([training(1)], how="succeeded"), Wish(page=True, offline=True, as_json=True))
    assert waited == [10.0]


def test_the_dearer_a_look_the_seldomer_but_for_the_first() -> None:
    spent = iter([5.0, 5.01, 5.41, 105.0])
    watching = Watching(Seen([]), Scenery(NOWHERE), 10.0, cpu=lambda: next(spent))
    assert [watching.pause() for _ in range(4)] == pytest.approx([10.0, 10.0, 0.4 / SHARE, LONGEST])
    assert 0.4 / (0.4 / SHARE) < 0.01


def test_a_track_that_nobody_named_is_the_one_that_was_asked_for() -> None:
    source = training(1)
    nameless = replace(source.parts[0], traces=(replace(source.parts[0].traces[0], track=""),))
    watching = Watching(Seen([replace(source, parts=(nameless,))]), Scenery(NOWHERE, "oval"), 10.0, world="oval")
    watching.look()
    _, scene = watching.scene()
    assert [ground.world for ground in scene.grounds] == ["oval"]
    assert {one.track for one in scene.analysis.drives} == {"oval"}


def test_the_terminal_view_has_the_figures_and_takes_no_markup_from_names() -> None:
    from rich.console import Console

    recording = replace(training(6), source="[red]racer[/red]\x1b[31m", problems=("x.log: [bold]torn",))
    watching = Watching(Seen([recording]), Scenery(NOWHERE), 10.0)
    watching.look()
    out = io.StringIO()
    Console(file=out, width=140, color_system=None).print(rendered(watching.words(), "page: http://127.0.0.1:1/"))
    told = out.getvalue()
    assert "[red]racer[/red] on circle" in told
    assert "? x.log: [bold]torn" in told
    assert "\x1b" not in told
    assert "9.933 s" in told
    assert "page: http://127.0.0.1:1/" in told
    assert "▁" in told
