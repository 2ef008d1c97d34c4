"""From an event as it was written to the event as this fleet knows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fleet.model.errors import JournalError, NewerVersionError
from fleet.model.events import AnyEvent, Event

Raw = dict[str, Any]

CURRENT: Mapping[str, int] = {
    "run-created": 6,
    "stop-requested": 1,
    "run-resumed": 1,
    "note-added": 1,
    "budget-set": 1,
    "budget-warned": 1,
    "launch-intended": 2,
    "launch-succeeded": 1,
    "launch-failed": 1,
    "call-failed": 1,
    "attempt-began": 1,
    "notice-seen": 1,
    "attempt-resumed": 2,
    "work-learned": 1,
    "attempt-relieved": 1,
    "attempt-released": 2,
    "attempt-finished": 1,
    "terminate-intended": 1,
    "boot-examined": 1,
    "attempt-gone": 4,
    "price-changed": 1,
    "prices-filled": 1,
    "lease-extended": 1,
    "volume-made": 1,
    "volume-passed": 1,
    "attach-intended": 1,
    "detach-intended": 1,
    "volume-grow-intended": 1,
    "volume-grow-failed": 1,
    "volume-grown": 1,
    "volume-delete-intended": 1,
    "volume-deleted": 1,
    "orphan-intended": 1,
    "storage-measured": 1,
    "run-ended": 1,
}
"""The version of each type that this fleet writes."""

UPCASTS: Mapping[tuple[str, int], Callable[[Raw], Raw]] = {
    ("run-created", 1): lambda raw: {**raw, "mounts": {}},
    ("run-created", 2): lambda raw: raw,  # its job has no keep_failed
    ("run-created", 3): lambda raw: raw,  # its job has neither deadline nor estimate: both were refused
    ("run-created", 4): lambda raw: raw,  # its job has no workload
    ("run-created", 5): lambda raw: raw,  # its budget is for the run only: those for a day and a month were refused
    ("launch-intended", 1): lambda raw: {**raw, "besides": ()},
    ("attempt-resumed", 1): lambda raw: raw,  # what is resumed from does not tell how long it was trained
    ("attempt-released", 1): lambda raw: {**raw, "saved": None},
    ("attempt-gone", 1): lambda raw: {**raw, "rate": None},
    ("attempt-gone", 2): lambda raw: {**raw, "saved": None},
    ("attempt-gone", 3): lambda raw: {**raw, "saved_step": None, "trained": None},
}
"""(type, version) → the same event one version later."""

_ADAPTER: TypeAdapter[Event] = TypeAdapter(AnyEvent)


def upcast(
    raw: Raw,
    current: Mapping[str, int] = CURRENT,
    upcasts: Mapping[tuple[str, int], Callable[[Raw], Raw]] = UPCASTS,
) -> Raw:
    """Bring a raw event to the current version of its type, step by step.

    Raises NewerVersionError for an unknown type or a newer version (this controller must then only read), JournalError
    for what was never an event.
    """
    kind, version = raw.get("type"), raw.get("v")
    if not isinstance(kind, str) or not isinstance(version, int):
        raise JournalError(f"a journal event has no type or version: {str(raw)[:200]}")
    if kind not in current or version > current[kind]:
        raise NewerVersionError(
            f"the journal holds an event {kind!r} version {version}, which this fleet does not know",
            "Upgrade fleet (pip install -U fleet); until then it only reads.",
        )
    while version < current[kind]:
        step = upcasts.get((kind, version))
        if step is None:
            raise JournalError(f"no upcast from {kind!r} version {version}")
        raw, version = {**step(raw), "v": version + 1}, version + 1
    return raw


def decode(raw: Raw) -> Event:
    """The event that a journal entry holds. Raises as ``upcast`` does."""
    try:
        return _ADAPTER.validate_python(upcast(raw), strict=False)
    except ValidationError as error:
        raise JournalError(f"a journal event does not hold what its type says: {error}") from None


def encode(event: Event) -> Raw:
    """The JSON object to write for an event."""
    return event.model_dump(mode="json")
