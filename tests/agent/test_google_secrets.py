"""A job's secrets on Compute Engine: from Secret Manager, by the service account's token, into memory alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fleet.agent.google_metadata import GoogleMetadata
from fleet.agent.google_secrets import OVERRIDE, GoogleSecrets
from fleet.agent.vault import PATIENCE, MissingSecretError
from fleet.model.errors import StoreError
from tests.agent.gce import ACCOUNT, ADDRESS
from tests.gce.inthread import in_thread
from tests.gce.metadata import Service, metadata_server
from tests.gce.told import Told

CANARY = "canary-77aa-value"


class Bench:
    """A machine and its project's secrets."""

    def __init__(self, service: Service) -> None:
        standing = in_thread()
        self.router, self.url = standing.router, standing.url
        cloud = self.router.cloud
        self.told = service.told[ADDRESS] = Told(
            "fleet-racer-1-0abc", ADDRESS, service_account=ACCOUNT, project=cloud.project
        )
        self.service, self.now = service, 0.0
        api: Any = self.router["secretmanager"]
        api.secrets.clear()
        api.readers.clear()
        api.orders.waiting.clear()
        api.enabled = True
        endpoint = {OVERRIDE: f"{self.url}/secretmanager"}
        self.secrets = GoogleSecrets(GoogleMetadata(service.url), endpoint, monotonic=lambda: self.now)

    def say(self, verb: str, **told: Any) -> None:
        self.router.control("secretmanager", verb, told)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with metadata_server("127.0.0.1", 0) as made:
        yield made


@pytest.fixture
def bench(service: Service) -> Bench:
    service.broken = None
    return Bench(service)


def test_the_newest_version_of_each_is_found(bench: Bench) -> None:
    bench.say("add", name="fleet-HF_TOKEN", value="the old one")
    bench.say("add", name="fleet-HF_TOKEN", value=CANARY)
    bench.say("add", name="fleet-OTHER", value="é")
    bench.say("readers", name="fleet-HF_TOKEN", who=[ACCOUNT])
    assert bench.secrets.find(["OTHER", "HF_TOKEN"]) == {"OTHER": "é", "HF_TOKEN": CANARY}


def test_a_secret_that_nobody_made_is_told_with_the_command_that_makes_it(bench: Bench) -> None:
    bench.say("add", name="fleet-A", value=CANARY)
    with pytest.raises(MissingSecretError) as told:
        bench.secrets.find(["A", "HF_TOKEN"])
    assert told.value.message == "no secret HF_TOKEN: Secret Manager of fleet-test has no fleet-HF_TOKEN"
    assert "gcloud secrets create fleet-HF_TOKEN --project fleet-test --data-file=-" in told.value.hint
    assert CANARY not in str(told.value)


def test_one_that_may_not_be_read_is_told_with_the_role_that_is_missing(bench: Bench) -> None:
    bench.say("add", name="fleet-A", value=CANARY)
    bench.say("readers", name="fleet-A", who=["somebody@else.example"])
    with pytest.raises(MissingSecretError, match="fleet-A cannot be read: Permission") as told:
        bench.secrets.find(["A"])
    assert "roles/secretmanager.secretAccessor on fleet-A" in told.value.hint


def test_a_version_that_is_switched_off_and_an_interface_that_is_are_told_apart(bench: Bench) -> None:
    bench.say("add", name="fleet-A", value=CANARY)
    bench.say("disable", name="fleet-A")
    with pytest.raises(MissingSecretError, match="is in DISABLED state") as told:
        bench.secrets.find(["A"])
    assert told.value.hint == "A version of fleet-A must be enabled."
    bench.say("enabled", enabled=False)
    with pytest.raises(MissingSecretError, match="has not been used") as told:
        bench.secrets.find(["A"])
    assert "gcloud services enable secretmanager.googleapis.com" in told.value.hint


def test_bytes_that_are_no_text_are_refused(bench: Bench) -> None:
    bench.say("add", name="fleet-A", base64="/w==")
    with pytest.raises(MissingSecretError, match="holds no text"):
        bench.secrets.find(["A"])


@pytest.mark.parametrize("status", [429, 500, 503, 401])
def test_refusals_of_the_moment_are_worth_another_try(bench: Bench, status: int) -> None:
    bench.say("add", name="fleet-A", value=CANARY)
    bench.say("fail", status=status, reason="backendError", message="not now")
    with pytest.raises(StoreError, match="refused for now: not now"):
        bench.secrets.find(["A"])
    assert bench.secrets.find(["A"]) == {"A": CANARY}


def test_a_service_out_of_reach_is_waited_for_half_an_hour_and_not_longer(bench: Bench) -> None:
    bench.service.broken = 503
    with pytest.raises(StoreError, match="gives no token"):
        bench.secrets.find(["A"])
    bench.now = PATIENCE + 1
    with pytest.raises(MissingSecretError, match="for 30 minutes the metadata server gives no token"):
        bench.secrets.find(["A"])


def test_a_machine_without_a_service_account_has_no_secrets(bench: Bench) -> None:
    bench.told.service_account = None
    with pytest.raises(MissingSecretError, match="no service account"):
        bench.secrets.find(["A"])
