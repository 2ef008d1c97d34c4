"""Calls of set-up and teardown: one after the other by a person, so they wait out what passes by itself, within bounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.errors import translated
from fleet.providers.aws.login import how_to_log_in
from fleet.providers.aws.session import aws_client
from fleet.providers.patience import LOOK_EVERY, LOOKS, repeated

NOBODY = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "SSOTokenLoadError",
    "UnauthorizedSSOTokenError",
    "TokenRetrievalError",
    "NoRegionError",
)
"""botocore's words for credentials that are not there: waiting brings none."""

ABSENT = ("ResourceNotFoundException", "ResourceNotFound", "NotFound", "NotFoundException")
"""What Lambda, the schedules, rules, logs, alarms and topics say of what is not there: each has its own word."""

DENIED_CONTROLLER = "`fleet policy aws` prints what the controller must be allowed to do."
DENIED = "`fleet policy aws --setup` prints the policy that this needs, for whoever gives permissions."


class Calls:
    """One account's services. ``sleep`` is the clock that waiting is done by."""

    def __init__(
        self, profile: str | None = None, *, sleep: Callable[[float], None] = time.sleep, denied: str = DENIED
    ) -> None:
        """``denied`` says what to do about a permission that is missing."""
        self.profile, self.sleep, self.denied = profile, sleep, denied

    def __call__(
        self, service: str, region: str, operation: str, *, unseen: Collection[str] = (), **parameters: Any
    ) -> dict[str, Any]:
        """Call, and call again while that may help. ``unseen``: codes that only mean that something new is not seen yet.

        Raises ProviderError.
        """
        return repeated(lambda: self.once(service, region, operation, parameters), self.sleep, unseen=unseen, vain=NOBODY)

    def patiently(self, service: str, region: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call, and wait while it is only too early: a role is not known everywhere yet, or another change is under way.

        Raises ProviderError.
        """
        for _ in range(LOOKS):
            try:
                return self(service, region, operation, **parameters)
            except ProviderError as error:
                if error.error_class is not ErrorClass.NOT_YET:
                    raise
                self.sleep(LOOK_EVERY)
        return self(service, region, operation, **parameters)

    def once(self, service: str, region: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """One request. Raises ProviderError, with what to do about it where that is known."""
        try:
            with translated(operation):  # a client too may want credentials that cannot be had
                client = aws_client(service, region, profile=self.profile)
            with translated(client.meta.method_to_api_mapping[operation]):
                answer: dict[str, Any] = getattr(client, operation)(**parameters)
                return answer
        except ProviderError as error:
            if error.error_class is ErrorClass.DENIED:
                error.hint = self.denied
            elif error.error_class is ErrorClass.CREDENTIALS or error.code in NOBODY:
                error.error_class, error.hint = ErrorClass.CREDENTIALS, error.hint or how_to_log_in(error.code)
            raise

    def unless(
        self,
        codes: Collection[str],
        service: str,
        region: str,
        operation: str,
        *,
        unseen: Collection[str] = (),
        **parameters: Any,
    ) -> dict[str, Any] | None:
        """Call; None if it is refused with one of ``codes``: it is there already, or not there any more."""
        try:
            return self(service, region, operation, unseen=unseen, **parameters)
        except ProviderError as error:
            if error.code in codes:
                return None
            raise

    def pages(self, service: str, region: str, operation: str, key: str, **parameters: Any) -> list[dict[str, Any]]:
        """Every item under ``key`` of an answer in pages (EC2's and IAM's kinds)."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self(service, region, operation, **parameters)
            found.extend(answer.get(key, ()))
            if answer.get("NextToken"):
                parameters["NextToken"] = answer["NextToken"]
            elif answer.get("IsTruncated") and answer.get("Marker"):
                parameters["Marker"] = answer["Marker"]
            else:
                return found
