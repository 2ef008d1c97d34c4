"""One moto server for all, emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.providers.aws.session import forget_clients
from tests.aws.bench import Account
from tests.aws.ground import make_setup
from tests.aws.moto import STRANGE, Moto, moto_server
from tests.aws.standing import standing_cloud


@pytest.fixture(scope="session")
def server() -> Iterator[Moto]:
    with moto_server() as made:
        yield made


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


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Account]:
    """A fleet that was set up, in an empty account, behind the recorder."""
    proxy = standing_cloud(monkeypatch)
    made = Account(proxy, make_setup("f1"), tmp_path / "aws")
    proxy.forget()
    yield made
    proxy.forget()
