"""The page of a training in a real Chromium: kept it runs and fetches nothing; live it follows, and keeps what one chose."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.cli import deepracer_page
from fleet.cli.deepracer_page import PageServer, Served
from fleet.cli.deepracer_watching import Watching
from fleet.report.racing.page import page
from fleet.workloads.deepracer.analysis.analysing import analyse
from fleet.workloads.deepracer.analysis.light import summed
from fleet.workloads.deepracer.analysis.opening import read_paths
from fleet.workloads.deepracer.analysis.scene import Borders, Scene, named
from fleet.workloads.deepracer.analysis.scenery import Scenery
from fleet.workloads.deepracer.checking.tracks import stand_in
from tests.system.browser import MODULES, ROOT, check, look, served
from tests.unit.cli.watched import NOWHERE, Seen, training
from tests.unit.deepracer.analyses import data
from tests.unit.report.samples import MISCHIEF
from tests.unit.report.test_racing import mischief, scene

pytestmark = pytest.mark.system

__all__ = ["served"]  # a fixture


def test_the_page_of_a_real_training_can_be_read_in_every_view(served: tuple[Path, str]) -> None:
    recording = read_paths([str(data("drfc-1")), str(data("drfc-robomaker.log"))])
    grounds = Scenery(NOWHERE, "reinvent_base").grounds(recording)
    grounds = (replace(grounds[0], borders=Borders.of(stand_in("reinvent_base"))), *grounds[1:])
    shown = named(Scene(analyse(recording, summed), grounds, 1.79e9, "training"), "reinvent_base")
    seen = look(served, page(shown))
    check(seen)
    for view in seen.values():
        assert len(view["charts"]) >= 3
        assert "The track: 2022_reinvent_champ" in view["text"]
    assert len(seen["printed"]["charts"]) == len(seen["wide"]["charts"])


def test_names_that_mean_mischief_are_words_in_every_view(served: tuple[Path, str]) -> None:
    seen = look(served, page(mischief(scene())))
    check(seen)
    for view in seen.values():
        assert MISCHIEF.split("\n")[0].strip() in view["text"]


class Live:
    """A page that somebody has open."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def do(self, line: str) -> dict[str, Any]:
        """Something; what the page is after it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        told = self._process.stdout.readline()
        assert told, self._process.communicate()[1][-3000:]
        found: dict[str, Any] = json.loads(told)
        return found


@contextmanager
def opened(url: str) -> Iterator[Live]:
    words = ["node", str(ROOT / "scripts" / "browser" / "live.mjs"), str(MODULES), url]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        yield Live(process)
        process.communicate(timeout=60)


def test_the_live_page_follows_and_keeps_what_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepracer_page, "PAGE_EVERY", 0.3)
    source = Seen([training(2), training(3), training(6), None], how="succeeded")
    watching = Watching(source, Scenery(NOWHERE), 10.0)
    watching.look()
    served = Served(watching.scene, lambda: 0.0)
    server = PageServer(served, 0, heed=0.05)
    try:
        with opened(server.url) as live:
            first = live.do("until in 2 iterations")
            assert first["picked"] == ["map-0-speed"]
            assert first["shown"] == ["map m-speed"]
            chosen = live.do("click label[for=map-0-time]")
            assert chosen["shown"] == ["map m-time"]
            assert live.do("click summary")["opened"] == ["by-iteration"]
            watching.look()
            then = live.do("until in 3 iterations")
            assert (then["picked"], then["shown"]) == (["map-0-time"], ["map m-time"])
            assert then["opened"] == ["by-iteration"]
            assert "laps" not in then["sections"]
            watching.look()
            order = ["head", "curves", "track-0", "laps", "iterations"]
            later = live.do("until the best of 9.933 s")
            assert [name for name in later["sections"] if name != "findings"] == order
            assert later["note"] == "Live: it changes by itself."
            watching.look()
            watching.look()
            end = live.do("until The run has ended; this is the whole of it.")
            assert (end["picked"], end["opened"]) == (["map-0-time"], ["by-iteration"])
            assert set(end["kept"]) >= {"curves", "track-0", "laps"}  # nothing of them had changed: they were left alone
            assert (end["errors"], end["console"]) == ([], [])
            assert set(end["requests"]) == {server.url, f"{server.url}body"}
            assert served.told_end.is_set()
    finally:
        server.close()


def test_a_page_whose_watch_has_gone_says_so_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepracer_page, "PAGE_EVERY", 0.2)
    watching = Watching(Seen([training(2)]), Scenery(NOWHERE), 10.0)
    watching.look()
    server = PageServer(Served(watching.scene, lambda: 0.0), 0, heed=0.05)
    with opened(server.url) as live:
        live.do("until in 2 iterations")
        server.close()
        gone = live.do("until The watch does not answer; this is what it saw last.")
        assert "in 2 iterations" in gone["text"]
        assert gone["errors"] == []
