"""A night's report on its way: kept in the bucket, and told once, together with those that could not be told before."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Literal

from fleet.model.errors import FleetError
from fleet.report.send.destinations import labels
from fleet.report.send.kept import Tries, claim, keep_pages, tries_of
from fleet.report.send.rendered import Failure, Rendered
from fleet.report.send.secrets import masked, masked_html
from fleet.report.send.sending import DEADLINE, Account, send_each
from fleet.store.objects import Objects

log = logging.getLogger("fleet.control")
QuietNights = Literal["silent", "line"]
EARLIER = 7
"""So many nights back are told with the next one; what is older lies in the bucket."""


@dataclass(frozen=True, slots=True)
class Night:
    """One night of one fleet, ready to be told."""

    date: str
    """``2026-11-25``."""
    rendered: Rendered
    pages: Mapping[str, str] = field(default_factory=dict)
    """What is kept in the bucket: ``html`` (whole by itself), ``md``, ``json``."""
    quiet: bool = False
    """Nothing ran, and nothing is to be done."""


Make = Callable[[str], Night]
"""Makes the report of a night by its date, from the journal, at any later time."""
Sender = Callable[[Rendered, Sequence[str]], Sequence[Failure | None]]


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one night."""

    night: str
    to: tuple[str, ...]
    failed: tuple[Failure, ...] = ()
    silent: bool = False

    @property
    def reached(self) -> tuple[str, ...]:
        """Who was told."""
        missed = {one.to for one in self.failed}
        return () if self.silent else tuple(one for one in self.to if one not in missed)


def earlier(known: Mapping[str, Tries], night: str, names: Sequence[str], now: float, *, gaps: bool) -> list[str]:
    """The nights before ``night`` whose report somebody of ``names`` still waits for, the oldest first.

    ``gaps``: nights that nobody tried at all count too, from the first that somebody did: this computer was off.
    """
    last = date.fromisoformat(night)
    days = [(last - timedelta(days=back)).isoformat() for back in range(EARLIER, 0, -1)]
    found, first = [], min(known, default=night)
    for day in days:
        tries = known.get(day)
        if tries is None:
            if gaps and day > first:
                found.append(day)
        elif set(tries.open(names, now)) & _ever(tries):
            found.append(day)
    return found


def _ever(tries: Tries) -> set[str]:
    """Who was to be told: a destination that is new today is not told of last week."""
    return {name for one in tries.tries for name in one.to}


def deliver(
    objects: Objects,
    night: str,
    urls: Sequence[str],
    make: Make,
    *,
    quiet_nights: QuietNights = "line",
    gaps: bool = False,
    sender: Sender | None = None,
    account: Account | None = None,
    seconds: float = DEADLINE,
) -> list[Told]:
    """Keep the night's report in the bucket, and tell each of ``urls`` of it and of earlier ones that it waits for.

    Never raises for a destination. Raises FleetError if the bucket cannot be reached: nothing was sent then, or nothing
    that another computer would send again within a quarter of an hour.
    """
    named = labels(urls)
    tell = sender or (lambda message, to: send_each(message, to, seconds, account))
    since = (date.fromisoformat(night) - timedelta(days=EARLIER)).isoformat()
    known, now = tries_of(objects, since), objects.now()
    told = []
    for day in earlier(known, night, list(named), now, gaps=gaps):
        ever = _ever(known[day]) if day in known else set(named)
        waiting = {name: url for name, url in named.items() if name in ever}
        try:
            told.append(_deliver_one(objects, day, waiting, make, quiet_nights, tell, again=True))
        except FleetError:
            raise
        except Exception as error:  # noqa: BLE001 - one night that cannot be made must not hold back every one after it
            log.warning("fleet: the report of %s could not be made: %s: %s", day, type(error).__name__, error)
    told.append(_deliver_one(objects, night, named, make, quiet_nights, tell, again=False))
    return [one for one in told if one is not None]


def _deliver_one(
    objects: Objects, night: str, named: Mapping[str, str], make: Make, quiet: QuietNights, tell: Sender, *, again: bool
) -> Told | None:  # fmt: skip
    tries = tries_of(objects, night).get(night)
    if tries is not None and named and not tries.open(list(named), objects.now()):
        return None if again else Told(night, ())  # somebody told everybody, and kept the pages
    made = make(night)
    keep_pages(objects, night, {kind: _safe(kind, text) for kind, text in made.pages.items()})
    silent = made.quiet and quiet == "silent"
    mine = claim(objects, night, list(named), silent=silent) if named else None
    if mine is None:
        return None if again else Told(night, ())
    failed = () if silent else _tell(mine.made.to, named, _message(made, again=again), tell)
    mine.settle(failed)
    return Told(night, mine.made.to, failed, silent)


def _tell(names: Sequence[str], named: Mapping[str, str], message: Rendered, tell: Sender) -> tuple[Failure, ...]:
    """Each under the name that it has in the bucket: two that look alike are told apart there."""
    outcomes = zip(names, tell(message, [named[name] for name in names]), strict=True)
    return tuple(Failure(name, found.why, found.hint) for name, found in outcomes if found is not None)


def _message(made: Night, *, again: bool) -> Rendered:
    """A quiet night is one line. An earlier one says that it comes late."""
    message = made.rendered
    if made.quiet:
        message = Rendered(message.subject, message.brief, short=message.brief)
    return replace(message, subject=f"{message.subject} (could not be sent before)") if again else message


def _safe(kind: str, text: str) -> str:
    """What lies in the bucket holds no secret either."""
    if kind == "json":
        return json.dumps(_masked(json.loads(text)), ensure_ascii=False, indent=2)
    return masked_html(text) if kind == "html" else masked(text)


def _masked(value: object) -> object:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: _masked(one) for key, one in value.items()}
    return [_masked(one) for one in value] if isinstance(value, list) else value
