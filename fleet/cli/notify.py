"""``fleet notify``: what is told of a fleet, and whom."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from fleet.cli.output import emit, say
from fleet.cli.table import print_table
from fleet.control.controller import Controller
from fleet.control.home import Home, open_home
from fleet.control.names import nearest
from fleet.control.notify_account import let_account_tell, may_not_tell
from fleet.control.opened import opened
from fleet.control.telling import of_account, routes, sender
from fleet.control.telllog import TellLog
from fleet.control.wishes import change_wish, read_wish, turned_off, turned_on
from fleet.core.notify import Message
from fleet.core.notify_words import clock
from fleet.model.base import Seconds
from fleet.model.errors import FleetError
from fleet.model.notify import KINDS, Kind, Log, Wish
from fleet.model.units import format_duration, parse_duration
from fleet.report.send.destinations import EXAMPLES, STARS, Destination, destination, keep, labels, read, shown

if TYPE_CHECKING:
    from fleet.cli.money_objects import DestinationObject, NotificationsObject, NotifyTestObject, SaidObject

LEAST, MOST = 60.0, 86_400.0
"""Seconds that may be waited for."""
SHOWN = 5
"""So many of the last messages are shown."""
TESTING = 30.0
"""Seconds."""


def turn_on(
    kinds: Sequence[str],
    to: Sequence[str] | None,
    after: str | None,
    every: str | None,
    bucket: str | None,
    *,
    as_json: bool,
) -> int:
    """Tell some kinds from now on."""
    chosen, times = _kinds(kinds), {**_time("no_capacity", "--after", after), **_time("quiet", "--every", every)}
    home, controllers = open_home(), _fleets(bucket)
    known, given = _known(home, controllers), _given(to)
    listed = read(home.path, "notify")
    new = [found.url for one in given if one not in known and not (found := _new(one)).account]
    here = list(dict.fromkeys([*listed, *new]))
    known = {**known, **labels(here)}
    names = [_name(one, known) for one in given] or list(known)
    if not names:
        raise FleetError("whom? No destination is known yet", f"Name one with --to. {EXAMPLES}")
    if len(here) > len(listed):
        keep(home.path, "notify", here)
        from fleet.report.send import doubts

        for told in doubts({name: url for name, url in labels(here).items() if url in new}):
            say(f"Mind: {told}")
    for controller in controllers:
        on = partial(turned_on, kinds=chosen, to=names, now=controller.objects.now(), times=times)
        _changed(home, controller, change_wish(controller.objects, on))
    return _tell(home, controllers, as_json=as_json)


def turn_off(kinds: Sequence[str], to: Sequence[str] | None, bucket: str | None, *, as_json: bool) -> int:
    """Tell some kinds no more; destinations that nothing is told any more are forgotten."""
    chosen, home, controllers = _kinds(kinds), open_home(), _fleets(bucket)
    known = _known(home, controllers)
    names = [_name(one, known) for one in _given(to)] or list(known)
    for name in names:
        if name not in known:
            raise FleetError(f"{name} is told nothing", "`fleet notify list` shows who is.")
    for controller in controllers:
        _changed(home, controller, change_wish(controller.objects, partial(turned_off, kinds=chosen, to=names)))
    _forget(home, names)
    return _tell(home, controllers, as_json=as_json)


def show(bucket: str | None, *, as_json: bool) -> int:
    """Everything that there is to tell, and who is told."""
    return _tell(open_home(), _fleets(bucket), as_json=as_json)


def test(to: Sequence[str] | None, bucket: str | None, *, as_json: bool) -> int:
    """Send a message to each destination that this computer can reach, or to those named; 1 if one was not reached."""
    home, controllers = open_home(), _fleets(bucket)
    known = _known(home, controllers)
    wanted = {one: known[one] if one in known else _new(one).url for one in _given(to)} or known
    if not wanted:
        raise FleetError("nobody is told anything yet", f"fleet notify on failed --to URL. {EXAMPLES}")
    send, found = sender(home, controllers[0].objects.url), list[NotifyTest]()
    body = "fleet can reach you here.\nNext: fleet notify list"
    for name, url in wanted.items():
        why = "its URL is not on this computer"
        if url:
            why = send(url, Message("test", "fleet: this is a test", body), TESTING)
        found.append(NotifyTest(shown(url) if url else name, " ".join(why.split())))
    for one in found:
        say(f"not told: {one.to}: {one.why}" if one.why else f"told: {one.to}")
    if as_json:
        emit([one.object() for one in found])
    return 1 if any(one.why for one in found) else 0


@dataclass(frozen=True, slots=True)
class NotifyTest:
    """What became of one."""

    to: str
    why: str

    def object(self) -> NotifyTestObject:
        """For programs."""
        return {"to": self.to, "sent": not self.why, "why": self.why}


def _fleets(bucket: str | None) -> list[Controller]:
    found = list(opened(bucket))
    if not found:
        raise FleetError("there is no fleet yet", "`fleet up JOB` makes one.")
    return found


def _kinds(words: Iterable[str]) -> list[Kind]:
    found: list[Kind] = []
    for word in words:
        if word != "all" and word not in KINDS:
            raise FleetError(
                f"nothing is told as {word!r}; {nearest(word, [*KINDS, 'all'])}", "`fleet notify list` lists all."
            )
        found += list(KINDS) if word == "all" else [cast("Kind", word)]
    return list(dict.fromkeys(found))


def _time(field: str, option: str, text: str | None) -> dict[str, Seconds]:
    if text is None:
        return {}
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise FleetError(f"{option}: {error}") from None
    if not LEAST <= seconds <= MOST:
        raise FleetError(f"{option} {text} is not between a minute and a day")
    return {field: seconds}


def _given(to: Sequence[str] | None) -> list[str]:
    """What was named; ``-``: the lines of standard input."""
    found: list[str] = []
    for one in to or ():
        found += [line.strip() for line in sys.stdin if line.strip()] if one == "-" else [one]
    return found


def _known(home: Home, controllers: Sequence[Controller]) -> dict[str, str]:
    """Every destination that some fleet tells or this computer's file names, with its URL; empty: it is not here."""
    known: dict[str, str] = dict(labels(read(home.path, "notify")))
    for controller in controllers:
        for to in (read_wish(controller.objects) or Wish()).to:
            known.setdefault(to, to if of_account(to) else "")
    return known


def _new(given: str) -> Destination:
    """One that is not known yet. Raises FleetError, also for what was copied from where its secrets are stars."""
    if STARS in given:
        raise FleetError(f"{given} is not known on this computer", "Give its whole URL: fleet never shows its secrets.")
    return destination(given)


def _name(given: str, known: Mapping[str, str]) -> str:
    """What a destination goes by; it may be given as it is shown, or as a URL."""
    if given in known:
        return given
    found = _new(given)
    return next((name for name, url in known.items() if url == found.url), found.shown)


def _changed(home: Home, controller: Controller, wish: Wish) -> None:
    """What that means for the controller in the account."""
    told = let_account_tell(home, controller.objects, wish)
    if told:
        say(told)


def _forget(home: Home, names: Iterable[str]) -> None:
    """The URLs of those that no fleet known here tells anything any more."""
    left_out: dict[str, FleetError] = {}
    fleets = list(opened(None, left_out=left_out))
    if left_out:  # whom they tell is not known, and a URL that is gone nobody can give back
        return
    told = {to for controller in fleets for to in (read_wish(controller.objects) or Wish()).to}
    listed = labels(read(home.path, "notify"))
    gone = set(names) - told
    if gone & listed.keys():
        keep(home.path, "notify", [url for name, url in listed.items() if name not in gone])


def _tell(home: Home, controllers: Sequence[Controller], *, as_json: bool) -> int:
    found = [_object(home, controller) for controller in controllers]
    if as_json:
        emit(found)
        return 0
    for one in found:
        _print(one)
    return 0


def _object(home: Home, controller: Controller) -> NotificationsObject:
    objects = controller.objects
    wish = read_wish(objects) or Wish()
    here = routes(wish, home, objects.url)
    return {
        "bucket": objects.url,
        "destinations": [_destination(controller, wish, to, here=to in here) for to in wish.to],
        "no_capacity_seconds": wish.no_capacity,
        "blind_seconds": wish.blind,
        "quiet_seconds": wish.quiet,
        "notes": _notes(home, controller, wish, here),
    }


def _destination(controller: Controller, wish: Wish, to: str, *, here: bool) -> DestinationObject:
    kept = TellLog(controller.objects, to)
    kept.refresh(controller.objects.now())
    log: Log = kept.log
    return {
        "to": to,
        "here": here,
        "kinds": [kind for kind in KINDS if kind in wish.to[to]],
        "unsent_count": len(log.unsent),
        "said": [{"at": one.at, "title": one.title, "why": one.why} for one in log.said],
    }


def _notes(home: Home, controller: Controller, wish: Wish, here: Mapping[str, str]) -> list[str]:
    """What will not work as it may be meant."""
    told = "cannot be reached from this computer: a controller that can tells it"
    notes = [f"{to} {told}" for to in wish.to if to not in here]
    told = may_not_tell(home, controller.objects, wish)
    if told:
        notes.append(told)
    return notes


def _print(found: NotificationsObject) -> None:
    say(found["bucket"])
    told = {kind: [one["to"] for one in found["destinations"] if kind in one["kinds"]] for kind in KINDS}
    print_table([["KIND", "TOLD", "WHEN"], *([kind, ", ".join(told[kind]) or "-", KINDS[kind]] for kind in KINDS)])
    if found["destinations"]:
        quiet, wait = format_duration(found["quiet_seconds"]), format_duration(found["no_capacity_seconds"])
        say(f"at most one message of a kind and run in {quiet}; no-capacity after {wait}")
    else:
        say("nobody is told anything: fleet notify on failed --to URL")
    said: list[tuple[float, str, SaidObject]] = []
    for one in found["destinations"]:
        said += [(line["at"], one["to"], line) for line in one["said"]]
    for at, to, line in sorted(said, key=lambda one: one[0])[-SHOWN:]:
        say(f"{clock(at)}  {to}  {line['title']}" + (f" (not sent: {line['why']})" if line["why"] else ""))
    for note in found["notes"]:
        say(f"note: {note}")
