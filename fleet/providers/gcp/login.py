"""The login that google-auth finds, for a bucket: every kind of it (users, service accounts, federation, impersonation)."""

from __future__ import annotations

import importlib.util
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from fleet.model.errors import StoreError
from fleet.providers.gcp import session

if TYPE_CHECKING:
    from obstore.store import GCSCredential

HINT = f"Log in: {session.LOGIN}"


class BucketLogin:
    """An access token for obstore: looked up at every call, renewed when it is due, and held in memory only.

    Raises StoreError, whose hint is the login command, if there is nothing valid.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self) -> GCSCredential:
        """Called by obstore, from threads of its own."""
        with self._lock:
            token = self._token()
        # Over at once: so obstore asks before every request, which costs it microseconds, and a login is seen at once.
        return {"token": token, "expires_at": datetime.now(timezone.utc)}

    def _token(self) -> str:
        login = session.credentials()
        if login.valid and not login.expired:
            return str(login.token)
        from google.auth.exceptions import GoogleAuthError, RefreshError
        from google.auth.transport.requests import Request

        try:
            login.refresh(Request())
        except RefreshError as error:
            session.forget()  # the next call begins anew: someone may have logged in
            raise StoreError(f"the Google login is not valid any more: {_told(error)}", HINT) from None
        except GoogleAuthError as error:
            told = f"Google's token server does not answer: {_told(error)}"
            raise StoreError(told, "Can this computer reach oauth2.googleapis.com?") from None
        return str(login.token)


def _told(error: Exception) -> str:
    return (str(error.args[0] if error.args else error).strip().splitlines() or [type(error).__name__])[0]


_ONE = BucketLogin()


def bucket_login() -> BucketLogin | None:
    """One for a process. None: google-auth is not installed, and what obstore finds by itself has to do."""
    try:
        return _ONE if importlib.util.find_spec("google.auth") is not None else None
    except ModuleNotFoundError:
        return None
