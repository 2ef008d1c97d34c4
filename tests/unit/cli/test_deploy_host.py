"""Before a host is touched: which buckets it is to look after, what must lie in them; and names of hosts that complete."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fleet.cli import deploy_host
from fleet.cli.complete import ssh_hosts
from fleet.control.home import Home
from fleet.model.errors import FleetError


def test_the_buckets_are_those_that_were_named_else_those_that_others_can_reach(home: Home) -> None:
    home.remember_bucket("s3://one")
    home.remember_bucket("file:///here")
    home.remember_bucket("gs://two")
    assert deploy_host._wanted_buckets(home, ()) == ("s3://one", "gs://two")
    assert deploy_host._wanted_buckets(home, ["s3://other", "s3://other"]) == ("s3://other",)
    with pytest.raises(FleetError, match="is on this computer") as told:
        deploy_host._wanted_buckets(home, ["s3://one", "file:///here"])
    assert "controller install" in told.value.hint


@pytest.mark.parametrize(
    ("set_up", "upload", "put", "clouds"),
    [
        (("aws",), True, 1, ("aws",)),
        (("gcp",), True, 1, ("aws", "gcp")),
        (("aws",), False, 0, ("aws",)),
        ((), True, 0, ("aws",)),
    ],
)
def test_what_its_machines_unpack_is_put_into_the_bucket_from_here(
    home: Home, monkeypatch: pytest.MonkeyPatch, set_up: tuple[str, ...], upload: bool, put: int, clouds: tuple[str, ...]
) -> None:
    """The host has no pip. Looking writes nothing. It needs the libraries of the bucket's cloud and of the machines'."""
    made: list[Any] = []
    observer = SimpleNamespace(providers=dict.fromkeys(("local", *set_up)))
    opened = SimpleNamespace(objects="the bucket", observer=observer)
    monkeypatch.setattr("fleet.control.fleets.open_fleet", lambda _home, _url: opened)
    monkeypatch.setattr("fleet.boot.wheelhouse.ensure_wheels", lambda objects, _version, tell: made.append(objects))
    assert deploy_host._prepare(home, ("s3://one",), upload=upload) == clouds
    assert made == ["the bucket"] * put


def test_hosts_of_the_ssh_configuration_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ssh_hosts("") == []
    (tmp_path / ".ssh").mkdir()
    config = "Host pi pi-two *.lan !bad\n  HostName 10.0.0.2\nHost=vm\nMatch all\nHost *\n"
    (tmp_path / ".ssh" / "config").write_text(config)
    assert ssh_hosts("") == ["pi", "pi-two", "vm"]
    assert ssh_hosts("me@p") == ["me@pi", "me@pi-two"]
