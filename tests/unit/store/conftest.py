"""Buckets of every kind: a folder, memory, and servers reached over HTTP: S3 (moto), and Cloud Storage (its stand-in)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import ThreadedMotoServer

from fleet.store.objects import Objects
from fleet.store.opening import open_objects
from tests.aws.moto_app import one_at_a_time
from tests.gce.inthread import in_thread

Opener = Callable[[], Objects]
"""Opens the bucket once more, as another process would; memory has but one."""


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:  # of several writers that want to be the first, one is
        patch.setattr(DomainDispatcherApplication, "__call__", one_at_a_time)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture
def s3_url(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket on the S3 server, which the environment names."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    name = f"bucket-{secrets.token_hex(6)}"
    boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1").create_bucket(Bucket=name)
    return f"s3://{name}/some/prefix"


@pytest.fixture
def gs_url(monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket on the stand-in for Cloud Storage, which the environment names."""
    google = in_thread()
    monkeypatch.setenv("GOOGLE_BASE_URL", f"{google.url}/objects")
    name = f"bucket-{secrets.token_hex(6)}"
    google.router.control("objects", "make", {"name": name})
    return f"gs://{name}/some/prefix"


@pytest.fixture
def token() -> Callable[[], dict[str, object]]:
    """An access token as obstore takes it."""
    return lambda: {"token": in_thread().router.control("token", "issue", {"principal": "a@b"}), "expires_at": None}


@pytest.fixture(params=["folder", "memory", "s3", "gs"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    if request.param == "memory":
        only = open_objects("memory://")
        return lambda: only
    if request.param == "gs":
        there, credentials = request.getfixturevalue("gs_url"), request.getfixturevalue("token")
        return lambda: open_objects(there, credentials=credentials)
    url = (tmp_path / "bucket").as_uri() if request.param == "folder" else request.getfixturevalue("s3_url")
    return lambda: open_objects(url)


@pytest.fixture
def objects(opener: Opener) -> Objects:
    return opener()
