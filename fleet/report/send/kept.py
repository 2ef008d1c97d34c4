"""Reports in the bucket: the pages themselves, and who was told of which night, so that nobody is told twice.

Each try at sending a night's report is a document of its own, made by exclusive creation before anything is sent:
``reports/sent/2026-11-25.json``, then ``….1.json`` for those who were not reached. Only its maker writes it again.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from pydantic import ValidationError

from fleet.model.base import Frozen, Seconds, document_bytes
from fleet.model.errors import AlreadyExistsError, NotFoundError, StoreError
from fleet.report.send.rendered import Failure
from fleet.store.objects import Objects

REPORTS = "reports/"
SENT = "reports/sent/"
FRESH: Seconds = 900
"""So long somebody who began to send may still be at it; after that they are taken for gone."""
MOST_UNSENT = 31
"""So many nights back are named that somebody waits for."""
MOST_TRIES = 40
"""Of one night."""
_KEY = re.compile(rf"{SENT}(\d{{4}}-\d{{2}}-\d{{2}})(?:\.(\d{{1,3}}))?\.json")


class Unreached(Frozen):
    """One destination that was not reached."""

    to: str
    why: str


class Try(Frozen):
    """One try at telling some destinations of one night. Names them as they may be shown: there is no secret in it."""

    v: Literal[1] = 1
    night: str
    at: Seconds
    by: str
    """Drawn by lot: tells whose it is when an answer was lost."""
    to: tuple[str, ...]
    state: Literal["sending", "done"] = "sending"
    failed: tuple[Unreached, ...] = ()
    silent: bool = False
    """Nothing ran, and the user wants to hear nothing of such nights."""


def try_key(night: str, number: int) -> str:
    """Where the document of a try lies."""
    return f"{SENT}{night}.json" if number == 0 else f"{SENT}{night}.{number}.json"


def keep_pages(objects: Objects, night: str, pages: Mapping[str, str]) -> list[str]:
    """Put a night's pages (``html``, ``md``, ``json``) into the bucket; their keys."""
    for kind, text in pages.items():
        objects.put(f"{REPORTS}{night}.{kind}", text.encode("utf-8", "replace"))
    return [f"{REPORTS}{night}.{kind}" for kind in pages]


@dataclass(frozen=True, slots=True)
class Tries:
    """What was tried, of one night."""

    night: str
    tries: tuple[Try, ...]
    numbers: int
    """The next try's number."""

    def settled(self, now: Seconds) -> set[str]:
        """Who was told, or is being told at this moment by somebody else."""
        found: set[str] = set()
        for one in self.tries:
            if one.state == "done":
                found = (found | set(one.to)) - {missed.to for missed in one.failed}
            elif now - one.at < FRESH:
                found |= set(one.to)
        return found

    def open(self, labels: Iterable[str], now: Seconds) -> tuple[str, ...]:
        """Of some destinations those that are to be told."""
        settled = self.settled(now)
        return tuple(one for one in labels if one not in settled)


def tries_of(objects: Objects, since: str = "") -> dict[str, Tries]:
    """Every night that somebody tried to send the report of, with what came of it; the oldest first.

    Of nights before ``since`` only that there were tries: each try is a document, and in a year there are hundreds.
    """
    found: dict[str, dict[int, Try | None]] = {}
    for entry in objects.list(SENT):
        match = _KEY.fullmatch(entry.key)
        if match is not None:
            found.setdefault(match[1], {})[int(match[2] or 0)] = _read(objects, entry.key) if match[1] >= since else None
    return {
        night: Tries(night, tuple(one for _, one in sorted(tries.items()) if one is not None), max(tries) + 1)
        for night, tries in sorted(found.items())
    }


def unsent(objects: Objects, before: str, now: Seconds) -> list[tuple[str, str]]:
    """Earlier nights that somebody still waits for, the oldest first, each with why."""
    found = []
    since = (date.fromisoformat(before) - timedelta(days=MOST_UNSENT)).isoformat()
    for night, tries in tries_of(objects, since).items():
        waiting = tries.open(dict.fromkeys(name for one in tries.tries for name in one.to), now)
        if night < before and waiting:
            why = {missed.to: missed.why for one in tries.tries for missed in one.failed}
            told = "; ".join(f"{name}: {why.get(name, 'whoever began to send it did not end')}" for name in waiting)
            found.append((night, f"could not be sent to {told}"))
    return found


def _read(objects: Objects, key: str) -> Try | None:
    """None: it cannot be read, and so says nothing of anybody."""
    try:
        return Try.model_validate_json(objects.get(key))
    except (NotFoundError, ValidationError):
        return None


@dataclass(frozen=True, slots=True)
class Claim:
    """This process's own try."""

    objects: Objects
    key: str
    made: Try

    def settle(self, failed: Sequence[Failure]) -> None:
        """Write down what came of it."""
        done = self.made.model_copy(
            update={"state": "done", "failed": tuple(Unreached(to=one.to, why=one.why) for one in failed)}
        )
        self.objects.put(self.key, document_bytes(done))


def claim(objects: Objects, night: str, labels: Sequence[str], *, silent: bool = False) -> Claim | None:
    """Take it upon oneself to tell those of ``labels`` whom nobody has told of a night; None: there is nobody left.

    Exclusive: of any number of computers that ask at the same moment, one tells each destination.
    """
    nonce = secrets.token_hex(8)
    for _ in range(MOST_TRIES):
        now = objects.now()
        tries = tries_of(objects, night).get(night) or Tries(night, (), 0)
        to = tries.open(labels, now)
        if not to or tries.numbers >= MOST_TRIES:
            return None
        key = try_key(night, tries.numbers)
        made = Try(night=night, at=now, by=nonce, to=to, silent=silent)
        try:
            objects.create(key, document_bytes(made))
        except AlreadyExistsError:
            found = _read(objects, key)
            if found is None or found.by != nonce:
                continue  # somebody was quicker: look again
        return Claim(objects, key, made)
    raise StoreError(f"{SENT}{night} changes all the time; nobody knows whose turn it is")
