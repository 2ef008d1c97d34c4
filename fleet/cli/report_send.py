"""``fleet report --night --send`` and ``report test``: told to whom the user named, each night once."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fleet.cli.output import emit, say
from fleet.control.home import Home, open_home
from fleet.model.errors import FleetError

if TYPE_CHECKING:
    from fleet.cli.money_objects import ReportSentObject, ReportTestObject, UnreachedObject
    from fleet.control.controller import Controller
    from fleet.report.send import Account, Failure
    from fleet.report.send.nights import Make, QuietNights, Told

NOBODY = "nobody is named whom the report would be sent to"
NAME_THEM = "fleet report install --at 02:00 --to mailto://… names them; `fleet report install --help` shows how."
TEST = "fleet: a test message"
TEST_PAGE = f"<!DOCTYPE html><html lang=en><meta charset=utf-8><title>{TEST}</title><p>{TEST}.</p></html>"


def send_night(bucket: str | None, quiet_nights: QuietNights, *, as_json: bool) -> int:
    """Send yesterday's report of every fleet, with those that could not be sent; 1 if somebody was not reached."""
    from fleet.control.controller import uncollected
    from fleet.report.send.destinations import read

    home = open_home()
    urls = read(home.path, "report")
    if not urls:
        raise FleetError(NOBODY, NAME_THEM)
    left_out: dict[str, FleetError] = {}
    found: list[ReportSentObject] = []
    with uncollected():  # much is made here, and all of it kept
        for url, told in _sent(home, bucket, urls, quiet_nights, left_out):
            found.append(_object(url, told))
            _say(url, told)
    for url, error in left_out.items():
        say(f"{url} is left out: {error.message}")
    if as_json:
        emit(found)
    return 1 if left_out or any(one["failed"] for one in found) else 0


def _sent(
    home: Home, bucket: str | None, urls: Sequence[str], quiet_nights: QuietNights, left_out: dict[str, FleetError]
) -> Iterator[tuple[str, Told]]:
    """Each fleet's nights. One whose bucket fails in the middle keeps no other from it."""
    from fleet.control.night import maker
    from fleet.control.opened import opened
    from fleet.control.zone import local_zone

    zone = local_zone()
    fleets = list(opened(bucket, left_out=left_out))
    makers: list[Make] = [functools.cache(maker(controller, zone)) for controller in fleets]
    spoken = _spoken(fleets, makers, zone)
    for number, (controller, make) in enumerate(zip(fleets, makers, strict=True)):
        quiet = quiet_nights if number in spoken else "silent"
        try:
            told = _deliver(home, controller, zone, urls, make, quiet)
        except FleetError as error:
            left_out[controller.objects.url] = error
            continue
        yield from ((controller.objects.url, one) for one in told)


def _deliver(
    home: Home, controller: Controller, zone: str, urls: Sequence[str], make: Make, quiet: QuietNights
) -> list[Told]:  # fmt: skip
    from fleet.control.night import last_night
    from fleet.control.nightly import NIGHTLY
    from fleet.report.send.nights import deliver

    return deliver(
        controller.objects,
        last_night(controller.objects.now(), zone),
        urls,
        make,
        quiet_nights=quiet,
        gaps=os.environ.get(NIGHTLY) == "nightly",
        account=account_of(home, urls),
    )


def _spoken(fleets: Sequence[Controller], makers: Sequence[Make], zone: str) -> set[int]:
    """Of which fleets a quiet night is worth a word: of one, and only if nothing ran in any other."""
    from fleet.control.night import last_night

    if len(fleets) == 1:
        return {0}
    lively = set[int]()
    for number, (one, make) in enumerate(zip(fleets, makers, strict=True)):
        with contextlib.suppress(FleetError):  # it is told when its turn comes
            if not make(last_night(one.objects.now(), zone)).quiet:
                lively.add(number)
    return lively or {0}


def account_of(home: Home, urls: Sequence[str]) -> Account:
    """The account that ``ses:`` and ``sns:`` mean: the fleet's own, where there is one."""
    from fleet.report.send import Account
    from fleet.report.send.destinations import destination

    if not any(destination(url).account for url in urls):
        return Account()
    from fleet.control.aws_place import profile_of, usual_region

    try:
        return Account(profile_of(home), usual_region(home, profile_of(home)))
    except FleetError:
        return Account(profile_of(home))  # SNS's topics name their region, and so may SES's


def _say(url: str, told: Told) -> None:
    where = f"{told.night} ({url})"
    if told.silent:
        say(f"{where}: nothing ran, and nothing was sent")
    elif not told.to:
        say(f"{where}: everybody was told already")
    for to in told.reached:
        say(f"{where}: told to {to}")
    for failure in told.failed:
        say(f"{where}: not told to {failure}; it is sent with the next one")


def _object(url: str, told: Told) -> ReportSentObject:
    failed = list(map(unreached, told.failed))
    return {"bucket": url, "night": told.night, "told": list(told.reached), "failed": failed, "silent": told.silent}


def unreached(failure: Failure) -> UnreachedObject:
    """For programs."""
    return {"to": failure.to, "why": failure.why, "hint": failure.hint}


def send_test(*, as_json: bool) -> int:
    """Tell everybody that this is a test; 1 if somebody was not reached."""
    from fleet.report.send import Failure, Rendered, send_each
    from fleet.report.send.destinations import labels, read

    home = open_home()
    named = labels(read(home.path, "report"))
    if not named:
        raise FleetError(NOBODY, NAME_THEM)
    message = Rendered(TEST, f"{TEST}. Reports of your nights will arrive here.\n", TEST_PAGE, short=TEST)
    urls = list(named.values())
    outcomes = dict(zip(named, send_each(message, urls, account=account_of(home, urls)), strict=True))
    failed = [Failure(name, one.why, one.hint) for name, one in outcomes.items() if one is not None]
    told = [name for name, one in outcomes.items() if one is None]
    for name in told:
        say(f"told {name}")
    for failure in failed:
        say(f"not told {failure}")
    if as_json:
        found: ReportTestObject = {"told": told, "failed": list(map(unreached, failed))}
        emit(found)
    return 1 if failed else 0
