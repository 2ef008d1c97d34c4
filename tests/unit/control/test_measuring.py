"""The bucket is counted once a day, by whoever runs, and a large one over several rounds."""

from __future__ import annotations

from pathlib import Path

import pytest
from obstore.store import MemoryStore

from fleet.control import measuring
from fleet.control.controller import Controller
from fleet.control.measuring import StorageMeter
from fleet.core.storage import FIRST_AFTER, MEASURE_EVERY
from fleet.model.errors import StoreError
from fleet.model.setup import AwsSetup
from fleet.store.files import FileObjects
from fleet.store.journal import Journal
from fleet.store.remote import RemoteObjects
from tests.unit.core.ledger.stories import created, folded

SETUP = AwsSetup(
    fleet_id="f", account="1", bucket="b", bucket_region="eu-central-1", instance_profile="p", made_at=0.0
)  # fmt: skip


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> RemoteObjects:
    monkeypatch.setattr(measuring, "aws_setup", lambda _objects: SETUP)
    return RemoteObjects(MemoryStore(), "memory://", lambda: 0.0)


def test_what_lies_there_is_counted_whole_also_in_several_rounds(bucket: RemoteObjects) -> None:
    for number in range(2500):
        bucket.put(f"runs/{number:05d}", b"12345678")
    hurried = iter(float(second) for second in range(0, 10_000, 100))  # every page takes longer than a round may
    meter, state = StorageMeter(bucket, clock=lambda: next(hurried)), folded([created()])
    rounds = [meter.look(state, FIRST_AFTER + n) for n in range(4)]
    told = [one for one in rounds if one is not None]
    assert rounds[0] is None
    assert [(one.bytes, one.objects, one.provider, one.region) for one in told] == [(20_000, 2500, "aws", "eu-central-1")]


def test_half_a_count_of_another_day_is_begun_anew(bucket: RemoteObjects) -> None:
    """Another controller was faster: what this one had counted until then may have been deleted since."""
    for number in range(2500):
        bucket.put(f"runs/{number:05d}", b"12345678")
    hurried = iter(float(second) for second in range(0, 10_000, 100))
    meter, state = StorageMeter(bucket, clock=lambda: next(hurried)), folded([created()])
    assert meter.look(state, FIRST_AFTER) is None
    bucket.delete([f"runs/{number:05d}" for number in range(2500)])
    told = meter.look(state, FIRST_AFTER + MEASURE_EVERY)
    assert told is not None
    assert (told.bytes, told.objects) == (0, 0)


def test_it_is_counted_once_a_day(bucket: RemoteObjects) -> None:
    journal = Journal(bucket, "f", by="me", version="0")
    controller = Controller(bucket, journal, "f", {})
    controller.record([created()])
    counted = []
    for hour in range(60):
        counted += [(hour, one.type) for one in controller._measure(hour * 3600.0)]
    assert counted == [(1, "storage-measured"), (25, "storage-measured"), (49, "storage-measured")]
    assert [one.at for one in controller.state.storage] == [3600.0, 3600.0 + MEASURE_EVERY, 3600.0 + 2 * MEASURE_EVERY]


def test_a_bucket_that_cannot_be_listed_is_tried_again_an_hour_later(
    bucket: RemoteObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refused(_self: object, _after: object, _go_on: object) -> tuple[int, int, None]:
        asked.append(1)
        raise StoreError("denied")

    monkeypatch.setattr(RemoteObjects, "tally", refused)
    meter, state = StorageMeter(bucket), folded([created()])
    assert [meter.look(state, at) for at in (4000.0, 4010.0, 7000.0, 7601.0)] == [None] * 4
    assert len(asked) == 2


def test_a_folder_is_not_counted(tmp_path: Path) -> None:
    assert StorageMeter(FileObjects(tmp_path, lambda: 0.0)).look(folded([created()]), 1e6) is None
