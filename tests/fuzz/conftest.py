"""What all of these tests need: a moment is a moment, whatever other tests of the process have loaded."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def _alone() -> Iterator[None]:
    """Large libraries that earlier tests have imported are not to be gone through in the times that are measured here."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
