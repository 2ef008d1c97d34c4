"""Every test of the contract runs on every bench."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.benches import BENCHES, Desk


@pytest.fixture(params=sorted(BENCHES))
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    bench = BENCHES[request.param](tmp_path)
    yield Desk(bench)
    bench.close()
