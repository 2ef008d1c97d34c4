"""The common manner of every document that fleet writes: frozen, strict about its fields, canonical as bytes."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

FURTHEST = 6e10
"""Seconds: the year 3871. What a document says of a time further away is no time, and cannot be reckoned with."""
MOST_MICROS = 10**18
"""A trillion dollars; more is no price."""
MOST_STEPS = 10**15

Micros = Annotated[int, Field(ge=-MOST_MICROS, le=MOST_MICROS)]
"""Money in integer micro-dollars (1 USD = 1,000,000), so that sums are exact."""

Seconds = Annotated[float, Field(ge=-FURTHEST, le=FURTHEST)]
"""A duration in seconds, or a point in time as seconds since 1970-01-01 UTC.

A field with bounds of its own needs its own type: of two bounds of a kind the wider one would hold."""

Steps = Annotated[int, Field(ge=-MOST_STEPS, le=MOST_STEPS)]
"""How far training is, or how much of it was lost."""


class Frozen(BaseModel):
    """A value: never changed once made; unknown fields are an error, not silence, and so are numbers that are none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def canonical_json(value: Any) -> bytes:
    """The one byte form of a JSON value: sorted keys, no spaces, UTF-8. Equal values give equal bytes.

    Halves of characters, which names of files and messages that tell them may hold, become question marks.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def document_bytes(document: BaseModel) -> bytes:
    """A document's canonical JSON bytes."""
    return canonical_json(document.model_dump(mode="json"))
