"""The page and the picture of a training: what they show, in which words, and that they hold what was driven."""

from __future__ import annotations

import re
import struct
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from fleet.report.racing.chart import chart, thinned
from fleet.report.racing.curves import Curve, Series, curves, marks
from fleet.report.racing.facts import facts, iterations_table, laps_table, lead, troubles_table
from fleet.report.racing.page import page
from fleet.report.racing.picture import WHATS, picture
from fleet.workloads.deepracer.analysis.analysing import analyse
from fleet.workloads.deepracer.analysis.light import summed
from fleet.workloads.deepracer.analysis.model import Analysis, Drive, Finding, IterationRow
from fleet.workloads.deepracer.analysis.scene import Borders, Scene, cost_shares, laps
from fleet.workloads.deepracer.analysis.scenery import Scenery
from fleet.workloads.deepracer.checking.tracks import Tracks, stand_in
from tests.unit.cli.watched import training
from tests.unit.report.samples import MISCHIEF

NOWHERE = Tracks(None, None, None)


def scene(iterations: int = 6) -> Scene:
    recording = training(iterations)
    grounds = Scenery(NOWHERE).grounds(recording)
    return Scene(analyse(recording, summed), grounds, 1.79e9, "training")


def mischief(of: Scene) -> Scene:
    """Everything that somebody else named is markup."""
    drives = tuple(replace(one, track=MISCHIEF) for one in of.analysis.drives)
    finding = Finding("x", f"{MISCHIEF}.", 1.0)
    analysis = replace(
        of.analysis, drives=drives, source=MISCHIEF, tracks=(MISCHIEF,), findings=(finding,), problems=(MISCHIEF,)
    )
    return replace(of, analysis=analysis, grounds=tuple(replace(one, world=MISCHIEF) for one in of.grounds), state=MISCHIEF)


class Outline(HTMLParser):
    """What a browser finds in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_fetches_nothing_and_runs_nothing() -> None:
    for shown in (scene(), mischief(scene())):
        text = page(shown)
        seen = Outline(text)
        names = {tag for tag, _ in seen.tags}
        assert not names & {"script", "img", "link", "iframe", "object", "image", "use", "base", "form"}
        attributes = {name for _, attrs in seen.tags for name in attrs}
        assert not attributes & {"src", "href", "srcset", "action", "style"}
        assert not [name for name in attributes if name.startswith("on")]
        assert "url(" not in text
        assert "@import" not in text


def test_names_that_mean_mischief_are_words() -> None:
    seen = Outline(page(mischief(scene())))
    assert "".join(seen.words).count(MISCHIEF) >= 5
    assert {tag for tag, _ in Outline(page(scene())).tags} >= {tag for tag, _ in seen.tags} - {"ul", "li", "div"}


def test_every_drawing_says_in_words_what_it_shows() -> None:
    seen = Outline(page(scene()))
    drawings = [attrs for tag, attrs in seen.tags if tag == "svg" and attrs.get("aria-hidden") != "true"]
    assert len(drawings) == 3 + len(curves(scene().analysis))
    for attrs in drawings:
        assert attrs["role"] == "img"
        assert len(attrs["aria-label"] or "") > 30
    label = next(attrs["aria-label"] for attrs in drawings if "Map of circle, speed" in (attrs["aria-label"] or ""))
    assert label == (
        "Map of circle, speed from 2.00 to 2.00 m/s, over 2,025 steps; 15 places where episodes ended beside the track; "
        "the best lap whose way is told, 9.93 s."
    )
    completion = next(one for one in curves(scene().analysis) if one.key == "completion")
    assert completion.told == "Completion of the lap by iteration: training from 50 % to 100 %, 100 % in iteration 5."


def test_a_map_has_a_square_for_each_that_was_driven_on() -> None:
    from fleet.workloads.deepracer.analysis.heat import squares

    shown = scene()
    of = squares(shown.grounds[0].heat)
    assert of is not None
    speed = page(shown).split('class="map m-speed"')[1].split("</figure>")[0]
    drawn = sum(int(width) for width in re.findall(r"h(\d+)v1h-\1z", speed))
    assert drawn == len(of.column)
    cross = re.search(r'class="left" d="([^"]*)"', speed)
    assert cross is not None
    assert cross[1].count("M") == 15  # three episodes in each iteration but the last, whose are whole laps


def test_borders_start_and_direction_are_drawn_where_the_route_is_known() -> None:
    shown = scene()
    assert "Its borders are not known here." in page(shown)
    known = replace(shown, grounds=(replace(shown.grounds[0], borders=Borders.of(stand_in("circle"))),))
    text = page(known)
    assert text.count('class="border"') == 3 * 2
    assert text.count('class="arrow"') == 3
    assert "Its borders are not known here." not in text


def test_only_metrics_make_a_page_without_a_map() -> None:
    bare = replace(scene(), grounds=())
    text = page(bare)
    assert "The track" not in text
    assert "The course of it" in text
    assert "<fieldset" not in text


@pytest.mark.parametrize("ended", [False, True])
def test_nothing_driven_yet_is_a_page_too(ended: bool) -> None:
    empty = Scene(Analysis(source="racer"), ended=ended)
    text = page(empty)
    assert ("Nobody drove." if ended else "Nobody has driven yet.") in text
    assert picture(empty, WHATS) is None


def test_what_was_no_number_leaves_a_gap_and_no_words_of_its_own() -> None:
    rows = tuple(
        IterationRow(n, 3, float("nan") if n == 1 else 5.0, 10.0, 0, None, entropy=float("inf") if n == 2 else 2.0)
        for n in range(4)
    )
    shown = Scene(Analysis(drives=(Drive("training", 0, 0, 0, float("nan"), 10.0, "Off track", 3.0),), rows=rows))
    text = page(shown)
    assert "nan" not in text.lower().replace("nan;", "")
    assert "inf" not in re.sub(r"<style>.*?</style>", "", text)
    assert picture(shown, ["curves"]) is not None


def test_the_cost_is_shared_out_by_driving_time() -> None:
    analysis = scene().analysis
    shares = cost_shares(analysis)
    assert sum(shares.values()) == pytest.approx(1.5)
    assert shares[5] > shares[0]
    assert cost_shares(replace(analysis, cost=None)) == {}
    table = iterations_table(analysis)
    assert table is not None
    assert table.head[-1] == "Cost"
    assert table.rows[0][0] == "5"  # the newest first
    assert ("Cost of an iteration", "$0.25") in facts(scene())


def test_the_shortest_laps_come_first_and_evaluations_are_among_them() -> None:
    lap = Drive("training", 0, 3, 9, 5.0, 100.0, "Lap complete", 12.5)
    others = (replace(lap, seconds=11.0, phase="evaluation"), replace(lap, seconds=0.0), replace(lap, status="Off track"))
    analysis = Analysis(drives=(lap, *others))
    assert [one.seconds for one in laps(analysis)] == [11.0, 12.5]
    table = laps_table(analysis)
    assert table is not None
    assert [row[:4] for row in table.rows] == [("1", "11.000 s", "3", "evaluation"), ("2", "12.500 s", "3", "training")]


def test_where_cars_leave_the_track_is_told_with_whether_it_is_still_so() -> None:
    left = Drive("training", 0, 0, 0, 5.0, 30.0, "Off track", 4.0, end=(1.0, 2.0), end_waypoint=40, track="circle")
    drives = [replace(left, iteration=n, end_waypoint=40 if n < 8 else 90) for n in range(10)]
    table = troubles_table(drives, "circle")
    assert table is not None
    assert table.rows == (("40", "8", "80 %", "0", "1.0, 2.0"), ("90", "2", "20 %", "2", "1.0, 2.0"))
    assert troubles_table(drives, "elsewhere") is None


@pytest.mark.parametrize(
    ("analysis", "said"),
    [
        (
            Analysis(drives=(Drive("evaluation", 0, 0, 0, 1.0, 100.0, "Lap complete", 9.0),)),
            "1 episode of evaluation, 1 whole lap",
        ),
        (Analysis(drives=(Drive("training", 0, 0, 0, 1.0, 64.0, "Off track", 9.0),)), "no whole lap yet: 64 % of one"),
    ],
)
def test_the_first_sentence_says_the_most(analysis: Analysis, said: str) -> None:
    assert said in lead(Scene(analysis))


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (3, 3, [1, 2, 3, 4, 5]),
        (-0.02, 0.01, [-0.02, -0.01, 0, 0.01]),
        (12.1, 14.9, [12, 13, 14, 15]),
    ],
)
def test_an_axis_has_round_marks_around_all_values(low: float, high: float, found: list[float]) -> None:
    made = marks(low, high)
    assert made == pytest.approx(found)


def test_a_long_curve_is_thinned_and_keeps_its_extremes() -> None:
    points = [(float(n), float((n * 7919) % 1000)) for n in range(20_000)]
    points[12_345] = (12_345.0, 5000.0)
    kept = thinned(points, 0.0, 19_999.0)
    assert len(kept) < 500
    assert (12_345.0, 5000.0) in kept
    assert kept[-1] == points[-1]
    drawn = chart(Curve("x", "X", "", (Series("x", tuple(points)),), span=(0.0, 19_999.0)))
    assert len(drawn) < 12_000


def test_a_single_iteration_is_a_dot() -> None:
    drawn = chart(curves(scene(1).analysis)[0])
    assert "h0" in drawn
    assert ">0</text>" in drawn  # its iteration


def test_the_picture_has_what_was_asked_for() -> None:
    shown = scene()
    heights = {}
    for what in ([one] for one in WHATS):
        data = picture(shown, what)
        assert data is not None, what
        assert data.startswith(b"\x89PNG")
        heights[what[0]] = struct.unpack(">II", data[16:24])[1]
    both = picture(shown, ["speed", "curves"])
    assert both is not None
    assert struct.unpack(">II", both[16:24])[1] > max(heights["speed"], heights["curves"])
    assert picture(replace(shown, grounds=()), ["speed"]) is None


def test_the_page_needs_neither_matplotlib_nor_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("matplotlib", "pandas", "deepracer"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "The track: circle" in page(scene())


def test_a_page_of_a_long_training_stays_small() -> None:
    chance = np.random.default_rng(1)
    heat = scene().grounds[0].heat
    for _ in range(20):
        heat = heat.add(*chance.uniform(0, 40, (2, 20_000)), *chance.uniform(0, 4, (3, 20_000)))
    shown = scene()
    rows = tuple(replace(shown.analysis.rows[0], iteration=n, entropy=2.0) for n in range(3000))
    long = replace(shown, grounds=(replace(shown.grounds[0], heat=heat),), analysis=replace(shown.analysis, rows=rows))
    text = page(long)
    assert len(text) < 1_500_000
    assert "500 of 3,000" in text
