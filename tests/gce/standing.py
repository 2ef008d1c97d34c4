"""One stand-in process for all who empty it before use, and an environment that leads Google's own libraries to it."""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import requests

import fleet

APIS = (
    "cloudbilling",
    "cloudresourcemanager",
    "iam",
    "iamcredentials",
    "secretmanager",
    "serviceusage",
    "storage",
    "sts",
)
PROJECT = "fleet-test"
ACCOUNT = f"someone@{PROJECT}.iam.gserviceaccount.com"
STRANGE = (
    "GOOGLE_CLOUD_PROJECT",
    "GCE_METADATA_HOST",
    "GOOGLE_CLOUD_QUOTA_PROJECT",
    "CLOUDSDK_CONFIG",
    "CLOUDSDK_CORE_PROJECT",
)


class Standing:
    """The process, and a test's words to it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.env = environment(url, folder)
        self._session = requests.Session()

    def control(self, name: str, verb: str, /, **telling: Any) -> Any:
        """``control("compute", "preempt", zone=…, instance=…)``. Raises LookupError for a word that nobody knows."""
        answer = self._session.post(f"{self.url}/_control/{name}/{verb}", json=telling, timeout=30).json()
        if "error" in answer:
            raise LookupError(answer["error"])
        return answer["result"]

    def faults(self) -> list[str]:
        """Where something broke a discovery document; a test holds that there are none."""
        return list(self.control("cloud", "faults"))

    def calls(self) -> list[dict[str, Any]]:
        """What was asked since it was emptied."""
        return list(self.control("cloud", "calls"))


def environment(url: str, folder: Path) -> dict[str, str]:
    """What leads Google's libraries, and fleet, to a stand-in. Writes a service account's file into the folder."""
    made = {f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}": f"{url}/{api}" for api in APIS}
    made["CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"] = url
    made["GOOGLE_BASE_URL"] = f"{url}/objects"
    file = folder / "account.json"
    file.write_text(json.dumps(account(f"{url}/token")))
    made["GOOGLE_APPLICATION_CREDENTIALS"] = str(file)
    made["NO_GCE_CHECK"] = "true"
    return made


def account(token_uri: str) -> dict[str, str]:
    """A service account's file, with a key that nobody trusts."""
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "0" * 40,
        "private_key": _key(),
        "client_email": ACCOUNT,
        "client_id": "100000000000000000001",
        "token_uri": token_uri,
    }


@functools.cache
def _key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@functools.cache
def standing() -> Standing:
    """It ends with the session."""
    folder = tempfile.TemporaryDirectory(prefix="fleet-gce-")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.gce.server", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(fleet.__file__).parents[1],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )

    def ended() -> None:
        process.terminate()
        process.wait(10)
        if process.stdout:
            process.stdout.close()
        folder.cleanup()

    atexit.register(ended)
    assert process.stdout
    url = process.stdout.readline().strip()
    if not url:
        raise RuntimeError("the stand-in for Google Cloud did not start: see what it wrote above")
    return Standing(url, Path(folder.name))


def standing_google(patch: pytest.MonkeyPatch) -> Standing:
    """An empty Google Cloud that the environment leads to."""
    from fleet.providers.gcp import session

    found = standing()
    found.control("cloud", "reset")
    session.forget()
    for name in STRANGE:
        patch.delenv(name, raising=False)
    for name, value in found.env.items():
        patch.setenv(name, value)
    return found
