"""Values of a job's ``secrets:`` on an instance of EC2: from Parameter Store or Secrets Manager, into memory only."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fleet.agent.role import Role
from fleet.agent.sigv4 import signed
from fleet.agent.vault import ANSWER_WITHIN, MOST_BYTES, MissingSecretError, Patient
from fleet.model.base import Seconds
from fleet.model.errors import FleetError, StoreError
from fleet.store.region import amazon_domain

AT_ONCE = 10
"""Parameters that one call may ask for."""
_PASSES = frozenset({"ThrottlingException", "RequestLimitExceeded", "InternalServerError", "InternalServiceError",
                     "InternalFailure", "ServiceUnavailable", "ServiceUnavailableException", "RequestTimeout",
                     "ExpiredTokenException", "ExpiredToken", "RequestExpired", "UnrecognizedClientException"})  # fmt: skip
"""Refusals of the moment. A role's credentials that are new may be unknown for some seconds."""


class AwsSecrets(Patient):
    """Found at once for all names of a job; neither written anywhere nor passed to any program."""

    def __init__(
        self,
        role: Role,
        regions: Sequence[str],
        env: Mapping[str, str],
        *,
        wall: Callable[[], Seconds] = time.time,
        monotonic: Callable[[], Seconds] = time.monotonic,
    ) -> None:
        """``regions``: looked into in this order. ``env`` may name endpoints of one's own, as AWS's SDKs know them.

        ``wall``: by what requests are dated.
        """
        super().__init__(monotonic)
        self._role, self._regions, self._env, self._wall = role, regions, env, wall

    def look(self, names: Sequence[str]) -> dict[str, str]:
        """Parameter Store first, in every region."""
        found: dict[str, str] = {}
        for look in (self._parameters, self._secrets):
            for region in self._regions:
                found |= look(region, [name for name in names if name not in found])
        return found

    def _parameters(self, region: str, names: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for start in range(0, len(names), AT_ONCE):
            asked = [f"/fleet/{name}" for name in names[start : start + AT_ONCE]]
            answer = self._call(region, "ssm", "AmazonSSM.GetParameters", {"Names": asked, "WithDecryption": True})
            found |= {str(p["Name"]).removeprefix("/fleet/"): str(p["Value"]) for p in answer.get("Parameters", [])}
        return found

    def _secrets(self, region: str, names: Sequence[str]) -> dict[str, str]:
        found = {}
        for name in names:
            try:
                answer = self._call(
                    region, "secretsmanager", "secretsmanager.GetSecretValue", {"SecretId": f"fleet/{name}"}
                )  # fmt: skip
            except _RefusedError as error:
                if error.code in ("ResourceNotFoundException", "AccessDeniedException"):
                    continue  # whoever may not read there has not been told to put it there
                raise
            if answer.get("SecretString") is not None:
                found[name] = str(answer["SecretString"])
        return found

    def missing(self, names: Sequence[str]) -> MissingSecretError:
        """With the command that makes them."""
        where, first = " or ".join(self._regions), names[0]
        told = f"no secret {', '.join(names)}: neither Parameter Store has /fleet/{first} nor Secrets Manager fleet/{first}"
        make = f"aws ssm put-parameter --region {self._regions[0]} --type SecureString --name /fleet/{{}} --value …"
        hint = "Make it, then `fleet resume`: " + "; ".join(make.format(name) for name in names)
        return MissingSecretError(f"{told} in {where}", hint)

    def _call(self, region: str, service: str, action: str, asked: Mapping[str, object]) -> dict[str, Any]:
        """One call, signed anew. Raises StoreError if it may succeed later, _RefusedError if not."""
        url, body = self._endpoint(region, service), json.dumps(asked).encode()
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": action}
        try:
            credentials = self._role.credentials()
            sent = signed(
                "POST", url, headers, body, credentials, region=region, service=service, at=self._wall()
            )  # fmt: skip
            request = urllib.request.Request(url, data=body, headers=sent, method="POST")
            with urllib.request.urlopen(request, timeout=ANSWER_WITHIN) as answer:
                found = json.loads(answer.read(MOST_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(service, action, error) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            told = f"{url} does not answer: {getattr(error, 'reason', None) or error}"
            raise StoreError(told, "Can the machine reach it, and has it a role?") from None
        return found if isinstance(found, dict) else {}

    def _refusal(self, service: str, action: str, error: urllib.error.HTTPError) -> FleetError:
        try:
            said = json.loads(error.read(MOST_BYTES))
            code = str(said.get("__type") or "").rpartition("#")[2]
            why = str(said.get("message") or said.get("Message") or code)
        except (OSError, ValueError, AttributeError):
            code, why = "", f"HTTP {error.code}"
        call = f"{service}:{action.rpartition('.')[2]}"
        if error.code >= 500 or error.code == 429 or code in _PASSES or not code:
            self._role.forget()
            return StoreError(f"{call} is refused for now: {why}")
        hint = f"The machine's role needs {call} on what is named fleet/*, and kms:Decrypt on a key of one's own."
        return _RefusedError(code, f"{call} is refused: {why}", hint)

    def _endpoint(self, region: str, service: str) -> str:
        own = {"ssm": "AWS_ENDPOINT_URL_SSM", "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER"}[service]
        named = self._env.get(own) or self._env.get("AWS_ENDPOINT_URL")
        return named or f"https://{service}.{region}.{amazon_domain(region)}/"


class _RefusedError(MissingSecretError):
    """For good, with the cloud's own code."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.code = code
