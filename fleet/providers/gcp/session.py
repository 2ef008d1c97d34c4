"""Application Default Credentials, and where each of Google's interfaces is asked.

``CLOUDSDK_API_ENDPOINT_OVERRIDES_<API>`` says another address for an interface, as it does for gcloud (Private Service
Connect, emulators). Nothing here repeats a call: what is worth repeating, and how
often, is for what stands around a provider.
"""

from __future__ import annotations

import functools
import os
import threading
from typing import TYPE_CHECKING, Any

from fleet import __version__
from fleet.model import across
from fleet.model.errors import ErrorClass, ProviderError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.auth.transport.requests import AuthorizedSession

CONNECT_SECONDS = 5
READ_SECONDS = 30
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LOGIN = "gcloud auth application-default login"
OVERRIDE = across.OVERRIDE
"""Begins the names of variables that say where an interface is asked instead."""
_MAKING = threading.Lock()


def endpoint(api: str) -> str:
    """The address of an interface (``compute``, ``iam``, ``cloudbilling``, …), without a slash at its end."""
    override = os.environ.get(f"{OVERRIDE}{api.upper()}")
    return (override or f"https://{api}.googleapis.com").rstrip("/")


def credentials() -> Credentials:
    """What this computer is logged in with. Raises ProviderError, whose hint is the login command."""
    return found()[0]


def default_project() -> str | None:
    """The project that the environment or the login names."""
    return os.environ.get("GOOGLE_CLOUD_PROJECT") or found()[1]


def found() -> tuple[Credentials, str | None]:
    """Credentials and project as google-auth finds them; once, until they are forgotten."""
    with _MAKING:
        return _found(os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"))


@functools.lru_cache(maxsize=8)
def _found(_file: str | None) -> tuple[Any, str | None]:
    try:
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError
    except ImportError:
        raise missing_library() from None
    try:
        login, project = google.auth.default(scopes=[SCOPE])
    except DefaultCredentialsError as error:
        told = (str(error).strip().splitlines() or ["there are none"])[0]
        raise ProviderError(
            ErrorClass.CREDENTIALS, "DefaultCredentialsError", f"no Google credentials: {told}", f"Log in: {LOGIN}"
        ) from None
    return login, project


def missing_library() -> ProviderError:
    """Google's own libraries are not installed."""
    return ProviderError(
        ErrorClass.INVALID,
        "MissingLibrary",
        "Google Cloud needs libraries that are not installed",
        "pip install 'fleet[gcp]'",
    )


def authorized() -> AuthorizedSession:
    """A session of ``requests`` that signs for the login, for interfaces that fleet asks by plain REST."""
    login = credentials()
    with _MAKING:
        return _authorized(login)


@functools.lru_cache(maxsize=8)
def _authorized(login: Credentials) -> AuthorizedSession:
    from google.auth.transport.requests import AuthorizedSession

    session = AuthorizedSession(login, max_refresh_attempts=1)
    session.headers["user-agent"] = f"fleet/{__version__}"
    return session


def forget() -> None:
    """For tests, and after a login: everything is looked up again."""
    _found.cache_clear()
    _authorized.cache_clear()
