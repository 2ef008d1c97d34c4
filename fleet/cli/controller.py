"""``fleet controller run``."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from fleet.cli.app import EXIT_FAILED, EXIT_INTERRUPTED
from fleet.cli.attending import others
from fleet.cli.follow import Timeline, to_stderr, to_stdout
from fleet.cli.leaving import leave_properly
from fleet.cli.output import emit_line
from fleet.control.controller import Controller
from fleet.control.fleets import holds_fleet
from fleet.control.home import Home, open_home
from fleet.control.notifying import ROUND
from fleet.control.opened import opened
from fleet.control.presence import kind_here, present, rounded, told_by_cron
from fleet.control.unopened import tell_unopened
from fleet.control.watchers import watching
from fleet.control.watching import watch
from fleet.core.upcast import encode
from fleet.model.base import Seconds
from fleet.model.errors import FleetError
from fleet.model.events import Event

TRY_AGAIN: Seconds = 300
"""So often a bucket is tried that could not be opened."""


def run(bucket: str | None, *, once: bool, as_json: bool, log: Path | None = None) -> int:
    """Run the loop over every fleet known here, one round or until Ctrl-C."""
    if log is None:
        return _run(bucket, Timeline(to_stderr if as_json else to_stdout), once=once, as_json=as_json)
    if not once:
        raise FleetError("--log is for rounds that nobody looks at", "Add --once.")
    return _unseen(bucket, log)


def _unseen(bucket: str | None, log: Path) -> int:
    """A round for cron: silent, alone, and what there is to say in the log."""
    from fleet.control.roundlog import alone, logged

    with alone(log) as only:
        if not only:
            return 0
        with logged(log) as write:
            try:
                return _run(bucket, Timeline(write), once=True, as_json=False)
            except FleetError as error:
                write(f"fleet: {error}")
                return EXIT_FAILED
            except Exception as error:  # noqa: BLE001 - nobody but the log would ever tell of it
                write(f"fleet: this round failed: {type(error).__name__}: {' '.join(str(error).split())}")
                return EXIT_FAILED
            finally:
                sys.stdout.flush()
                sys.stderr.flush()


def _run(bucket: str | None, timeline: Timeline, *, once: bool, as_json: bool) -> int:
    known = _fleets(open_home(), [])
    left_out: dict[str, FleetError] = {}
    controllers: list[Controller] = []
    try:
        controllers += opened(bucket, left_out=left_out)
    except FleetError as error:
        if bucket is not None:
            left_out[bucket] = error
        raise
    finally:
        for url, why in left_out.items():
            if url != bucket:
                timeline.line(None, f"left out    {url}: {why.message}")
        tell_unopened(open_home(), left_out, kind_here(), ROUND if once or not controllers else 0)
    if not controllers:
        raise FleetError("there is no fleet yet", "`fleet up JOB` makes one.")
    for controller in controllers:
        controller.on_event = _printer(timeline, controller, as_json=as_json)
    try:
        if once:
            _once(controllers, timeline)
        else:
            leave_properly()
            newcomers = _Newcomers(known if bucket is None else None, left_out, timeline, as_json=as_json)
            _watch(controllers, timeline, newcomers)
    except KeyboardInterrupt:
        to_stderr(f"\nThis controller is gone; {_left(controllers)}.\n")
        return EXIT_INTERRUPTED
    except SystemExit:
        if kind_here() != "service":
            raise
        return 0  # a service that is told to end did as it was told: its manager is not to call it failed
    if left_out:  # the others had their round
        raise next(iter(left_out.values()))
    return 0


def _fleets(home: Home, known: Collection[str]) -> list[str]:
    """The buckets that became known beside some: of folders, those that hold a fleet (the default one may be made later)."""
    found = []
    for url in home.known_buckets():
        if url not in known:
            with contextlib.suppress(FleetError):
                found += [url] if not url.startswith("file:") or holds_fleet(home, url) else []
    return found


class _MoreFleetsError(Exception):
    """A fleet can be looked after that could not be before: its run was made since, or what kept it from us is over."""


class _Newcomers:
    """Fleets that a loop does not look after yet. One that cannot be opened must not end the loop over the others."""

    def __init__(
        self, known: list[str] | None, left_out: Mapping[str, FleetError], timeline: Timeline, *, as_json: bool
    ) -> None:
        self._home, self._known, self._timeline, self._as_json = open_home(), known, timeline, as_json
        self._told = {url: error.message for url, error in left_out.items()}
        self._tried_at = time.monotonic()

    def come(self) -> list[Controller]:
        """Those that can be opened now: of buckets that became known, and every few minutes of those that were left out.

        None if only a bucket that was named is to be looked after.
        """
        if self._known is None:
            return []
        fresh = _fleets(self._home, self._known)
        self._known += fresh
        again: list[str] = []
        if self._told and time.monotonic() - self._tried_at >= TRY_AGAIN:
            self._tried_at = time.monotonic()
            still = set(self._home.known_buckets())
            self._told = {url: reason for url, reason in self._told.items() if url in still}
            again = list(self._told)
        found = [controller for url in dict.fromkeys([*fresh, *again]) for controller in self._opened(url)]
        if again:
            tell_unopened(self._home, {url: FleetError(reason) for url, reason in self._told.items()}, kind_here(), 0)
        return found

    def _opened(self, url: str) -> list[Controller]:
        """None if it cannot be: told once for each reason."""
        try:
            more = list(opened(url))
        except FleetError as error:
            if self._told.get(url) != error.message:
                self._timeline.line(None, f"left out    {url}: {error.message}")
            self._told[url] = error.message
            return []
        self._told.pop(url, None)
        for controller in more:
            controller.on_event = _printer(self._timeline, controller, as_json=self._as_json)
        return more


def _watch(controllers: list[Controller], timeline: Timeline, newcomers: _Newcomers) -> None:
    """The loop, over those as well that come later."""
    home = open_home()
    more: list[Controller] = []

    def on_round(tell: Callable[[], None]) -> None:
        tell()
        more[:] = newcomers.come()
        if more:
            raise _MoreFleetsError

    def on_word(text: str) -> None:
        timeline.line(None, f"waiting     {text}")

    while True:
        timeline.line(None, f"watching    {', '.join(c.objects.url for c in controllers)}; Ctrl-C ends this controller")
        with contextlib.suppress(_MoreFleetsError), present(home, controllers, "controller run", kind_here()) as tell:
            watch(controllers, on_word=on_word, on_round=partial(on_round, tell))
        controllers += more


def _once(controllers: Sequence[Controller], timeline: Timeline) -> None:
    """One round. Who is started for it again and again is told of; a single one is gone before anybody looks."""
    home = open_home()

    def on_word(text: str) -> None:
        timeline.line(None, f"waiting     {text}")

    if kind_here() != "cron":
        with watching(home, "controller run --once", [c.objects.url for c in controllers]), rounded(home, controllers):
            watch(controllers, once=True, on_word=on_word)
        return
    try:
        with rounded(home, controllers):
            watch(controllers, once=True, on_word=on_word)
    finally:
        for controller in controllers:
            told_by_cron(home, controller)


def _left(controllers: Sequence[Controller]) -> str:
    """What goes on without this controller, and whether others look after it."""
    alone = kept = 0
    for controller in controllers:
        live = sum(bool(run.live_attempts) for run in controller.state.runs.values())
        if live and any(one.acts for one in others(controller) or ()):
            kept += live
        else:
            alone += live
    told = [f"{kept} machine(s) go on, and others relaunch them: `fleet controller list`"] if kept else []
    if alone or not kept:
        told.insert(0, f"{alone} machine(s) go on without anybody to relaunch them")
    return "; ".join(told)


def _printer(timeline: Timeline, controller: Controller, *, as_json: bool) -> Callable[[Event], None]:
    """A line of text, or of JSON, for each event."""
    if not as_json:
        return timeline.event
    return lambda event: emit_line({"entry": controller.state.head, **encode(event)})
