"""One moto server for all, emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader

from fleet.providers.aws.session import forget_clients
from fleet.store import probe
from tests.aws.account import Account
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


@pytest.fixture(scope="session")
def models() -> Iterator[None]:
    """botocore's models, read once for all sessions: reading EC2's takes longer than the calls of a test."""
    read, known = JSONFileLoader.load_file, dict[str, Any]()

    def once(self: JSONFileLoader, file_path: str) -> Any:
        if file_path not in known:
            known[file_path] = read(self, file_path)
        return known[file_path]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", once)
        yield


@pytest.fixture
def account(moto: Moto, models: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """A user's computer before the empty cloud.

    The probe of exclusive creation has one writer: on a busy computer moto, which looks and then writes, lets two of many
    win, and is refused with good reason.
    """
    monkeypatch.setattr(probe, "KEYS", 1)
    monkeypatch.setattr(probe, "WRITERS", 1)
    return Account(tmp_path)
