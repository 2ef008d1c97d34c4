"""What people name by mistake for a model's folder or prefix. Pure, but for a look whether a folder is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.prefix import Stat
from fleet.workloads.deepracer.sets import MODEL, sets_of

SHOWN = 5
"""Prefixes that a message names at most."""


def must_be_a_model(where: str, listing: Mapping[str, Stat]) -> None:
    """What people name by mistake is told from a model that has not much yet. Raises FleetError."""
    if not listing:
        if Path(where).is_dir():
            return  # a folder in which only signals were
        raise FleetError(f"there is nothing at {where}", "Name the model's folder or prefix: the one that holds model/.")
    if any(name.startswith(MODEL) and name.endswith("/xl.meta") for name in listing):
        hint = "Name it as s3://bucket/prefix, with AWS_ENDPOINT_URL and MinIO's keys in the environment."
        raise FleetError(f"{where} is MinIO's own storage, whose files only MinIO may touch", hint)
    if any(name.startswith((MODEL, "ip/", "training_params")) for name in listing):
        return
    if sets_of({MODEL + name: stat for name, stat in listing.items()}):
        raise FleetError(f"{where} is a model's inner folder", "Name the one that it lies in.")
    held = sorted({name.rpartition(f"/{MODEL}")[0] for name in listing if f"/{MODEL}" in name})
    more = f" and {len(held) - SHOWN} more" if len(held) > SHOWN else ""
    hint = f"Below it are: {', '.join(held[:SHOWN])}{more}." if held else "A model's folder or prefix holds model/."
    raise FleetError(f"{where} is no model", hint)
