"""One bucket, several homes."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.control.fleets import open_fleet
from fleet.control.home import Home
from fleet.control.runs import start_run
from fleet.model.errors import ErrorClass, FleetError, ProviderError
from fleet.model.job import Job
from fleet.providers.local.provider import LocalProvider
from fleet.providers.wrap import Guard


def test_machines_of_another_home_are_not_taken_for_gone(tmp_path: Path, home: Home) -> None:
    bucket = (tmp_path / "bucket").as_uri()
    mine = open_fleet(home, bucket, create=True)
    run = start_run(mine, Job(name="sleeper", run="sleep 100"), tmp_path)
    mine.tick()
    (tmp_path / "other").mkdir()
    stranger = open_fleet(Home(tmp_path / "other"), bucket)
    for _ in range(5):
        tick = stranger.tick()
        assert tick.events == ()
        assert not [a for a in tick.actions if type(a).__name__ in ("Launch", "Terminate")]
    assert any("local machines live in" in why for why in stranger.observer.troubles.values())
    assert list(stranger.state.runs[run.run_id].attempts) == [1]
    again = open_fleet(home, bucket)
    again.tick()
    assert not again.observer.troubles


def test_a_home_has_one_identity(tmp_path: Path) -> None:
    first = Home(tmp_path)
    assert first.identity() == Home(tmp_path).identity()
    assert len(first.identity()) == 16
    assert [p.name for p in tmp_path.iterdir()] == ["home-id"]


def test_there_is_no_fleet_where_none_was_made(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="there is no fleet"):
        open_fleet(Home(tmp_path), (tmp_path / "bucket").as_uri())


def test_what_a_provider_did_not_foresee_is_a_class_of_error(tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.mkdir()
    guarded = Guard(LocalProvider(local, "f"))
    (local / "market.json").write_text('{"kind": "trace", "zones": {"here-a": "/gone"}, "epoch": 0}')
    with pytest.raises(ProviderError) as told:
        guarded.offers()
    assert told.value.error_class is ErrorClass.TRANSIENT
    assert "/gone" in told.value.message
    (local / "instances" / "i-1").mkdir(parents=True)
    (local / "instances" / "i-1" / "instance.json").write_text('{"tags": {"fleet": "f"}}')
    with pytest.raises(ProviderError) as told:
        guarded.list("here")
    assert told.value.error_class is ErrorClass.UNKNOWN
