"""The one way in: port 22 of a fleet's machines, for the caller's own address, for a while.

Nothing else ever opens a port (design.md, section 10). A rule tells in its description whose it is and until when, so that
one that was forgotten (a laptop that was closed) is known as such by every other computer. What a rule is made of is its
cloud's own business.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

from fleet.model.base import Seconds
from fleet.model.cloud import AccessRule
from fleet.model.errors import FleetError, ProviderError

log = logging.getLogger("fleet.access")

SSH_PORT = 22
OPEN_SECONDS: Seconds = 3600
"""A rule is made for so long, and renewed while somebody is connected."""
WIDEST = {4: 16, 6: 48}
"""The shortest prefix that ``--from`` may name: a company's network or a provider's pool, never everybody."""


class ThereAlreadyError(Exception):
    """A rule for the same addresses exists."""


def narrow(text: str) -> str:
    """An address, or a range of few, as a CIDR. Raises FleetError for more than a network of somebody's."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise FleetError(f"{text!r} is no address", "--from 203.0.113.7/32, or --from 2001:db8::1/128") from None
    if network.prefixlen < WIDEST[network.version]:
        raise FleetError(
            f"{text} is {network.num_addresses:,} addresses: port {SSH_PORT} is never opened for so many",
            f"/{WIDEST[network.version]} is the widest; without --from it is your own address alone.",
        )
    return str(network)


class BaseDoor(ABC):
    """Port 22 for one address range. Any number of terminals may share the rule.

    Each who opens or renews it moves its time on, so that the last one's time stands there: whoever finds another time than
    its own when it leaves leaves the rule to that other one. Connections that are open outlive their rule (firewalls follow
    connections), so one that is closed too early only stands in the way of the next.
    """

    def __init__(self, cidr: str, now: Callable[[], Seconds]) -> None:
        """Raises FleetError for a range that is too wide."""
        self.cidr = narrow(cidr)
        self._now = now
        self._until: int | None = None
        self._made: AccessRule | None = None
        """The rule as the cloud answered when it was made: a listing may not show it yet when it is closed."""

    @abstractmethod
    def known(self) -> AccessRule | None:
        """The rule that is there. Raises ProviderError."""

    @abstractmethod
    def make(self, until: int) -> AccessRule | None:
        """Make it; the rule, if the cloud tells it. Raises ThereAlreadyError, ProviderError."""

    @abstractmethod
    def move(self, until: int) -> None:
        """Let it say another time. Raises ProviderError."""

    @abstractmethod
    def remove(self, rule: AccessRule) -> None:
        """Close it; one that is closed already is fine. Raises ProviderError."""

    def open(self) -> None:
        """Open it, or move its time on. Raises ProviderError."""
        until = int(self._now() + OPEN_SECONDS)
        known = self.known()
        if known is not None:
            self._moved(max(until, known.until + 1))
            return
        self._until = until
        try:
            self._made = self.make(until)
        except ThereAlreadyError:
            known = self.known()
            if known is None:
                self._until = None  # the user's own rule lets them in: it is not fleet's to close
                return
            self._moved(max(until, known.until + 1))  # another terminal was quicker

    def close(self) -> None:
        """Close it, unless another terminal has moved its time on. Raises ProviderError."""
        known = self.known() or self._made if self._until is not None else None
        if known is not None and known.until == self._until:
            self.remove(known)
        self._until = self._made = None

    def _moved(self, until: int) -> None:
        self._until = until
        self.move(until)
        if self._made is not None:
            self._made = self._made.model_copy(update={"until": until})


@contextlib.contextmanager
def held_open(door: BaseDoor, renew_every: float = OPEN_SECONDS / 2) -> Iterator[None]:
    """A door is open meanwhile. Raises ProviderError, FleetError."""
    door.open()
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(door, over, renew_every), name="access", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        try:
            door.close()
        except ProviderError as error:
            log.warning(
                "fleet: port %d stays open for %s: %s; any controller closes it after its time, as does `fleet gc --delete`",
                SSH_PORT,
                door.cidr,
                error.message,
            )


def _renew(door: BaseDoor, over: threading.Event, every: float) -> None:
    """Move the rule's time on until it is over."""
    while not over.wait(every):
        try:
            door.open()
        except ProviderError as error:
            log.warning("fleet: the access rule could not be renewed: %s", error.message)
