"""The client of the instance metadata service, and the cloud's signals as they stand there."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime

from fleet.agent.answering import place_of
from fleet.model.base import Seconds

TOKEN_SECONDS = 300
TIMEOUT = 2.0
"""For a whole answer, unless said otherwise."""
_TOKEN = re.compile(r"[!-~]{1,1024}")
"""What a header can carry; another kind of answer must not be taken for a token until it would have expired."""


class Metadata:
    """A client of the instance metadata service, version 2: a token first, renewed before it expires."""

    def __init__(self, url: str, timeout: Seconds | None = None) -> None:
        """``timeout`` is for a whole answer."""
        self._timeout = timeout or TIMEOUT
        self._place = place_of(url)
        self._token = ""
        self._token_until = 0.0

    def get(self, path: str) -> str | None:
        """The text at a path; None if there is nothing. Raises OSError if the service does not answer."""
        if time.monotonic() >= self._token_until:
            self._renew()
        status, text = self._ask("GET", path, {"X-aws-ec2-metadata-token": self._token})
        if status == 401:
            self._renew()
            status, text = self._ask("GET", path, {"X-aws-ec2-metadata-token": self._token})
        if status == 404:
            return None
        if status != 200:
            raise OSError(f"the metadata service answers {status} for {path}")
        return text

    def _renew(self) -> None:
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
        status, text = self._ask("PUT", "/latest/api/token", headers)
        if status != 200 or not _TOKEN.fullmatch(text):
            raise OSError(f"the metadata service gives no token: {status}")
        self._token, self._token_until = text, time.monotonic() + TOKEN_SECONDS / 2

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        answer = self._place.ask(method, path, headers, self._timeout)
        return answer.status, answer.text


class Signalled:
    """A machine that hears the cloud through its metadata service."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._rebalance = False

    def notice(self) -> Seconds | None:
        """When the cloud takes the machine back, once it says so."""
        text = self._metadata.get("/latest/meta-data/spot/instance-action")
        return instant_of(text) if text else None

    def rebalance(self) -> bool:
        """Whether the cloud recommends to leave; once said, it stays so."""
        if not self._rebalance:
            self._rebalance = self._metadata.get("/latest/meta-data/events/recommendations/rebalance") is not None
        return self._rebalance


def instant_of(text: str) -> Seconds:
    """The time in a notice. Raises ValueError if there is none: such an answer is asked for again."""
    try:
        return datetime.fromisoformat(json.loads(text)["time"].replace("Z", "+00:00")).timestamp()
    except (LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"no notice: {error!r}") from None
