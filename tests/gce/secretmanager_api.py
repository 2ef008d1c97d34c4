"""Secret Manager: what machines read of it, and the permission that this takes. Secrets are made by a test's word."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from tests.gce.jsonapi import Call, Cloud, Handler, JsonApi
from tests.gce.wire import Json, Refused


def handlers(cloud: Cloud) -> dict[str, Handler]:
    """What answers below ``/secretmanager``."""
    return {"secretmanager": SecretManager(cloud)}


@dataclass
class Version:
    """One value of a secret."""

    value: bytes
    state: str = "ENABLED"


class SecretManager(JsonApi):
    """``projects/P/secrets/NAME/versions/N``; ``latest`` is the one that was added last, whatever its state."""

    name = "secretmanager"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.secrets: dict[str, list[Version]] = {}
        self.readers: dict[str, set[str]] = {}
        """Who may read a secret; one that is not here may be read by everybody."""
        self.enabled = True
        self.methods = {"projects.secrets.versions.access": self._access}
        self.verbs = {"add": self._add, "disable": self._disable, "readers": self._readers, "enabled": self._enabled}

    def before(self, call: Call) -> None:
        """Nothing works before the interface is switched on."""
        if not self.enabled:
            told = f"Secret Manager API has not been used in project {self.cloud.number} before or it is disabled."
            raise Refused(403, "", told, "PERMISSION_DENIED")

    def _access(self, call: Call) -> Json:
        _, project, _, name, _, wanted = call.params["name"].split("/")
        if project not in (self.cloud.project, self.cloud.number):
            raise Refused(403, "", f"Permission denied on resource project {project}.", "PERMISSION_DENIED")
        path = f"projects/{self.cloud.number}/secrets/{name}"
        versions = self.secrets.get(name, [])
        if call.asked.principal not in self.readers.get(name, {call.asked.principal}):
            told = f"Permission 'secretmanager.versions.access' denied for resource '{path}/versions/{wanted}'."
            raise Refused(403, "", told, "PERMISSION_DENIED")
        number = len(versions) if wanted == "latest" else int(wanted)
        if not 1 <= number <= len(versions):
            raise Refused(404, "", f"Secret [{path}] not found or has no versions.", "NOT_FOUND")
        version = versions[number - 1]
        if version.state != "ENABLED":
            told = f"Secret Version [{path}/versions/{number}] is in {version.state} state."
            raise Refused(400, "", told, "FAILED_PRECONDITION")
        return {"name": f"{path}/versions/{number}", "payload": {"data": base64.b64encode(version.value).decode()}}

    def _add(self, told: Json) -> Any:
        """A version of the secret ``name``: its ``value``, or its bytes as ``base64``."""
        value = base64.b64decode(told["base64"]) if "base64" in told else str(told["value"]).encode()
        self.secrets.setdefault(told["name"], []).append(Version(value))

    def _disable(self, told: Json) -> Any:
        self.secrets[told["name"]][-1].state = "DISABLED"

    def _readers(self, told: Json) -> Any:
        self.readers[told["name"]] = set(told["who"])

    def _enabled(self, told: Json) -> Any:
        self.enabled = bool(told["enabled"])
