"""One moto server for the agent's tests; the machine's credentials are its role's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.aws.moto import Moto, moto_server


@pytest.fixture(scope="session")
def cloud() -> Iterator[Moto]:
    with moto_server() as made:
        yield made
