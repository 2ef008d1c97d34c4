"""One question to a cloud's interface, without any SDK."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Mapping

from fleet.model.base import Seconds
from fleet.model.errors import StoreError

ANSWER_WITHIN: Seconds = 8.0
MOST_BYTES = 1 << 20
_WHY = re.compile(r'<Message>([^<]+)</Message>|"(?:message|error_description)"\s*:\s*"([^"]+)"')


def ask(url: str, body: bytes, headers: Mapping[str, str], why: str) -> bytes:
    """The answer to a POST. Raises StoreError: ``why`` says what a refusal means, and the cloud's own word follows it."""
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_WITHIN) as answer:
            return bytes(answer.read(MOST_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            told = _reason(error)
        if error.code >= 500 or error.code == 429:
            raise StoreError(f"{_host(url)} is out of order: {told}") from None
        raise StoreError(f"{why}: {told}", "The set-up made that trust; `fleet doctor` looks at it.") from None
    except (OSError, http.client.HTTPException) as error:
        raise StoreError(f"{_host(url)} does not answer: {getattr(error, 'reason', None) or error}") from None


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        found = _WHY.search(error.read(MOST_BYTES).decode(errors="replace"))
    except (OSError, http.client.HTTPException):
        found = None
    return " ".join((found[1] or found[2]).split()) if found else f"HTTP {error.code}"


def _host(url: str) -> str:
    return "/".join(url.split("/")[:3])
