"""A model over a bad network: parts are tried again, a second run goes on with the first one's, nothing is sent twice."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from fleet.model.errors import FleetError, StoreError
from fleet.store.amazon import forget_buckets
from fleet.store.remote import PART
from fleet.workloads.deepracer.export.delivering import deliver
from fleet.workloads.deepracer.export.multipart import parts_of
from fleet.workloads.deepracer.export.patience import Patience, RefusedError
from fleet.workloads.deepracer.export.s3_target import S3Target, open_target
from fleet.workloads.deepracer.export.staging import Staged
from fleet.workloads.deepracer.export.target import MOST_STRANGE
from fleet.workloads.deepracer.pointers import COACH
from tests.unit.deepracer.cutting import Relay, relay_before
from tests.unit.store.test_setting_up import rclone_s3

__all__ = ["rclone_s3"]

MB = 1 << 20
LARGE = 3 * PART + 12345
DATA = "model/7_Step-7.ckpt.data-00000-of-00001"
STEM = "7_Step-7.ckpt"


@pytest.fixture(params=["moto", "rclone"])
def relay(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """Before a server that holds an empty bucket."""
    if request.param == "moto":
        bucket = str(request.getfixturevalue("s3_url")).split("/")[2]
        server = request.getfixturevalue("s3_server")
    else:
        bucket = str(request.getfixturevalue("rclone_s3")).split("/")[2]
        server = os.environ["AWS_ENDPOINT_URL_S3"]
    with relay_before(server) as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", made.url)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("BUCKET", bucket)
        forget_buckets()
        yield made
    forget_buckets()


@pytest.fixture
def target(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> S3Target:
    return open_target(os.environ["BUCKET"], "models/a-1", Patience(pause=lambda _seconds: None))


@pytest.fixture
def staged(tmp_path: Path) -> list[Staged]:
    """A large file, a small one, and the pointer."""
    files = {DATA: random.Random(7).randbytes(LARGE), "model/7_Step-7.ckpt.meta": b"meta", COACH: STEM.encode()}
    return [stage(tmp_path, name, data) for name, data in files.items()]


def stage(folder: Path, name: str, data: bytes) -> Staged:
    path = folder / "staged" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return Staged(name, path, len(data), hashlib.sha256(data).hexdigest())


def quiet(_doing: str, _done: int, _total: int) -> None:
    pass


def send(staged: list[Staged], target: S3Target) -> int:
    return deliver(staged, target, STEM, quiet)


def test_a_connection_that_breaks_again_and_again_only_costs_the_part_it_carried(
    staged: list[Staged], target: S3Target, relay: Relay
) -> None:
    relay.cuts = [2 * MB, 4 * MB, 3 * MB, PART]
    relay.returns = [2 * MB, 6 * MB]
    assert send(staged, target) == sum(one.size for one in staged)
    assert relay.broken == 6
    assert relay.sent < LARGE + 4 * PART + MB
    assert target.patience.failed >= 5
    assert target.digest(DATA) == staged[0].sha256


def test_a_second_run_goes_on_with_the_parts_that_got_through_and_a_third_sends_nothing(
    staged: list[Staged], target: S3Target, relay: Relay
) -> None:
    def die(doing: str, done: int, _total: int) -> None:
        relay.dead = doing == "sending" and done >= 2 * PART

    with pytest.raises(StoreError) as told:
        deliver(staged, target, STEM, die)
    assert "the same command again goes on with it" in str(told.value)
    relay.dead, relay.sent = False, 0
    assert target.sizes() == {}, "nothing of it can be loaded, not even by half"
    send(staged, target)
    assert relay.sent < LARGE - 2 * PART + MB
    assert set(target.sizes()) == {one.name for one in staged}
    relay.sent = 0
    assert send(staged, target) == 0
    assert relay.sent < 100_000


def test_an_end_whose_answer_is_lost_is_no_failure(staged: list[Staged], target: S3Target, relay: Relay) -> None:
    real = target.client.complete_multipart_upload
    calls: list[int] = []

    def lost(**wish: object) -> object:
        answer = real(**wish)
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionResetError("the answer was lost")
        return answer

    target.client.complete_multipart_upload = lost
    send(staged, target)
    assert target.digest(DATA) == staged[0].sha256


def test_an_upload_of_another_file_is_left_alone(staged: list[Staged], target: S3Target) -> None:
    """Somebody began it under the same key."""
    key = {"Bucket": target.bucket, "Key": f"{target.prefix}/{DATA}"}
    began = target.client.create_multipart_upload(**key)["UploadId"]
    target.client.upload_part(**key, UploadId=began, PartNumber=1, Body=b"x" * PART)
    target.client.upload_part(**key, UploadId=began, PartNumber=2, Body=list(parts_of(staged[0].path))[1])
    send(staged, target)
    assert target.digest(DATA) == staged[0].sha256


@pytest.mark.parametrize("relay", ["moto"], indirect=True)
def test_a_place_that_holds_something_else_is_refused_and_neighbours_are_nothing_to_it(
    staged: list[Staged], target: S3Target
) -> None:
    put = {"Bucket": target.bucket, "Body": b"x"}
    target.client.put_object(Key="models/a-10/model/.coach_checkpoint", **put)
    target.client.put_object(Key="models/a-1.txt", **put)
    send(staged, target)
    target.client.put_object(Key="models/a-1/model/8_Step-8.ckpt.index", **put)
    target.client.put_object(Key=f"models/a-1/{COACH}", **put)
    with pytest.raises(FleetError) as told:
        send(staged, target)
    assert "holds something else: model/8_Step-8.ckpt.index (not of this export)" in str(told.value)
    assert f"{COACH} (other bytes)" in str(told.value)
    assert target.read(COACH) == b"x", "nothing was written"


@pytest.mark.parametrize("relay", ["moto"], indirect=True)
def test_a_bucket_that_refuses_is_not_asked_again_and_again(
    staged: list[Staged], relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = open_target("nowhere-at-all", "a", Patience(pause=lambda _seconds: None))
    with pytest.raises(RefusedError, match=r"NoSuchBucket|does not exist"):
        send(staged, nowhere)
    assert nowhere.patience.failed == 0


@pytest.mark.parametrize("relay", ["moto"], indirect=True)
def test_what_is_read_back_wrong_is_said(
    staged: list[Staged], target: S3Target, s3_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody writes there between the sending and the reading."""
    other = boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1")
    real = S3Target.digest

    def meanwhile(self: S3Target, name: str) -> str:
        other.put_object(Bucket=target.bucket, Key=f"models/a-1/{COACH}", Body=b"8_Step-8.ckpt")
        return real(self, name)

    monkeypatch.setattr(S3Target, "digest", meanwhile)
    with pytest.raises(StoreError, match="is not what was sent"):
        send(staged, target)


def test_pauses_grow_while_a_bucket_is_busy_and_a_refusal_ends_at_once() -> None:
    pauses: list[float] = []
    patience = Patience(pause=pauses.append)
    answers = [error("SlowDown", 503)] * 3 + [error("InternalError", 500)] * 2

    def ask() -> str:
        if answers:
            raise answers.pop()
        return "done"

    assert patience.until_done("PutObject", ask) == "done"
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0]
    for code, status, tries in (
        ("AccessDenied", 403, 1),
        ("BadDigest", 400, 2),
        ("NeverHeardOf", 400, 2),
        ("SlowDown", 503, 8),
    ):
        asked: list[int] = []

        def refuse(code: str = code, status: int = status, asked: list[int] = asked) -> None:
            asked.append(1)
            raise error(code, status)

        with pytest.raises(RefusedError) as told:
            patience.until_done("PutObject", refuse)
        assert (told.value.code, len(asked)) == (code, tries)
        assert ("goes on with it" in told.value.hint) == (code == "SlowDown")


def error(code: str, status: int) -> Exception:
    answer = {"Error": {"Code": code, "Message": "so it was planned"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    made: Exception = ClientError(answer, "PutObject")
    return made


class Pages:
    """A bucket that tells what it has in pages."""

    def list_objects_v2(self, **wish: Any) -> dict[str, Any]:
        page = int(wish.get("ContinuationToken") or 0)
        found = [{"Key": f"{wish['Prefix']}{page}-{n}", "Size": n} for n in range(1000)]
        more = {"IsTruncated": True, "NextContinuationToken": str(page + 1)} if page < 20 else {}
        return {"Contents": found, **more}


def test_a_long_listing_is_read_page_by_page_until_it_is_plain_that_there_is_something_else() -> None:
    sizes = S3Target(Pages(), "bucket", "a").sizes()
    assert len(sizes) == MOST_STRANGE
    assert sizes["9-999"] == 999
