"""Questions to a cloud, each by a thread of its own, so that all of them take as long as the slowest.

What does not answer in time, or cannot be asked, is told as such and hides nothing else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from fleet.model.errors import ErrorClass, FleetError, ProviderError

SECONDS = 10.0
"""Who waits longer for an answer would rather have been told so."""
SKEW_NOTED = 60.0
SKEW_REFUSED = 300.0
"""Clouds refuse requests that are signed at another time: after five minutes most services, S3 after fifteen."""
LONGEST = 300
"""Letters of a message that are shown."""

State = Literal["good", "note", "bad"]


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was looked at."""

    what: str
    state: State
    told: str
    remedy: str = ""


Check = Callable[[], Sequence[Checked]]


def asked(checks: Sequence[tuple[str, Check]], seconds: float) -> Iterator[Checked]:
    """What each came to, in their order, all asked at once. What raises, or does not answer in time, is told too."""
    found: dict[int, Sequence[Checked]] = {}

    def ask(number: int, what: str, check: Check) -> None:
        try:
            found[number] = check()
        except FleetError as error:
            found[number] = [untold(what, error)]
        except Exception as error:  # noqa: BLE001 - a fault of one check must hide no other
            found[number] = [Checked(what, "note", briefly(f"cannot be told: {type(error).__name__}: {error}"))]

    threads = [
        threading.Thread(target=ask, args=(number, what, check), daemon=True) for number, (what, check) in enumerate(checks)
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds
    for number, thread in enumerate(threads):
        thread.join(max(0.0, until - time.monotonic()))
        late = Checked(checks[number][0], "note", f"cannot be told: no answer within {seconds:.0f} s", "Try again.")
        yield from found.get(number, [late])


def untold(what: str, error: FleetError) -> Checked:
    """A question that was not answered."""
    means = error.error_class if isinstance(error, ProviderError) else None
    if means is ErrorClass.CREDENTIALS:
        return Checked(what, "bad", error.message, error.hint)
    return Checked(what, "note", f"cannot be told: {briefly(error.message)}", error.hint)


def briefly(text: str) -> str:
    """The first line of it: what is between here and Amazon answers with pages."""
    line = text.partition("\n")[0]
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} …"


def judge_clock(skew: float, whose: str) -> Checked:
    """How far this computer's clock is from a cloud's (``whose``: "Amazon's"): ahead of it if positive."""
    told = f"this computer's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} {whose}"
    if abs(skew) >= SKEW_REFUSED:
        return Checked("clock", "bad", f"{told}: signed requests are refused", "Set the clock.")
    if abs(skew) >= SKEW_NOTED:
        return Checked("clock", "note", told, "Set the clock.")
    return Checked("clock", "good", "this computer's clock is right")
