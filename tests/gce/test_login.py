"""The login that a bucket on Cloud Storage is opened with, through Google's own library and obstore."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.control.fleets import open_bucket
from fleet.control.home import Home
from fleet.model.across import storage_endpoint
from fleet.model.errors import AlreadyExistsError, StoreError, UnsuitableStoreError
from fleet.providers.gcp import session
from fleet.providers.gcp.login import BucketLogin
from fleet.store.journal import Journal
from fleet.store.objects import Objects
from fleet.store.opening import open_objects
from fleet.store.probe import check_exclusive_creation
from tests.gce.inthread import in_thread
from tests.gce.standing import ACCOUNT, STRANGE, environment

Opened = Callable[[], Objects]


def control(name: str, verb: str, /, **words: Any) -> Any:
    return in_thread().router.control(name, verb, words)


@pytest.fixture
def opened(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """A new bucket, and the environment of a user who is logged in as a service account."""
    for name in STRANGE:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(in_thread().url, tmp_path).items():
        monkeypatch.setenv(name, value)
    session.forget()
    bucket = f"bucket-{secrets.token_hex(6)}"
    control("objects", "make", name=bucket)
    yield lambda: open_bucket(home, f"gs://{bucket}/there")
    control("token", "deny", message="")
    session.forget()


def _calls(since: int) -> set[str]:
    return {one.principal for one in in_thread().router.cloud.calls[since:] if one.method.startswith("objects.")}


def test_a_service_account_opens_the_bucket_and_creation_is_exclusive(opened: Opened) -> None:
    since = len(in_thread().router.cloud.calls)
    objects = opened()
    objects.create("journal/1", b"{}")
    with pytest.raises(AlreadyExistsError):
        objects.create("journal/1", b"[]")
    check_exclusive_creation(objects)
    assert _calls(since) == {ACCOUNT}


def _log_in(file: Path, who: str) -> None:
    """As gcloud leaves a user's login."""
    told = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": who}
    file.write_text(json.dumps({**told, "token_uri": f"{in_thread().url}/token"}))


def test_a_users_login_opens_it_too_and_one_that_is_over_says_what_to_type(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "login.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{in_thread().url}/token")
    _log_in(file, "ada")
    since = len(in_thread().router.cloud.calls)
    objects = opened()
    objects.put("a", b"x")
    assert _calls(since) == {"ada@example.com"}
    control("token", "deny", message="Token has been expired or revoked.")
    session.credentials().token = None
    with pytest.raises(StoreError, match="not valid any more") as refused:
        objects.get("a")
    assert refused.value.hint == "Log in: gcloud auth application-default login"
    control("token", "deny", message="")
    _log_in(file, "bob")  # the same process, after a login
    assert objects.get("a") == b"x"


def test_without_any_login_the_hint_is_the_command(opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    session.forget()
    with pytest.raises(StoreError, match="no Google credentials") as refused:
        opened().get("a")
    assert refused.value.hint == "Log in: gcloud auth application-default login"


def test_a_token_server_that_cannot_be_reached_is_said_to_be_so(opened: Opened, tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "token_uri": "http://127.0.0.1:1/token"}))
    with pytest.raises(StoreError, match="token server does not answer"):
        opened().get("a")


def test_a_token_that_is_not_taken_is_told_as_such() -> None:
    control("objects", "make", name="some-bucket")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOOGLE_BASE_URL", f"{in_thread().url}/objects")
        objects = open_objects("gs://some-bucket", credentials=lambda: {"token": "worn", "expires_at": None})
        with pytest.raises(StoreError, match="credentials are not accepted") as refused:
            objects.get("a")
        assert "gcloud auth application-default login" in refused.value.hint


def test_a_bucket_that_is_not_there_is_told_as_such(opened: Opened, home: Home) -> None:
    with pytest.raises(UnsuitableStoreError, match="bucket does not exist"):
        open_bucket(home, "gs://no-such-bucket").get("a")


def test_the_time_is_the_buckets_and_no_login_is_needed_for_it(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = in_thread().router.cloud.clock
    monkeypatch.setattr(clock, "ahead", 5 * 365 * 86400.0)
    assert abs(open_objects("gs://whatever").now() - clock()) < 5


@pytest.mark.parametrize(("answer", "status"), [("fail", 503), ("fail", 429), ("lose", 0)])
def test_an_answer_that_is_lost_or_refused_for_a_moment_is_asked_for_again(opened: Opened, answer: str, status: int) -> None:
    """429: one object is written once in a second, whatever bursts are let through (Cloud Storage's quotas)."""
    objects = opened()
    control("objects", answer, method="PUT", match="runs/", times=1, status=status)
    objects.put("runs/a", b"x")
    assert objects.get("runs/a") == b"x"


@pytest.mark.parametrize("answer", ["fail", "lose"])
def test_an_entry_of_the_journal_whose_answer_is_lost_is_written_once_and_known_as_ones_own(
    opened: Opened, answer: str
) -> None:
    book = Journal(opened(), "fleet-1", by="me", version="0")
    control("objects", answer, method="PUT", match="journal/", times=1)
    for number in range(3):
        while book.append([{"what": number}]) is None:
            book.refresh()
    entries = Journal(opened(), "fleet-1", by="another", version="0").refresh()
    assert [event["what"] for entry in entries for event in entry.events] == [0, 1, 2]


def test_where_objects_are_may_be_said_as_obstore_and_as_gcloud_know_it() -> None:
    own = {"GOOGLE_BASE_URL": "http://10.0.0.1/objects/"}
    gcloud = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": "https://storage-x.p.googleapis.com/storage/v1/"}
    assert storage_endpoint({}) == "https://storage.googleapis.com"
    assert storage_endpoint(gcloud) == "https://storage-x.p.googleapis.com"
    assert storage_endpoint({**own, **gcloud}) == "http://10.0.0.1/objects"


def test_a_login_is_held_and_not_asked_for_with_every_request(opened: Opened) -> None:
    login = BucketLogin()
    assert login()["token"] == login()["token"]
