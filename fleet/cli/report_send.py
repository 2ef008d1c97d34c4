"""``fleet report --night --send``: kept in the bucket, and sent once, with those that could not be sent before."""

from __future__ import annotations


def send_night(bucket: str | None, *, as_json: bool) -> int:
    """Send yesterday's report to whom the user named; 1 if somebody was not reached."""
    raise NotImplementedError((bucket, as_json))
