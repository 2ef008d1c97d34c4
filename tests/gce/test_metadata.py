"""The emulated metadata server is as strict as Google's: a client that gets by with less must fail against it."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from tests.gce.metadata import BASE, Service, metadata_server
from tests.gce.told import TERMINATE, Told

MACHINE, OTHER, STRANGER = "127.0.0.5", "127.0.0.6", "127.0.0.7"
FLAVOR = {"Metadata-Flavor": "Google"}
ACCOUNT = "fleet@fleet-test-project.iam.gserviceaccount.com"
Found = tuple[int, str, dict[str, str]]


def ask(
    service: Service, path: str, method: str = "GET", body: str = "", *, address: str = MACHINE, **headers: str
) -> Found:
    where = urlsplit(service.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=5, source_address=(address, 0))
    told = {name.replace("_", "-"): value for name, value in (headers or FLAVOR).items()}
    connection.request(method, path if path.startswith("/") else BASE + path, body.encode() or None, told)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), dict(answer.getheaders())
    connection.close()
    return found


@pytest.fixture(scope="module")
def served() -> Iterator[Service]:
    with metadata_server("127.0.0.1", 0) as made:
        yield made


@pytest.fixture
def service(served: Service) -> Service:
    served.told = {
        MACHINE: Told("fleet-racer-1-abc", MACHINE, attributes={"user-data": "#cloud-config\n", "ssh-keys": "me:k"}),
        OTHER: Told("fleet-racer-2-def", OTHER, zone="europe-west4-b", service_account=ACCOUNT),
    }
    served.asked.clear()
    return served


def test_nothing_is_told_without_the_flavour_nor_through_a_proxy(service: Service) -> None:
    assert ask(service, "instance/name", Accept="*/*")[0] == 403
    assert ask(service, "instance/name", Metadata_Flavor="Other")[0] == 403
    assert ask(service, "instance/name", X_Forwarded_For="10.0.0.1", **FLAVOR)[0] == 403
    status, text, headers = ask(service, "instance/name")
    assert (status, text, headers["Metadata-Flavor"]) == (200, "fleet-racer-1-abc", "Google")
    assert [one.status for one in service.asked] == [403, 403, 403, 200]


def test_each_machine_is_told_its_own_and_strangers_nothing(service: Service) -> None:
    assert ask(service, "instance/zone", address=OTHER)[1] == "projects/123456789012/zones/europe-west4-b"
    assert ask(service, "instance/zone", address=STRANGER)[0] == 404


def test_folders_list_what_they_hold_or_tell_all_of_it(service: Service) -> None:
    assert {"name", "zone", "attributes/", "disks/", "preempted"} <= set(ask(service, "instance/")[1].split())
    assert ask(service, "instance/attributes")[0] == 301
    assert ask(service, "instance/attributes")[2]["Location"] == f"{BASE}instance/attributes/"
    assert json.loads(ask(service, "instance/attributes/?recursive=True")[1]) == {
        "user-data": "#cloud-config\n",
        "ssh-keys": "me:k",
    }
    everything = json.loads(ask(service, "instance/?recursive=true")[1])
    assert everything["maintenanceEvent"] == "NONE"
    assert everything["disks"][0]["deviceName"] == "boot"
    assert ask(service, "instance/attributes/nothing")[0] == 404


def test_whoever_waits_for_a_change_is_told_at_once(service: Service) -> None:
    _, text, headers = ask(service, "instance/preempted")
    assert text == "FALSE"
    waiting = f"instance/preempted?wait_for_change=true&last_etag={headers['ETag']}"
    assert ask(service, f"{waiting}&timeout_sec=0.1")[1] == "FALSE"
    found: list[tuple[float, str]] = []
    asking = threading.Thread(target=lambda: found.append((time.monotonic(), ask(service, waiting)[1])))
    asking.start()
    service.told[MACHINE].preempted = True
    asking.join(5)
    assert [text for _, text in found] == ["TRUE"]
    assert ask(service, waiting)[1] == "TRUE"  # it is another than the one that was seen
    service.told[MACHINE].maintenance = TERMINATE
    assert ask(service, "instance/maintenance-event")[1] == TERMINATE


def test_guest_attributes_are_written_where_they_are_enabled(service: Service) -> None:
    path = "instance/guest-attributes/hostkeys/ssh-ed25519"
    assert ask(service, path, "PUT", "AAAA")[0] == 403
    service.told[MACHINE].attributes["enable-guest-attributes"] = "TRUE"
    assert ask(service, path)[0] == 404
    assert ask(service, path, "PUT", "AAAA")[0] == 200
    assert ask(service, path)[1] == "AAAA"
    assert json.loads(ask(service, "instance/guest-attributes/?recursive=true")[1]) == {"hostkeys": {"ssh-ed25519": "AAAA"}}
    assert ask(service, "instance/guest-attributes/hostkeys/")[1] == "ssh-ed25519\n"
    assert ask(service, "instance/guest-attributes/alone", "PUT", "AAAA")[0] == 400


def test_a_service_account_has_tokens_that_are_renewed_before_they_expire(service: Service) -> None:
    path = "instance/service-accounts/default/token"
    assert ask(service, path)[0] == 404  # this one has no account
    told, now = service.told[OTHER], [1_700_000_000.0]
    told.clock = lambda: now[0]
    first = json.loads(ask(service, path, address=OTHER)[1])
    assert (first["expires_in"], first["token_type"]) == (3600, "Bearer")
    now[0] += 3000
    assert json.loads(ask(service, path, address=OTHER)[1]) == {**first, "expires_in": 600}
    now[0] += 400
    second = json.loads(ask(service, path, address=OTHER)[1])
    assert (second["expires_in"], second["access_token"] == first["access_token"]) == (3600, False)
    assert service.by_token(first["access_token"]) is told
    assert service.by_token("made up") is None


def test_an_identity_token_says_who_the_machine_is_to_one_audience(service: Service) -> None:
    path = "instance/service-accounts/default/identity"
    assert ask(service, path, address=OTHER)[0] == 400
    token = ask(service, f"{path}?audience=sts.amazonaws.com&format=full", address=OTHER)[1]
    head, claims, signature = token.split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert (told["aud"], told["sub"], told["email"]) == (
        "sts.amazonaws.com",
        service.told[OTHER].service_account_id,
        ACCOUNT,
    )
    assert told["google"]["compute_engine"]["instance_name"] == "fleet-racer-2-def"
    public = service.key.public_key()
    public.verify(base64.urlsafe_b64decode(signature + "=="), f"{head}.{claims}".encode(), padding.PKCS1v15(), SHA256())


def test_it_may_be_out_of_order_silent_and_restarted(service: Service) -> None:
    service.broken = 503
    assert ask(service, "instance/name")[0] == 503
    service.broken, service.silent = None, True
    failed = threading.Event()

    def wait() -> None:
        try:
            ask(service, "instance/name")
        except (OSError, http.client.HTTPException):
            failed.set()

    asking = threading.Thread(target=wait)
    asking.start()
    asking.join(0.1)
    assert asking.is_alive()
    service.restart()
    asking.join(5)
    service.silent = False
    assert failed.is_set()
    assert ask(service, "instance/name")[0] == 200
