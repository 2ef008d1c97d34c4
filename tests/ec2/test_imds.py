"""The emulated metadata service is as strict as Amazon's: a client that gets by with less must fail against it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.ec2.imds import Service, metadata_service
from tests.ec2.told import Told

MACHINE, OTHER, STRANGER = "127.0.0.5", "127.0.0.6", "127.0.0.7"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"


class Client:
    """Something that asks from an address of its own."""

    def __init__(self, service: Service, address: str) -> None:
        self._where, self._address = urlsplit(service.url), address

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(
            self._where.hostname or "", self._where.port, timeout=5, source_address=(self._address, 0)
        )
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        found = answer.status, answer.read().decode()
        connection.close()
        return found

    def token(self, seconds: int = 60) -> str:
        status, token = self.ask("PUT", "/latest/api/token", **{TTL: str(seconds)})
        assert status == 200
        return token

    def get(self, path: str) -> tuple[int, str]:
        return self.ask("GET", path, **{TOKEN: self.token()})


@pytest.fixture
def service() -> Iterator[Service]:
    with metadata_service("127.0.0.1", 0) as made:
        made.told[MACHINE] = Told("i-1", MACHINE, user_data=b"#cloud-config\n", role="role", public_key="ssh-ed25519 AAAA")
        made.told[OTHER] = Told("i-2", OTHER)
        yield made


@pytest.fixture
def machine(service: Service) -> Client:
    return Client(service, MACHINE)


def test_nothing_is_told_without_a_token(machine: Client) -> None:
    assert machine.ask("GET", "/latest/meta-data/instance-id")[0] == 401
    assert machine.ask("GET", "/latest/meta-data/instance-id", **{TOKEN: "made-up"})[0] == 401
    assert machine.get("/latest/meta-data/instance-id") == (200, "i-1")


def test_a_token_serves_the_machine_that_asked_and_for_as_long_as_it_asked(
    service: Service, machine: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    token = machine.token(60)
    assert Client(service, OTHER).ask("GET", "/latest/meta-data/instance-id", **{TOKEN: token})[0] == 401
    now[0] += 59
    assert machine.ask("GET", "/latest/meta-data/instance-id", **{TOKEN: token})[0] == 200
    now[0] += 1
    assert machine.ask("GET", "/latest/meta-data/instance-id", **{TOKEN: token})[0] == 401


@pytest.mark.parametrize("seconds", ["0", "21601", "soon"])
def test_a_token_for_no_time_or_for_ever_is_refused(machine: Client, seconds: str) -> None:
    assert machine.ask("PUT", "/latest/api/token", **{TTL: seconds})[0] == 400
    assert machine.ask("PUT", "/latest/api/token")[0] == 400


def test_a_request_that_a_proxy_passed_on_gets_no_token(machine: Client) -> None:
    assert machine.ask("PUT", "/latest/api/token", **{TTL: "60", "X-Forwarded-For": "10.0.0.1"})[0] == 403


def test_every_token_may_be_forgotten_at_once(service: Service, machine: Client) -> None:
    token = machine.token()
    service.forget_tokens()
    assert machine.ask("GET", "/latest/meta-data/instance-id", **{TOKEN: token})[0] == 401


def test_each_machine_is_told_its_own_and_strangers_nothing(service: Service) -> None:
    assert Client(service, OTHER).get("/latest/meta-data/instance-id") == (200, "i-2")
    assert Client(service, STRANGER).ask("PUT", "/latest/api/token", **{TTL: "60"})[0] == 404
    assert Client(service, OTHER).get("/latest/user-data")[0] == 404
    assert Client(service, OTHER).get("/latest/meta-data/iam/info")[0] == 404


def test_folders_list_what_they_hold(machine: Client) -> None:
    status, text = machine.get("/2021-03-23/meta-data/")
    assert status == 200
    assert {"instance-id", "placement/", "iam/", "public-keys/", "block-device-mapping/"} <= set(text.split())
    assert machine.get("/latest/meta-data/iam/security-credentials/") == (200, "role")
    assert machine.get("/latest/meta-data/public-keys/") == (200, "0=fleet")
    assert machine.get("/latest/meta-data/public-keys/0/openssh-key") == (200, "ssh-ed25519 AAAA")
    assert machine.get("/latest/user-data") == (200, "#cloud-config\n")


def test_what_is_told_changes_while_the_machine_runs(service: Service, machine: Client) -> None:
    told = service.told[MACHINE]
    paths = ("/latest/meta-data/spot/instance-action", "/latest/meta-data/events/recommendations/rebalance")
    assert [machine.get(path)[0] for path in paths] == [404, 404]
    told.notice_at, told.rebalance_at = 1_700_000_000.0, 1_700_000_000.0
    assert json.loads(machine.get(paths[0])[1]) == {"action": "terminate", "time": "2023-11-14T22:13:20Z"}
    assert json.loads(machine.get(paths[1])[1]) == {"noticeTime": "2023-11-14T22:13:20Z"}
    before = machine.get("/latest/meta-data/iam/security-credentials/role")[1]
    told.credentials_last = 100_000.0  # what is left of those that were told is less than half of that
    after = machine.get("/latest/meta-data/iam/security-credentials/role")[1]
    assert json.loads(before)["AccessKeyId"] != json.loads(after)["AccessKeyId"]


def test_every_request_is_kept(service: Service, machine: Client) -> None:
    machine.get("/latest/meta-data/instance-id")
    assert [(one.address, one.method, one.path, one.status) for one in service.asked] == [
        (MACHINE, "PUT", "/latest/api/token", 200),
        (MACHINE, "GET", "/latest/meta-data/instance-id", 200),
    ]
