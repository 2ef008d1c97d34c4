from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gce.bench import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Whatever a test does with it, no discovery document is broken."""
    made = Bench()
    yield made
    assert made.router.cloud.faults == []
