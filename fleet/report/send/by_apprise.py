"""Through Apprise: mail, Slack, Discord, Telegram, ntfy, webhooks and a hundred more. Imported only where one is told."""

from __future__ import annotations

import logging
import re
import threading
from typing import TYPE_CHECKING

from typing_extensions import Self

from fleet.model.errors import FleetError
from fleet.report.send.rendered import Rendered

if TYPE_CHECKING:
    from apprise import NotifyBase

    from fleet.report.send.destinations import Destination

MISSING = "Apprise is not installed, which this destination needs"
INSTALL = "pip install 'fleet[report]'. ses: and sns: need only fleet[aws]."
WRONG = "Apprise does not understand this destination"
PAGES = "What such a URL looks like: https://appriseit.com/services/"
MAILS = ("mailto", "mailtos", "smtp", "smtps")
"""By a mail server. Others that mail (SendGrid, Mailgun, …) are told the text, for none of them shows images alike."""
_CAUSES = re.compile(
    r"\[Errno -?\d+\] [^\"')]+|[Rr]ead timed out|[Tt]imed out|certificate verify failed|wrong version number"
    r"|Connection refused|Name or service not known|Remote end closed connection without response"
)
CONNECT, ANSWER = 15.0, 30.0
"""Seconds, of one request. All of it has the sender's own deadline."""


def by_apprise(to: Destination, message: Rendered) -> None:
    """Tell one destination. Raises FleetError with what Apprise says of it."""
    try:
        import apprise
    except ImportError:
        raise FleetError(MISSING, INSTALL) from None
    with _Heard() as heard:
        asset = apprise.AppriseAsset(app_id="fleet", app_desc="fleet", async_mode=False)
        service = apprise.Apprise.instantiate(to.url, asset=asset, suppress_exceptions=True)
        if service is None:
            raise FleetError(WRONG, PAGES)
        service.socket_connect_timeout, service.socket_read_timeout = CONNECT, ANSWER
        if not _told(service, to, message):
            raise FleetError(heard.last or "it was refused, and Apprise says no more")


def doubt(to: Destination) -> str:
    """Why a destination cannot be told from here, whatever its server says; empty: nothing is known against it."""
    try:
        import apprise
    except ImportError:
        return f"{MISSING}: {INSTALL}"
    with _Heard():  # what Apprise logs of it may hold all of it
        known = apprise.Apprise.instantiate(to.url, suppress_exceptions=True) is not None
    return "" if known else f"{WRONG}. {PAGES}"


def _told(service: NotifyBase, to: Destination, message: Rendered) -> bool:
    from apprise import AppriseAttachment, NotifyFormat
    from apprise.attachment.memory import AttachMemory

    if to.scheme in MAILS and message.html:
        images = AppriseAttachment()
        for name, data in message.images.items():
            images.add(AttachMemory(content=data, name=name, mimetype="image/png"))  # type: ignore[no-untyped-call]
        if message.images:
            vars(service)["inline"] = True  # so that the page names them by cid:
        attach = images if message.images else None
        return bool(service.notify(body=message.html, title=message.subject, body_format=NotifyFormat.HTML, attach=attach))
    room = int(getattr(service, "body_maxlen", 0) or 0)
    body = message.brief if 0 < room < len(message.text) else message.text
    return bool(service.notify(body=body, title=message.subject, body_format=NotifyFormat.TEXT))


class _Heard(logging.Handler):
    """Apprise answers yes or no; why is in its log, of which this keeps what this very thread brought about."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.warned, self.error = "", ""
        self._thread = threading.get_ident()
        self._log = logging.getLogger("apprise")

    @property
    def last(self) -> str:
        """Why, as far as it says."""
        return ": ".join(one for one in (self.warned, self.error) if one)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it. Of what it says in detail only the name of a fault: the rest may be the whole message."""
        if record.thread != self._thread:
            return
        told = " ".join(record.getMessage().split())
        if record.levelno >= logging.WARNING:
            self.warned = told[:300].rstrip(": ")
        elif "Exception: " in told:
            self.error = _cause(told.partition("Exception: ")[2])

    def __enter__(self) -> Self:
        self._log.setLevel(logging.DEBUG)
        self._log.propagate = False
        self._log.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._log.removeHandler(self)


def _cause(told: str) -> str:
    """What really happened, out of an exception that tells every layer that it went through, and the address with it."""
    found = _CAUSES.findall(told)
    return found[-1].strip() if found else told[:200]
