"""Tell every destination at once, and wait for none beyond the deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fleet.model.errors import FleetError
from fleet.report.send.destinations import Destination, destination
from fleet.report.send.rendered import Failure, Rendered
from fleet.report.send.secrets import safe

DEADLINE = 60.0
"""Seconds for all of them together."""


@dataclass(frozen=True, slots=True)
class Account:
    """Which AWS account ``ses:`` and ``sns:`` mean; what is left out is what AWS's own configuration says."""

    profile: str | None = None
    region: str = ""


@dataclass
class _Errand:
    """One destination's thread. It is a daemon: a server that hangs keeps nobody from leaving."""

    to: Destination
    over: threading.Event = field(default_factory=threading.Event)
    failed: Failure | None = None


def send(
    rendered: Rendered, to: Sequence[str], deadline_seconds: float = DEADLINE, account: Account | None = None
) -> list[Failure]:  # fmt: skip
    """Tell each of ``to`` (Apprise's URLs, ``ses:from@x>to@y``, ``sns:arn:…``); those that were not reached, and why.

    Secrets in the text are taken out first. Never raises for a destination: a wrong one is a failure as well.
    """
    return [one for one in send_each(rendered, list(dict.fromkeys(to)), deadline_seconds, account) if one is not None]


def send_each(
    rendered: Rendered, to: Sequence[str], deadline_seconds: float = DEADLINE, account: Account | None = None
) -> list[Failure | None]:
    """The same, with what became of each, in their order; None: it was told."""
    message, ends_at = safe(rendered), time.monotonic() + deadline_seconds
    begun = [_begin(url, message, account or Account()) for url in to]
    return [_outcome(one, ends_at, deadline_seconds) for one in begun]


def doubts(urls: Mapping[str, str]) -> list[str]:
    """Of destinations by their names those that cannot be told from here, each with why: better known now than at night."""
    from importlib.util import find_spec

    from fleet.report.send.by_apprise import doubt
    from fleet.report.send.by_aws import NO_AWS

    found = []
    for name, url in urls.items():
        to = destination(url)
        why = doubt(to) if not to.account else "" if find_spec("boto3") else f"boto3 is not installed: {NO_AWS}"
        if why:
            found.append(f"{name}: {why}")
    return found


def _begin(url: str, message: Rendered, account: Account) -> _Errand | Failure:
    try:
        errand = _Errand(destination(url))
    except FleetError as error:
        return Failure("a destination", error.message, error.hint)
    threading.Thread(target=_run, args=(errand, message, account), daemon=True).start()
    return errand


def _outcome(begun: _Errand | Failure, ends_at: float, seconds: float) -> Failure | None:
    if isinstance(begun, Failure):
        return begun
    if not begun.over.wait(max(0.0, ends_at - time.monotonic())):
        return Failure(begun.to.shown, f"no answer within {seconds:g} s; whether it arrived is not known")
    return begun.failed


def _run(errand: _Errand, message: Rendered, account: Account) -> None:
    to = errand.to
    try:
        _way(to)(to, message, account)
    except FleetError as error:
        errand.failed = Failure(to.shown, to.hide(error.message), to.hide(error.hint))
    except Exception as error:  # noqa: BLE001 - a hundred services' code runs here: whatever it is, it is told, never raised
        errand.failed = Failure(to.shown, to.hide(f"{type(error).__name__}: {error}"[:300]))
    finally:
        errand.over.set()


def _way(to: Destination) -> Callable[[Destination, Rendered, Account], None]:
    """Imported only where it is used: most need neither Apprise nor an account."""
    if to.scheme == "ses":
        from fleet.report.send.by_aws import by_ses

        return lambda to, message, account: by_ses(to.mail, message, account.profile, account.region)
    if to.scheme == "sns":
        from fleet.report.send.by_aws import by_sns

        return lambda to, message, account: by_sns(to.topic, message, account.profile)
    from fleet.report.send.by_apprise import by_apprise

    return lambda to, message, _account: by_apprise(to, message)
