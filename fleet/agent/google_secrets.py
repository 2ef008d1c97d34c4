"""Values of a job's ``secrets:`` on a machine of Compute Engine: from Secret Manager, into memory only.

``NAME`` is the newest version of the secret ``fleet-NAME`` in the machine's own project
(https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access).
"""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fleet.agent.google_metadata import GoogleMetadata
from fleet.agent.vault import ANSWER_WITHIN, MOST_BYTES, MissingSecretError, Patient
from fleet.model.base import Seconds
from fleet.model.errors import FleetError, StoreError

PREFIX = "fleet-"
ENDPOINT = "https://secretmanager.googleapis.com"
OVERRIDE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER"
_PASSES = frozenset({401, 408, 429, 500, 502, 503, 504})
"""A token that has just expired, and refusals of the moment."""


class GoogleSecrets(Patient):
    """Found at once for all names of a job; neither written anywhere nor passed to any program."""

    def __init__(
        self,
        metadata: GoogleMetadata,
        env: Mapping[str, str],
        *,
        monotonic: Callable[[], Seconds] = time.monotonic,
    ) -> None:
        """``env`` may name an endpoint of one's own, as gcloud knows it."""
        super().__init__(monotonic)
        self._metadata = metadata
        self._endpoint = (env.get(OVERRIDE) or ENDPOINT).rstrip("/")
        self._project = ""

    def look(self, names: Sequence[str]) -> dict[str, str]:
        """Each that has a version which may be read."""
        project, token = self._whose()
        found = {name: self._value(project, token, name) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    def missing(self, names: Sequence[str]) -> MissingSecretError:
        """With the command that makes them."""
        told = f"no secret {', '.join(names)}: Secret Manager of {self._project} has no {PREFIX}{names[0]}"
        make = f"printf %s … | gcloud secrets create {PREFIX}{{}} --project {self._project} --data-file=-"
        return MissingSecretError(told, "Make it, then `fleet resume`: " + "; ".join(make.format(name) for name in names))

    def _whose(self) -> tuple[str, str]:
        """The project, and what the machine's service account signs in with just now."""
        try:
            project, told = self._metadata.get("project/project-id"), self._metadata.token()
            if told is None:
                raise MissingSecretError(
                    "this machine has no service account, and so no secrets", "Set the fleet up again: `fleet init gcp`."
                )
            self._project = project or ""
            return self._project, str(json.loads(told)["access_token"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise StoreError(f"the metadata server gives no token: {error}") from None

    def _value(self, project: str, token: str, name: str) -> str | None:
        url = f"{self._endpoint}/v1/projects/{project}/secrets/{PREFIX}{name}/versions/latest:access"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_WITHIN) as answer:
                found = json.loads(answer.read(MOST_BYTES))
            value = base64.b64decode(found["payload"]["data"], validate=True)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise self._refusal(name, error) from None
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError, binascii.Error) as error:
            told = f"{self._endpoint} does not answer: {getattr(error, 'reason', None) or error}"
            raise StoreError(told, "Can the machine reach it?") from None
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise MissingSecretError(
                f"{PREFIX}{name} holds no text", "A secret goes into an environment variable."
            ) from None

    def _refusal(self, name: str, error: urllib.error.HTTPError) -> FleetError:
        status, why = _said(error)
        if error.code in _PASSES:
            return StoreError(f"secretmanager is refused for now: {why}")
        hint = (
            f"Switch it on: `gcloud services enable secretmanager.googleapis.com --project {self._project}`."
            if "SERVICE_DISABLED" in why or "has not been used" in why
            else f"A version of {PREFIX}{name} must be enabled."
            if status == "FAILED_PRECONDITION"
            else f"The machine's service account needs roles/secretmanager.secretAccessor on {PREFIX}{name}."
        )
        return MissingSecretError(f"{PREFIX}{name} cannot be read: {why}", hint)


def _said(error: urllib.error.HTTPError) -> tuple[str, str]:
    """Google's own word for a refusal, and its reason."""
    try:
        said: dict[str, Any] = json.loads(error.read(MOST_BYTES))["error"]
        return str(said.get("status") or ""), str(said.get("message") or f"HTTP {error.code}")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return "", f"HTTP {error.code}"
