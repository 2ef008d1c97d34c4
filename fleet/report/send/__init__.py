"""Sending what fleet has to tell: mail, chats and webhooks through Apprise, SES and SNS through AWS.

``send(rendered, to)`` tells every destination within a deadline and never raises for one that fails. Where to is the user's
own file (``destinations.py``), what of it may be shown is ``masked``; nothing of it is ever written to a bucket or a log.
"""

from __future__ import annotations

from fleet.report.send.rendered import Failure, Rendered
from fleet.report.send.sending import DEADLINE, Account, doubts, send, send_each

__all__ = ["DEADLINE", "Account", "Failure", "Rendered", "doubts", "send", "send_each"]
