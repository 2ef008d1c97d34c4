"""``fleet report status``: whether the report is sent every night, to whom, and what became of the last ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.cli.output import emit, say
from fleet.control.home import open_home

if TYPE_CHECKING:
    from fleet.cli.money_objects import ReportNightObject, ReportPlaceObject, ReportStatusObject
    from fleet.control.nightly import Way
    from fleet.report.send.kept import Tries

LAST = 7
"""Nights that are told."""
AGAIN = "the same `fleet report install` again; `fleet report uninstall` takes it away"
NOT_INSTALLED = "No nightly report is installed: fleet report install --at 02:00 --to mailto://…"


def status(bucket: str | None, *, as_json: bool) -> int:
    """Look, and tell; 1 if nothing is installed."""
    from fleet.cli.report_install import ways
    from fleet.control.nightly import Managed, Wish
    from fleet.report.send.destinations import FILE, labels, read, was_open

    home, troubles = open_home(), list[str]()
    if was_open(home.path):
        say(f"Mind: others could read {home.path / FILE}, which holds passwords; now they cannot. Change those passwords.")
    found = [way for way in ways(home, Wish(0, 0, "UTC", bucket=bucket), troubles) if way.steps_away()]
    installed = [_place(way) for way in found]
    troubles += [
        f"{way.name} does not know what is installed, and calls nothing: {AGAIN}"
        for way in found
        if isinstance(way, Managed) and not way.in_effect()
    ]
    to = [*labels(read(home.path, "report"))]
    nights = _nights(bucket, troubles)
    for place in installed:
        say(f"installed on {place['on']}: {place['where']}")
    if not installed:
        say(NOT_INSTALLED)
    for one in to:
        say(f"tells {one}")
    for way in found:
        for told in getattr(way, "told", ()):
            say(f"tells {told}, from the account")
    for night in nights:
        say(_line(night))
    for trouble in troubles:
        say(f"Mind: {trouble}.")
    if as_json:
        value: ReportStatusObject = {"installed": installed, "to": to, "nights": nights}
        emit(value)
    return 0 if installed else 1


def _place(way: Way) -> ReportPlaceObject:
    steps = [step for step in way.steps_away() if step.kind == "remove"]
    return {"on": way.name, "where": steps[0].where if steps else ""}


def _line(night: ReportNightObject) -> str:
    told = f"told to {', '.join(night['told'])}" if night["told"] else "told to nobody"
    waiting = f"; {', '.join(night['waiting'])} to be told with the next one" if night["waiting"] else ""
    why = f": {night['why']}" if night["why"] else ""
    return f"{night['night']} ({night['bucket']}): {told}{waiting}{why}"


def _nights(bucket: str | None, troubles: list[str]) -> list[ReportNightObject]:
    """The last ones of every fleet."""
    from fleet.control.opened import opened
    from fleet.model.errors import FleetError
    from fleet.report.send.kept import tries_of

    found: list[ReportNightObject] = []
    left_out: dict[str, FleetError] = {}
    try:
        for controller in opened(bucket, left_out=left_out):
            objects = controller.objects
            found += [_night(objects.url, one, objects.now()) for one in list(tries_of(objects).values())[-LAST:]]
    except FleetError as error:
        troubles.append(error.message)
    troubles += [f"{url} is left out: {error.message}" for url, error in left_out.items()]
    return found


def _night(url: str, tries: Tries, now: float) -> ReportNightObject:
    names = tuple(dict.fromkeys(name for one in tries.tries for name in one.to))
    done = {name for one in tries.tries if one.state == "done" and not one.silent for name in one.to}
    waiting = tries.open(names, now)
    why = next((missed.why for one in reversed(tries.tries) for missed in one.failed if missed.to in waiting), "")
    told = [name for name in names if name in done and name not in waiting]
    return {"bucket": url, "night": tries.night, "told": told, "waiting": list(waiting), "why": why}
