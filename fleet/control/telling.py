"""Telling one destination: what it is to be told is written down first, then sent, and if that fails sent again later."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fleet.control.home import Home
from fleet.control.telllog import TURNS, TellLog
from fleet.core.notify import Message, failed, messages, wanted
from fleet.core.thing import Thing
from fleet.model.base import Seconds
from fleet.model.errors import FleetError, StoreError
from fleet.model.notify import Wish

MOST = 50
"""Messages at a time: the next look is another chance."""
Send = Callable[[str, Message, Seconds], str]
"""Sends a message to a URL within some seconds; why it could not, or nothing."""


def sender(home: Home, bucket: str) -> Send:
    """Sends for real."""

    def send(url: str, message: Message, seconds: Seconds) -> str:
        from fleet.report.send import Account, Rendered
        from fleet.report.send import send as send_to

        body, _, command = message.body.rpartition("\n")
        short = f"{message.title}. {command}" if body else message.title
        rendered = Rendered(message.title, message.body, short=short)
        missed = send_to(rendered, [url], seconds, Account(home.aws_profile(bucket)))
        return "; ".join(one.why + (f" ({one.hint})" if one.hint else "") for one in missed)

    return send


def routes(wish: Wish, home: Home, bucket: str) -> dict[str, str]:
    """The destinations of a wish that this computer can reach, each with its URL: those of the user's own file here, and
    those of the account where that is at hand.

    Raises FleetError if the file cannot be read.
    """
    from fleet.report.send.destinations import labels, read

    here = labels(read(home.path, "notify"))
    aws = (bucket.startswith("s3:") or home.aws() is not None) and importlib.util.find_spec("boto3") is not None
    found: dict[str, str] = {}
    for to in wish.to:
        if of_account(to):
            found |= {to: to} if aws else {}
        elif to in here:
            found[to] = here[to]
    return found


def of_account(to: str) -> bool:
    """Whether AWS tells it: it needs nothing of the user's own file."""
    return to.startswith(("ses:", "sns:"))


@dataclass
class Teller:
    """One destination."""

    log: TellLog
    url: str
    send: Send
    by: str
    say: Callable[[str], None]
    seconds: Seconds
    thread: threading.Thread | None = None
    left: set[str] = field(default_factory=set)
    """The things that are still to be told, by their keys."""
    _unwritten: list[tuple[Message, str]] = field(default_factory=list)
    """What could not be sent while that could not be written down either."""

    def begin(self, things: Sequence[Thing], now: Seconds, wish: Wish) -> None:
        """In a thread, so that no destination waits for another."""
        self.thread = threading.Thread(target=self.tell, args=(things, now, wish), name="notify", daemon=True)
        self.thread.start()

    def tell(self, things: Sequence[Thing], now: Seconds, wish: Wish) -> None:
        """Tell what is due. What is not due yet is ``left``; so is everything if that could not be written down."""
        kinds, self.left = wish.to.get(self.log.to, {}), {one.key for one in things}
        try:
            self._send(self.log.refresh(now), now)
            unwritten, self._unwritten = self._unwritten, []
            for message, why in unwritten:
                self._failed(message, why, now)
            for _ in range(MOST):
                # One by one: whoever dies with a message leaves the others to be told by the next.
                after, made = messages(self.log.log, things, now, wish, kinds, self.by, most=1)
                if not made:
                    break
                if self.log.append(after, made):
                    self._send(made, now)
                self.left = {one.key for one in things if wanted(one, self.log.log, kinds, now)}
        except StoreError as error:
            self.say(f"notifications for {self.log.to} are held up: {error.message}")
            return
        self.left = {one.key for one in things if wanted(one, self.log.log, kinds, now)}
        self.log.tidy(now)

    def _send(self, made: Sequence[Message], now: Seconds) -> None:
        for message in made:
            why = self.send(self.url, message, self.seconds)
            if why:
                self._failed(message, " ".join(why.split()), now)

    def _failed(self, message: Message, why: str, now: Seconds) -> None:
        """It is known to all that it is to be sent again; told in the log."""
        try:
            for _ in range(TURNS):
                after, again = failed(self.log.log, message, why, now)
                if self.log.append(after):
                    more = "it is sent again" if again else "it is given up"
                    self.say(f"not told: {message.title!r}: {why}; {more}")
                    return
            error = "others are always first"
        except FleetError as raised:
            error = raised.message
        self._unwritten.append((message, why))
        self.say(f"not told: {message.title!r}: {why}; that could not be written down yet: {error}")
