"""The common manner of every document that fleet writes: frozen, strict about its fields, canonical as bytes."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict

Micros = int
"""Money in integer micro-dollars (1 USD = 1,000,000), so that sums are exact."""

Seconds = float
"""A duration in seconds, or a point in time as seconds since 1970-01-01 UTC."""


class Frozen(BaseModel):
    """A value: never changed once made; unknown fields are an error, not silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


def canonical_json(value: Any) -> bytes:
    """The one byte form of a JSON value: sorted keys, no spaces, UTF-8. Equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def document_bytes(document: BaseModel) -> bytes:
    """A document's canonical JSON bytes."""
    return canonical_json(document.model_dump(mode="json"))
