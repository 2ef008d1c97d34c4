"""What lies in the fleet's bucket, and what is asked of it: counted once a day, for the ledger."""

from __future__ import annotations

from fleet.core.pace import pace_of
from fleet.core.state import FleetState, StorageRecord
from fleet.model.base import Seconds
from fleet.model.events import StorageMeasured

MEASURE_EVERY: Seconds = 86_400
FIRST_AFTER: Seconds = 3600
AT_LEAST: Seconds = MEASURE_EVERY / 2
"""Of two controllers that count in the same night the first is believed: so much lies between two counts."""
LOOK_EVERY: Seconds = 10
"""A controller looks so often while a machine lives: at the journal's next number, and at the list of heartbeats."""


def measured(known: tuple[StorageRecord, ...], event: StorageMeasured) -> tuple[StorageRecord, ...]:
    """All counts after one more. One that comes too early tells nothing new; requests never become fewer."""
    last = known[-1] if known else None
    if last is not None and event.at < last.at + AT_LEAST:
        return known
    put, get = (event.put, event.get) if last is None else (max(event.put, last.put), max(event.get, last.get))
    fields = event.model_dump(exclude={"type", "v", "put", "get"})
    return (*known, StorageRecord(**fields, put=put, get=get))


def due(state: FleetState, now: Seconds) -> bool:
    """Whether the bucket shall be counted: the last count is a day old; the first comes an hour after its first run."""
    if state.storage:
        return now >= state.storage[-1].at + MEASURE_EVERY
    first = next(iter(state.runs.values()), None)
    return first is not None and now >= first.created_at + FIRST_AFTER


def requests_so_far(state: FleetState, objects: int, now: Seconds) -> tuple[int, int]:
    """How many requests there have been about, in the fleet's whole life: those like writing, and those like reading.

    One for each entry and each object that lies there, and what machines and one controller ask at their intervals.
    """
    put, get, busy = float(state.head + objects), float(state.head), 0.0
    reached = 0.0
    for start, end, provider in sorted(_lives(state, now)):
        every = pace_of(provider).intervals
        put += (end - start) / every.heartbeat
        get += (end - start) / every.desired
        busy += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return round(put + busy / LOOK_EVERY), round(get + busy / LOOK_EVERY)


def _lives(state: FleetState, now: Seconds) -> list[tuple[Seconds, Seconds, str]]:
    return [
        (attempt.launched_at, attempt.ended_at if attempt.ended_at is not None else now, attempt.offer.provider)
        for run in state.runs.values()
        for attempt in run.attempts.values()
        if attempt.launched_at is not None
        and attempt.offer is not None
        and (attempt.ended_at if attempt.ended_at is not None else now) > attempt.launched_at
    ]
