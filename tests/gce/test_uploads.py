"""Uploads in parts that nobody finished, found and given up, page by page."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp import session
from fleet.providers.gcp.uploads import abort, unfinished
from tests.gce import objects_xml
from tests.gce.buckets import Bucket
from tests.gce.inthread import in_thread
from tests.gce.objects_api import buckets
from tests.gce.standing import STRANGE, environment


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    for name in STRANGE:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(in_thread().url, tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(objects_xml, "PAGE", 2)
    session.forget()
    cloud = in_thread().router.cloud
    made = Bucket(f"bucket-{secrets.token_hex(6)}")
    buckets(cloud)[made.name] = made
    for number in range(5):
        upload = made.begin(f"runs/r{number}/a b+ü", 1000.0 + number, "")
        for part in range(1, 2 + number):
            made.part(upload, part, b"x" * 10)
    made.begin("other/key", 1.0, "")
    yield made
    session.forget()


def test_every_one_below_a_prefix_is_found_with_what_it_weighs(bucket: Bucket) -> None:
    found = unfinished(bucket.name, "runs/")
    assert [(one.key, one.begun_at, one.size) for one in found] == [
        (f"runs/r{number}/a b+ü", 1000.0 + number, 10 * (1 + number)) for number in range(5)
    ]
    assert len(unfinished(bucket.name)) == 6


def test_one_that_is_given_up_is_gone_and_again_is_harmless(bucket: Bucket) -> None:
    first, *others = unfinished(bucket.name)
    abort(bucket.name, first)
    abort(bucket.name, first)
    assert unfinished(bucket.name) == others


def test_what_is_refused_is_told_by_its_class(bucket: Bucket) -> None:
    bucket.allowed = lambda _principal, permission, _resource: permission != "storage.multipartUploads.list"
    with pytest.raises(ProviderError, match="AccessDenied") as refused:
        unfinished(bucket.name)
    assert refused.value.error_class is ErrorClass.DENIED
