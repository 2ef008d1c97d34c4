"""Controllers tell that they live, in ``controllers/`` of the bucket: for people to look at, nothing is decided by it.

Who has a process that stays (a terminal, a service) is known by it on its own computer, where its death is known at once.
Elsewhere, and of those whose processes come and go (cron, a function), the bucket says when they spoke last.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from pydantic import ValidationError

from fleet import __version__
from fleet.control.attendance import tidy
from fleet.control.fleets import holds_fleet, hostname, open_bucket
from fleet.control.home import Home
from fleet.control.notifying import LEAVING, ROUND, Notifier
from fleet.control.watchers import watching
from fleet.core.allowed import providers_of
from fleet.core.presence import again_at, due, lives, one_line
from fleet.model import layout
from fleet.model.base import Seconds, document_bytes
from fleet.model.errors import FleetError, NotFoundError, StoreError
from fleet.model.presence import Kind, Presence
from fleet.providers.local.elsewhere import Elsewhere
from fleet.store.objects import Objects

if TYPE_CHECKING:
    from fleet.control.controller import Controller

log = logging.getLogger("fleet.control")

STARTED_BY = "FLEET_CONTROLLER"
"""The variable by which whoever starts ``controller run`` says what keeps it alive: ``service`` or ``cron``."""
LOOP: Seconds = 60
"""A loop comes by more often than this, unless it is held up."""
CRON: Seconds = 300
"""How often a crontab starts one is not known here: hardly more seldom than this."""
HOLD: Seconds = 300
"""After a word that could not be written nothing is tried for so long: the loop is not to wait for it each time."""
TIDY: Seconds = 3600
"""The words of the dead are looked for so often."""


@dataclass(frozen=True, slots=True)
class Who:
    """What a controller says of itself as long as it lives."""

    key: str
    """Of its document. One that starts anew again and again has the same each time."""
    kind: Kind
    command: str
    host: str
    home: str = ""
    process: int | None = None


def kind_here(environ: Mapping[str, str] = os.environ) -> Kind:
    """What keeps ``controller run`` alive in this process."""
    told = environ.get(STARTED_BY, "")
    return "service" if told == "service" else "cron" if told == "cron" else "terminal"


def troubles_that_matter(controller: Controller) -> dict[str, str]:
    """What cannot be seen: of machines that are not to be seen from here at all only if a run is to have one of those."""
    wanted = {name for run in controller.state.busy_runs for name in providers_of(run.job.resources)}
    providers = controller.observer.providers.items()
    unseen = {"local", *(name for name, one in providers if isinstance(one, Elsewhere))} - wanted
    told = controller.observer.troubles.items()
    return {what: why for what, why in told if re.split("[ /]", what)[0] not in unseen}


def trouble_of(controller: Controller, *, elsewhere: bool = False) -> str:
    """What keeps a controller from its work, in words; empty: nothing. ``elsewhere``: it is on nobody's own computer."""
    told = troubles_that_matter(controller).items()
    seen = "; ".join(f"{what}: {why}" for what, why in sorted(told) if not elsewhere or not what.startswith("local"))
    return controller.failed or controller.read_only or seen


class Telling:
    """Writes a controller's word when it is due. Called after each tick; never raises, and costs nothing in between."""

    def __init__(self, who: Who, every: Seconds) -> None:
        self._who, self._key = who, layout.controller(who.key)
        self._said: Presence | None = None
        self._asked = who.kind == "terminal"  # its document is new: there is none from before
        self._started_at: Seconds | None = None
        self._turned_at = self._held_at = float("-inf")
        self.every = every
        """How often it comes by."""

    def tell(self, controller: Controller) -> None:
        """Say what there is to say, if it is due."""
        objects, now = controller.objects, controller.objects.now()
        if self._held_at <= now < self._held_at + HOLD:
            return
        try:
            before = self._before(objects, now)
            word = self._word(controller, now, before)
            turn = due(before, word, self.every, self._turned_at)
            if not turn:
                return
            objects.put(self._key, document_bytes(word))
            self._said = word
            self._turned_at = now if turn == "out of turn" else self._turned_at
            if before is not None and before.seen_at // TIDY != now // TIDY:
                tidy(objects, now)
        except (StoreError, ValidationError) as error:
            self._held_at = now
            log.debug("this controller could not say that it lives: %s", error)

    def end(self, controller: Controller) -> None:
        """Take the word back: it ends properly, and is not to be waited for."""
        if self._said is None or self._held_at > self._said.seen_at:
            return  # nobody knows of it, or the bucket is out of reach: it is not to keep the user waiting
        try:
            controller.objects.delete([self._key])
        except StoreError as error:
            log.debug("this controller could not say that it ends: %s", error)

    def _before(self, objects: Objects, now: Seconds) -> Presence | None:
        """What was said last, perhaps by the process before this one."""
        if not self._asked:
            with contextlib.suppress(NotFoundError, ValidationError):
                self._said = Presence.model_validate_json(objects.get(self._key))
            self._asked = True
            if self._said is not None and self._who.kind != "service" and lives(self._said, now):
                self._started_at = self._said.started_at
        return self._said

    def _word(self, controller: Controller, now: Seconds, before: Presence | None) -> Presence:
        self._started_at = now if self._started_at is None else self._started_at
        acted = [at for at in (controller.acted_at, before.acted_at if before else None) if at is not None]
        matter = sorted(troubles_that_matter(controller).items())
        # A laptop's own machines are never any business of a function's.
        troubles = [f"{what}: {why}" for what, why in matter if self._who.kind != "function" or not what.startswith("local")]
        return Presence(
            name=one_line(controller.journal.by),
            kind=self._who.kind,
            host=one_line(self._who.host),
            home=self._who.home,
            process=self._who.process,
            command=one_line(self._who.command),
            version=__version__,
            started_at=self._started_at,
            seen_at=now,
            again_at=again_at(now, self.every, self._who.kind),
            acted_at=max(acted, default=None),
            read_only=one_line(controller.read_only),
            blind=one_line("; ".join(troubles)),
        )


@contextlib.contextmanager
def present(
    home: Home, controllers: Sequence[Controller], command: str, kind: Kind = "terminal"
) -> Iterator[Callable[[], None]]:
    """Be known as a controller of some fleets meanwhile. What is yielded is to be called after each tick."""
    with watching(home, command, [controller.objects.url for controller in controllers]) as known:
        process = os.getpid() if known else None
        tellings = [(one, Telling(_self(home, one, command, kind, process), LOOP)) for one in controllers]
        with notifying(home, controllers, kind) as look:

            def tell() -> None:
                for controller, telling in tellings:
                    telling.tell(controller)
                look()

            try:
                tell()
                yield tell
            finally:
                for controller, telling in tellings:
                    telling.end(controller)


@contextlib.contextmanager
def notifying(
    home: Home, controllers: Sequence[Controller], kind: Kind, seconds: Seconds = LEAVING
) -> Iterator[Callable[[], None]]:
    """Tell people meanwhile what happens to some fleets, if they want that. What is yielded is to be called after each tick;
    at the end a message that is under way is waited for, so long at most."""
    notifiers = [Notifier(controller, home, _called(controller, kind), trouble_of) for controller in controllers]

    def look() -> None:
        for notifier in notifiers:
            notifier.look()

    try:
        yield look
    finally:
        for notifier in notifiers:
            notifier.finish(seconds)


@contextlib.contextmanager
def rounded(home: Home, controllers: Sequence[Controller]) -> Iterator[None]:
    """Around a single round: tell what it found, and what happened since somebody last looked."""
    with notifying(home, controllers, kind_here(), ROUND) as look:
        try:
            yield
        finally:
            look()


def _called(controller: Controller, kind: Kind) -> str:
    """What people know a controller as; a service or a crontab is the same again each time."""
    return controller.journal.by if kind == "terminal" else f"{kind} on {hostname()}"


_TELLINGS: WeakKeyDictionary[Controller, Telling] = WeakKeyDictionary()


def told(
    controller: Controller, *, kind: Kind, every: Seconds, key: str, command: str = "", host: str | None = None
) -> None:
    """What one whose processes come and go calls after a tick; the next tick comes in ``every`` seconds.

    As long as the controller is kept in memory nothing is read; else one document. Never raises.
    """
    telling = _TELLINGS.get(controller)
    if telling is None:
        who = Who(_key(key), kind, command or f"{kind} {key}", hostname() if host is None else host)
        telling = _TELLINGS[controller] = Telling(who, every)
    telling.every = every
    telling.tell(controller)


def told_by_cron(home: Home, controller: Controller) -> None:
    """What one that cron starts says after its tick."""
    who = _self(home, controller, "controller run --once", "cron", None)
    told(controller, kind="cron", every=CRON, key=who.key, command=who.command)


def forget_cron(home: Home) -> None:
    """Take back what rounds by cron said, in each bucket that can be reached: no round is coming any more."""
    for url in home.known_buckets():
        with contextlib.suppress(FleetError, OSError):  # else it is known to be dead in a quarter of an hour
            if holds_fleet(home, url):
                open_bucket(home, url).delete([layout.controller(_standing(home, "cron"))])


def own_key(controller: Controller) -> str:
    """The document of a controller that runs in a terminal."""
    return layout.controller(_key(controller.journal.by))


def _self(home: Home, controller: Controller, command: str, kind: Kind, process: int | None) -> Who:
    """This process. A terminal's is another each time; a service or a crontab is the same again, of one home on one host."""
    key = _key(controller.journal.by) if kind == "terminal" else _standing(home, kind)
    return Who(key, kind, command, hostname(), _identity(home), process)


def _standing(home: Home, kind: Kind) -> str:
    """What a service or a crontab goes by each time."""
    return _key(f"{kind}-{hostname()}-{_identity(home)[:8]}")


def _identity(home: Home) -> str:
    with contextlib.suppress(FleetError, OSError):  # a home that cannot be written
        return home.identity()
    return ""


def _key(text: str) -> str:
    """Hosts are called as their owners like."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text).lstrip(".")[:120] or "nameless"
