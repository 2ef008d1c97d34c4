"""``fleet deepracer watch``: a training as it goes on, in the terminal and as a page."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fleet.cli.app import EXIT_RUN
from fleet.cli.deepracer_draw import tracks
from fleet.cli.deepracer_followed import open_source
from fleet.cli.deepracer_page import PAGE_EVERY, PageServer, Served
from fleet.cli.deepracer_screen import Screen, line_of, print_whole
from fleet.cli.deepracer_stats import stats_object
from fleet.cli.deepracer_watching import Watching
from fleet.cli.output import emit_line
from fleet.cli.plain import plain
from fleet.model.errors import FleetError
from fleet.model.units import parse_duration
from fleet.report.racing.facts import trouble_told
from fleet.report.words import count
from fleet.workloads.deepracer.analysis.scenery import Scenery

if TYPE_CHECKING:
    from fleet.cli.deepracer_show_objects import DeepRacerWatchedObject

LEAST_EVERY = 1.0
"""Seconds: the simulator writes its metrics after each episode, which takes longer."""


@dataclass(frozen=True)
class Wish:
    """What was asked for."""

    page: bool = False
    port: int = 0
    every: str = "10s"
    once: bool = False
    world: str = ""
    offline: bool = False
    as_json: bool = False

    @property
    def seconds(self) -> float:
        """Between two looks. Raises FleetError."""
        try:
            found = parse_duration(self.every)
        except ValueError as error:
            raise FleetError(f"--every: {error}", "For example: --every 30s") from None
        if found < LEAST_EVERY:
            raise FleetError(f"--every {self.every} is too often", "At least a second: an episode takes longer.")
        return found


class Told(Protocol):
    """Where what was seen is told."""

    def tell(self, watching: Watching, url: str | None) -> None:
        """As it is now."""
        ...


def watch(paths: Sequence[str], bucket: str | None, wish: Wish, wait: Callable[[float], None] = time.sleep) -> int:
    """Look until nothing more will come, or Ctrl-C. ``wait``: for so many seconds."""
    every = wish.seconds
    if wish.once and wish.page:
        raise FleetError(
            "a live page goes on: --page and --once exclude each other", "`fleet deepracer plot` writes a page."
        )
    source = open_source(paths, bucket)
    watching = Watching(source, Scenery(tracks(offline=wish.offline), wish.world), every, world=wish.world)
    if wish.once:
        watching.look()
        _tell_once(watching, wish)
        return _code(source.outcome())
    with ExitStack() as stack:
        served = Served(watching.scene, time.monotonic) if wish.page else None
        server = PageServer(served, wish.port) if served is not None else None
        if server is not None:
            stack.callback(server.close)
        told = _Json() if wish.as_json else stack.enter_context(_OnScreen()) if sys.stdout.isatty() else _Lines()
        _look_on(watching, told, server.url if server is not None else None, wait)
        if served is not None:
            _linger(served, wait)
    return _code(source.outcome())


def _look_on(watching: Watching, told: Told, url: str | None, wait: Callable[[float], None]) -> None:
    while True:
        if watching.look():
            told.tell(watching, url)
        if watching.ended:
            return
        wait(watching.pause())


def _linger(served: Served, wait: Callable[[float], None]) -> None:
    """An open page is told that it is over, before nobody answers it any more."""
    for _ in range(round(2 * PAGE_EVERY)):
        if served.told_end.is_set() or not served.open_pages():
            return
        wait(1.0)


def _code(outcome: str | None) -> int:
    return 0 if outcome in (None, "succeeded") else EXIT_RUN


def _tell_once(watching: Watching, wish: Wish) -> None:
    if watching.trouble:
        raise FleetError(watching.trouble, "Try again; without --once it goes on until it is seen.")
    if wish.as_json:
        emit_line(watched_object(watching, None))
    else:
        print_whole(watching.words())


class _Json:
    def tell(self, watching: Watching, url: str | None) -> None:
        emit_line(watched_object(watching, url))


class _Lines:
    """For a file or a pipe: a line for each iteration once the next one began, and what else there is to say."""

    def __init__(self) -> None:
        self._next = -1
        self._said: set[str] = set()

    def tell(self, watching: Watching, url: str | None) -> None:
        """What is new."""
        scene = watching.words()
        if self._next < 0:
            self._next = 0
            self._say(f"{scene.analysis.source}: {count(len(scene.analysis.rows), 'iteration')} up to now")
            self._next = max((row.iteration for row in scene.analysis.rows), default=0)
            if url:
                self._say(f"page: {url}")
        done = scene.analysis.rows if scene.ended else scene.analysis.rows[:-1]
        for row in done:
            if row.iteration >= self._next:
                self._say(line_of(row))
                self._next = row.iteration + 1
        for finding in scene.analysis.findings:
            if finding.code not in self._said:
                self._said.add(finding.code)
                self._say(finding.message)
        if scene.trouble:
            self._say(trouble_told(scene))
        if scene.ended:
            self._say(f"ended: {scene.state}")

    def _say(self, text: str) -> None:
        print(plain(text), flush=True)


class _OnScreen(Screen):
    def tell(self, watching: Watching, url: str | None) -> None:
        """Anew in its place."""
        scene = watching.words()
        end = "Ctrl-C ends the watch, not the run." if not scene.ended else ""
        self.show(scene, "  ".join(filter(None, [f"page: {url}" if url else "", trouble_told(scene), end])))


def watched_object(watching: Watching, url: str | None) -> DeepRacerWatchedObject:
    """A line of ``-o json``."""
    scene = watching.words()
    stats = stats_object(scene.analysis)
    return {
        "source": scene.analysis.source,
        "at": scene.at if scene.at is not None else watching.now(),
        "state": scene.state or None,
        "ended": scene.ended,
        "page": url,
        "episodes": stats["episodes"],
        "iterations": stats["iterations"],
        "laps_completed": stats["laps_completed"],
        "best_lap_seconds": stats["best_lap_seconds"],
        "mean_completion_percent": stats["mean_completion_percent"],
        "newest": stats["per_iteration"][-1] if stats["per_iteration"] else None,
        "findings": stats["findings"],
        "cost_usd": round(scene.analysis.cost, 6) if scene.analysis.cost is not None else None,
        "trouble": scene.trouble or None,
    }
