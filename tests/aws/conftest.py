"""One moto server for all, emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fleet.providers.aws.session import forget_clients
from tests.aws.moto import STRANGE, Moto, moto_server


@pytest.fixture(scope="session")
def server() -> Iterator[Moto]:
    with moto_server() as made:
        yield made


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[object]:
    """A fleet that was set up, in an empty account of the standing cloud, behind its recorder (``tests.aws.bench.Rig``)."""
    from tests.aws.bench import Rig
    from tests.aws.ground import make_setup
    from tests.aws.standing import standing_cloud

    proxy = standing_cloud(monkeypatch)
    made = Rig(proxy, make_setup("f1"), request.getfixturevalue("tmp_path") / "aws")
    proxy.forget()
    yield made
    proxy.forget()


@pytest.fixture
def moto(server: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moto]:
    """An empty cloud that the environment leads to."""
    for name in STRANGE:
        monkeypatch.delenv(name, raising=False)
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    server.forget()
    forget_clients()
    yield server
    forget_clients()
