"""The named markets: calm, average and stormy, whose pools behave as measured ones did (climates.json)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fleet.backtest.market import Climate, Drawn
from fleet.backtest.sold import regions_for, types_for
from fleet.model.job import Job

NAMES = ("calm", "average", "stormy")


@functools.cache
def parameters() -> Mapping[str, Any]:
    """The file, with its provenance."""
    found: Mapping[str, Any] = json.loads(Path(__file__).with_name("climates.json").read_bytes())
    return found


def climate(name: str) -> Climate:
    """How the pools of a named market behave."""
    told = parameters()
    found = told["markets"][name]
    return Climate(tuple(found["up"]), tuple(found["down"]), told["share"], told["level"], told["move"])


def named_market(name: str, job: Job) -> Drawn:
    """A named market that sells what a job may be served by, where it may go."""
    notes = [f"the market {name!r} is drawn: each pool on its own, as {_measured(name)} measured pools behaved"]
    types = types_for(job, notes)
    return Drawn(name, types, regions_for(job), climate(name), tuple(dict.fromkeys(notes)))


def _measured(name: str) -> int:
    return len(parameters()["markets"][name]["traces"])
