"""The racer on a market of two zones: measured K80 capacity where the traces are at hand, and a drawn one always."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet.providers.local.market import set_market
from tests.system import traces
from tests.system.conftest import RacerShell

pytestmark = pytest.mark.system

MEASURED = "availability/1-node/aws-2022-12-13"
ITERATIONS = 300
START = 2495
"""In this stretch both zones of us-west-2 lose their K80 capacity every five to twenty steps."""


def measured(_folder: Path) -> dict[str, Any]:
    """us-west-2a and b, ten minutes of the trace in a second."""
    found = traces.folder()
    assert found is not None
    files = {f"here-{zone}": str(found / MEASURED / f"us-west-2{zone}_k80_1.json") for zone in "ab"}
    return {"kind": "trace", "zones": files, "start": START, "tick": 1.0, "epoch": time.time()}


def drawn(folder: Path) -> dict[str, Any]:
    """Two zones in the same format, drawn: up for eight steps, down for two on average."""
    files = {}
    for zone in "ab":
        chance = random.Random(f"zone {zone}")
        data: list[int] = []
        while len(data) < 3000:
            data += [1] * max(3, round(chance.expovariate(1 / 8))) + [0] * max(1, round(chance.expovariate(1 / 2)))
        files[f"here-{zone}"] = str(folder / f"{zone}.json")
        Path(files[f"here-{zone}"]).write_text(json.dumps({"metadata": {"gap_seconds": 600}, "data": data}))
    return {"kind": "trace", "zones": files, "tick": 1.0, "epoch": time.time()}


MARKETS = [drawn, *([measured] if traces.folder() is not None else [])]


@pytest.mark.parametrize("market", MARKETS, ids=lambda market: market.__name__)
def test_on_a_market_of_two_zones_the_model_is_the_same(
    shell: RacerShell, uninterrupted: Callable[[int], str], market: Callable[[Path], dict[str, Any]]
) -> None:
    job = shell.racer(ITERATIONS, pace=0.1)
    set_market(shell.home.local, market(shell.folder))
    told = json.loads(shell.run("up", job, "-o", "json", timeout=280)[0])
    assert told["state"] == "succeeded"
    assert told["interruptions"] >= 2
    assert shell.model() == uninterrupted(ITERATIONS)
    assert told["cost_usd"] < told["on_demand_usd"]
