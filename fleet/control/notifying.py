"""Telling people what happens to a fleet, from whichever controller lives: beside the loop, which never waits for it.

After each tick a controller looks at what there is to tell (core/news.py), which costs nothing. If there is something, a
thread of its own reads what is wished for, and tells each destination that this computer can reach; what is not due yet is
brought again. Nothing is asked of the bucket while there is nothing to tell, and nobody is told anything who was not named.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from fleet.control.controller import Controller
from fleet.control.home import Home
from fleet.control.notify_memory import MEMORY, Memory, kept, read_memory
from fleet.control.telling import Send, Teller, routes, sender
from fleet.control.telllog import TellLog
from fleet.control.wishes import read_wish
from fleet.core.news import blind, happened, standing
from fleet.core.state import FleetState
from fleet.core.thing import Thing
from fleet.model.base import Seconds, document_bytes
from fleet.model.errors import FleetError, StoreError
from fleet.model.notify import Wish
from fleet.store.files import FileObjects

log = logging.getLogger("fleet.control")

SENDING: Seconds = 15
"""A message may take so long; then it counts as not sent."""
LEAVING: Seconds = 5
"""So long whoever ends waits for a message that is under way."""
ROUND: Seconds = 20
"""So long one that makes a single round does."""
MOST_BLIND = 20
"""Of so many controllers it is remembered that they were blind: one that was killed leaves its word."""


@dataclass
class Notifier:
    """One controller's."""

    controller: Controller
    home: Home
    who: str
    """What people know this controller as: told if it is blind, and the same each time it is started anew."""
    trouble: Callable[[Controller], str]
    """What keeps the controller from its work, in words."""
    send: Send | None = None
    say: Callable[[str], None] = log.warning
    """What could not be sent, for the log."""
    clock: Callable[[], float] = time.monotonic
    sending: Seconds = SENDING
    _memory: Memory | None = None
    _kept: FileObjects | None = None
    _before: FleetState | None = None
    _pending: dict[str, tuple[Thing, Seconds]] = field(default_factory=dict)
    """What happened and may have to be told, and when that was first seen here."""
    _standing: list[Thing] = field(default_factory=list)
    _fresh: bool = False
    """There is something that nobody has looked at yet."""
    _next: float = float("-inf")
    _wish: tuple[Seconds, Wish | None] = (float("-inf"), None)
    _tellers: dict[tuple[str, bool], Teller] = field(default_factory=dict)
    _thread: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _complained: str = ""

    def look(self) -> None:
        """After each tick, also one that failed. Never raises, never waits."""
        try:
            self._look()
            if self._due():
                self._begin()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not keep anybody from looking after machines
            self._complain(error)

    def finish(self, seconds: Seconds = LEAVING) -> None:
        """Before this process ends: tell what is to be told now, waiting for so long at most."""
        try:
            ends_at = self.clock() + seconds
            self._join(ends_at)
            if self._fresh:
                self._begin()
                self._join(ends_at)
            self._settle()
        except Exception as error:  # noqa: BLE001 - as above
            self._complain(error)

    def _join(self, ends_at: float) -> None:
        if self._thread is not None:
            self._thread.join(max(0.0, ends_at - self.clock()))

    def _look(self) -> None:
        controller = self.controller
        state, now = controller.state, controller.objects.now()
        if self._before is None:
            known = 0 < state.head == self._remembered().head
            self._before = state if known else FleetState()
        news = list(happened(self._before, state)) if self._before is not state else []
        self._before = state
        stands = [*standing(state, now), *self._blind(now)]
        with self._lock:
            fresh = {one.key for one in (*news, *stands)}
            fresh -= self._pending.keys() | {one.key for one in self._standing}
            for one in news:
                self._pending.setdefault(one.key, (one, now))
            self._standing = stands
            self._fresh = self._fresh or bool(fresh)

    def _due(self) -> bool:
        waits = self._pending or self._standing or any(one.log.log.unsent for one in self._tellers.values())
        return bool(waits) and (self._fresh or self.clock() >= self._next)

    def _begin(self) -> None:
        """One thread at a time. It is a daemon: a server that hangs keeps nobody from leaving."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._fresh = False
        self._thread = threading.Thread(target=self._work, name="notify", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._tell_all()
        except Exception as error:  # noqa: BLE001 - as above
            self._complain(error)
        finally:
            self._next = self.clock() + (2 if self.controller.objects.url.startswith("file:") else 10)

    def _tell_all(self) -> None:
        with self._lock:
            pending, stands = dict(self._pending), list(self._standing)
        now = self.controller.objects.now()
        read_at, wish = self._wished(now, any(at > self._wish[0] for _, at in pending.values()))
        things = [*(one for one, _ in pending.values()), *stands]
        busy, wanted = [], set[str]()
        for to, url in (routes(wish, self.home, self.controller.objects.url) if wish is not None else {}).items():
            for here in (False, True):
                some = [one for one in things if (one.kind == "blind") is here]
                teller = self._teller(to, url, here=here)
                if teller.thread is not None and teller.thread.is_alive():
                    wanted |= {one.key for one in some}
                elif some or teller.log.log.unsent:
                    teller.begin(some, now, wish or Wish())
                    busy.append(teller)
        for teller in busy:
            if teller.thread is not None:
                teller.thread.join(self.sending + SENDING)
            wanted |= teller.left
        with self._lock:
            known = {key for key, (_, at) in pending.items() if at <= read_at}
            self._pending = {k: v for k, v in self._pending.items() if k not in known or k in wanted}

    def _teller(self, to: str, url: str, *, here: bool) -> Teller:
        """``here``: what it was told is remembered in the home folder, since the bucket may be out of reach."""
        found = self._tellers.get((to, here))
        if found is None:
            objects = self._folder() if here else self.controller.objects
            send = self.send or sender(self.home, self.controller.objects.url)
            found = Teller(TellLog(objects, to), url, send, self.controller.journal.by, self.say, self.sending)
            self._tellers[to, here] = found
        found.url = url
        return found

    def _wished(self, now: Seconds, asked: bool) -> tuple[Seconds, Wish | None]:
        """What is wished for, and when that was read; a bucket out of reach leaves what it was."""
        read_at, wish = self._wish
        dear = not self.controller.objects.url.startswith("file:")
        if 0 <= now - read_at < (30 if dear else 1) and not (asked and not dear):
            return read_at, wish
        try:
            self._wish = (now, read_wish(self.controller.objects))
        except FleetError as error:
            if not self.controller.failed:  # else that is known
                self._complain(error)
            return float("-inf"), wish if wish is not None else self._remembered().wish
        if self._wish[1] != self._remembered().wish:
            self._remember(wish=self._wish[1])
        return self._wish

    def _blind(self, now: Seconds) -> Iterable[Thing]:
        trouble, since = self.trouble(self.controller), self._remembered().blind.get(self.who)
        if trouble and since is None:
            since = now
            self._remember(blind_since=now)
        elif not trouble and since is not None:
            self._remember(blind_since=None)
        return [blind(self.who, since, now, trouble)] if trouble and since is not None else []

    def _settle(self) -> None:
        """The next process need not look at what this one has settled."""
        idle = self._thread is None or not self._thread.is_alive()
        unsent = any(one.log.log.unsent for one in self._tellers.values())
        settled = idle and not (self._pending or self._fresh or unsent)
        if settled and self._before is not None and self._before.head not in (0, self._remembered().head):
            self._remember(head=self._before.head)

    def _folder(self) -> FileObjects:
        if self._kept is None:
            self._kept = kept(self.home, self.controller.objects.url)
        return self._kept

    def _remembered(self) -> Memory:
        if self._memory is None:
            self._memory = read_memory(self._folder())
        return self._memory

    def _remember(self, **changed: Any) -> None:
        """Other processes of this home remember there as well: what they wrote stays."""
        with self._lock:
            found = read_memory(self._folder())
            if "blind_since" in changed:
                since = changed.pop("blind_since")
                others = {who: at for who, at in found.blind.items() if who != self.who}
                changed["blind"] = others | ({self.who: since} if since is not None else {})
                changed["blind"] = dict(sorted(changed["blind"].items(), key=lambda one: one[1])[-MOST_BLIND:])
            self._memory = found.model_copy(update=changed)
            try:
                self._folder().put(MEMORY, document_bytes(self._memory))
            except (StoreError, OSError) as error:
                log.debug("what there is to tell could not be remembered: %s", error)

    def _complain(self, error: Exception) -> None:
        """Once for each reason."""
        told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        if told != self._complained:
            self._complained = told
            log.warning("fleet: notifications are held up: %s", told)
