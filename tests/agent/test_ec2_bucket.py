"""The bucket as a machine of EC2 opens it: by the credentials of its role, in the region where the bucket is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest

from fleet.model.across import BUCKET_REGION
from fleet.model.errors import StoreError
from fleet.store.amazon import _metadata_endpoint, forget_buckets, regions_of
from fleet.store.opening import open_objects
from tests.agent.ec2 import ROLE, FakeEc2
from tests.aws.moto import CREDENTIALS, STRANGE, Moto


@pytest.fixture
def ec2(tmp_path: Path, cloud: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEc2]:
    cloud.forget()
    forget_buckets()
    made = FakeEc2(tmp_path / "root")
    for name in (*CREDENTIALS, *STRANGE, BUCKET_REGION):
        monkeypatch.delenv(name, raising=False)
    for name, value in made.env(AWS_ENDPOINT_URL=cloud.url).items():
        monkeypatch.setenv(name, value)
    s3 = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    s3.create_bucket(Bucket="fleet-bucket")
    yield made
    made.close()
    forget_buckets()


def test_it_is_opened_with_the_roles_credentials_and_nothing_else(ec2: FakeEc2) -> None:
    objects = open_objects("s3://fleet-bucket/there")
    objects.put("runs/a", b"x")
    assert objects.get("runs/a") == b"x"
    assert f"{ROLE}/fleet-role" in ec2.service.asked
    asked = len(ec2.service.asked)
    objects.get("runs/a")
    assert len(ec2.service.asked) == asked  # they are held


def test_credentials_that_are_about_to_expire_are_renewed(ec2: FakeEc2) -> None:
    ec2.service.good_for = 30
    objects = open_objects("s3://fleet-bucket/there")
    objects.put("runs/a", b"x")
    time.sleep(0.3)  # obstore asks anew no more often than every tenth of a second
    asked = ec2.service.asked.count(f"{ROLE}/fleet-role")
    objects.get("runs/a")
    assert ec2.service.asked.count(f"{ROLE}/fleet-role") > asked


def test_a_machine_without_a_role_cannot_and_one_that_gets_it_later_can(ec2: FakeEc2) -> None:
    ec2.service.keys, held = None, ec2.service.keys
    objects = open_objects("s3://fleet-bucket/there")
    with pytest.raises(StoreError):
        objects.get("runs/a")
    ec2.service.keys = held
    objects.put("runs/a", b"x")
    assert objects.get("runs/a") == b"x"


def test_the_time_is_the_buckets_also_behind_an_endpoint_of_ones_own(ec2: FakeEc2, monkeypatch: pytest.MonkeyPatch) -> None:
    right = time.time()
    monkeypatch.setattr(time, "time", lambda: right + 3600)  # the machine's own clock is wrong
    objects = open_objects("s3://fleet-bucket/there")
    assert abs(objects.now() - right) < 10


def test_the_metadata_of_a_local_machine_are_not_asked_for_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLEET_MACHINE", raising=False)
    monkeypatch.setenv("FLEET_METADATA_URL", "http://127.0.0.1:1")
    assert _metadata_endpoint() == "http://169.254.169.254"
    monkeypatch.setenv("FLEET_MACHINE", "ec2")
    assert _metadata_endpoint() == "http://127.0.0.1:1"


# --- its region


class Amazon:
    """S3 as it answers whoever may not look: with a refusal that names the region."""

    def __init__(self) -> None:
        self.status, self.region = 403, "eu-central-1"
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                outer.asked.append(self.path)
                self.send_response(outer.status)
                if outer.region:
                    self.send_header("x-amz-bucket-region", outer.region)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def amazon() -> Iterator[Amazon]:
    made = Amazon()
    yield made
    made.close()


@pytest.mark.parametrize("status", [200, 301, 400, 403])
def test_secrets_are_looked_for_where_the_machine_is_then_where_the_bucket_is(
    ec2: FakeEc2, amazon: Amazon, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    amazon.status = status
    monkeypatch.setenv("AWS_ENDPOINT_URL", amazon.url)
    open_objects("s3://my.bucket/there")
    assert regions_of("my.bucket") == ("us-east-1", "eu-central-1")
    assert amazon.asked == ["/my.bucket"]  # the clock's question told it


def test_where_it_is_one_region_or_the_bucket_does_not_tell_that_one_is_asked(
    ec2: FakeEc2, amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", amazon.url)
    amazon.region = ""
    open_objects("s3://a-bucket")
    assert regions_of("a-bucket") == ("us-east-1",)
    amazon.region = "us-east-1"
    open_objects("s3://b-bucket")
    assert regions_of("b-bucket") == ("us-east-1",)
    monkeypatch.setenv(BUCKET_REGION, "ap-south-1")
    assert regions_of("b-bucket") == ("us-east-1", "ap-south-1")
