"""The standard AWS configuration (profiles, SSO, roles, ``AWS_ENDPOINT_URL*``), and clients that neither wait nor repeat.

Retries and rate limits live in one place, around the provider (providers/wrap): botocore's own would multiply them, and
re-sign a request of yesterday.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from typing import Any

from fleet import __version__
from fleet.model.errors import ErrorClass, ProviderError

CONNECT_SECONDS = 5
READ_SECONDS = 30
"""An instant fleet over many offers is EC2's slowest call; it answers well within this."""
IN_A_HURRY = (3, 12)
"""The same for who is killed within a minute, whatever it waits for."""

RENEW_SECONDS = 10.0
"""Credentials that are refused are read again no more often."""
_RENEWED: list[float] = [float("-inf")]
_MAKING = threading.Lock()
_BY_DEFAULT: list[str | None] = [None]
_WAITS: list[int] = [CONNECT_SECONDS, READ_SECONDS]


def by_default(profile: str | None) -> None:
    """The profile that a fleet was set up with, for every call that names none; None: what the environment chooses."""
    if [profile] != _BY_DEFAULT:
        _BY_DEFAULT[:] = [profile]
        forget_clients()


def hurry() -> None:
    """From now on no call of this process waits long for an answer: a function has seconds, and comes again in a minute."""
    _WAITS[:] = IN_A_HURRY
    forget_clients()


@functools.lru_cache(maxsize=8)
def aws_session(profile: str | None = None) -> Any:
    """A boto3 session by the user's configuration. Raises ProviderError if boto3 is missing, or there is no such profile."""
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise ProviderError(
            ErrorClass.INVALID, "MissingLibrary", "EC2 needs boto3, which is not installed", "pip install 'fleet[aws]'"
        ) from None
    try:
        return boto3.Session(profile_name=profile or _BY_DEFAULT[0])
    except BotoCoreError as error:
        raise ProviderError(
            ErrorClass.CREDENTIALS, type(error).__name__, str(error), "`aws configure list-profiles` shows which there are."
        ) from None


def aws_client(service: str, region: str, *, profile: str | None = None) -> Any:
    """A client of one service in one region. Made once: making one costs a tenth of a second."""
    with _MAKING:
        return _client(service, region, profile, os.environ.get("AWS_PROFILE"), os.environ.get("AWS_ENDPOINT_URL"))


@functools.lru_cache(maxsize=256)
def _client(service: str, region: str, profile: str | None, _profile: str | None, _endpoint: str | None) -> Any:
    from botocore.config import Config

    config = Config(
        connect_timeout=_WAITS[0],
        read_timeout=_WAITS[1],
        retries={"total_max_attempts": 1, "mode": "standard"},
        user_agent_extra=f"fleet/{__version__}",
    )
    return aws_session(profile).client(service, region_name=region, config=config)


def renew_clients() -> None:
    """After a refusal of the credentials: the next call reads them anew, from files that a login may have written since."""
    now = time.monotonic()
    if now - _RENEWED[0] >= RENEW_SECONDS:
        _RENEWED[0] = now
        forget_clients()


def forget_clients() -> None:
    """Begin anew: the credentials or the endpoint are others now."""
    _client.cache_clear()
    aws_session.cache_clear()
