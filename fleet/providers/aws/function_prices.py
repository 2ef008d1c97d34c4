"""What the controller in the account costs a month, by what it calls. Pure; prices of most regions, free tiers left out."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.model.base import Micros

GB_SECOND = 13.3334
"""Micro-dollars for a GB and second of Lambda on arm64; on x86_64 a quarter more."""
REQUEST = 0.2
"""For one call of the function. Schedules cost nothing below fourteen million calls a month, EC2's own events nothing."""
GET = 0.4
LIST_OR_PUT = 5.0
LOG_BYTE = 0.5e6 / 1e9
MEMORY_GB = 0.25
"""Of the function: 256 MB."""
MINUTES, HOURS = 43_200, 720
"""Of a month of thirty days."""


@dataclass(frozen=True, slots=True)
class Use:
    """A month of it."""

    calls: int
    seconds: float
    """Of each call, as billed."""
    gets: float
    """Of each call, from the bucket."""
    lists_and_puts: float
    """Of each call."""
    log_bytes: float
    """Of each call: what Lambda itself writes of a call, mostly."""


IDLE = Use(calls=HOURS, seconds=7.9, gets=18, lists_and_puts=4, log_bytes=500)
"""Nothing lives: one call each hour, from a cold start, a second of a whole processor, and seconds of its own."""
ONE_RUN = Use(calls=MINUTES + 200, seconds=0.38, gets=2.6, lists_and_puts=0.14, log_bytes=400)
"""One run lives, and is interrupted some times a day: one call each minute, and one for each event.

Both as tests/aws/test_function_cost.py counts them."""


def monthly_cost(use: Use) -> Micros:
    """Micro-dollars a month."""
    each = use.seconds * MEMORY_GB * GB_SECOND + REQUEST + use.gets * GET
    each += use.lists_and_puts * LIST_OR_PUT + use.log_bytes * LOG_BYTE
    return round(use.calls * each)
