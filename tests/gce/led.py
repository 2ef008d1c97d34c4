"""Google's own library, led to a router in this process: what the provider asks never leaves it, on any clock."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from fleet.providers.gcp import calls, session
from tests.gce.inprocess import HOST, credentials, mounted
from tests.gce.inprocess import session as signing
from tests.gce.router import Router, Waiter
from tests.gce.standing import APIS


def lead(patch: pytest.MonkeyPatch, router: Router, wait: Waiter | None = None) -> None:
    """From now on, until the patch is undone. ``wait`` is how a call that waits lets time go by."""
    login = credentials(router)
    made = calls._made.__wrapped__

    @functools.cache
    def client(kind: str) -> Any:
        found = made(kind, HOST, login)
        mounted(found.transport._session, router, wait)
        return found

    patch.setattr(calls, "_made", lambda kind, _address, _login: client(kind))
    patch.setattr(session, "credentials", lambda: login)
    patch.setattr(session, "authorized", functools.cache(lambda: signing(router, wait)))
    patch.setenv(f"{session.OVERRIDE}COMPUTE", HOST)
    for api in APIS:
        patch.setenv(f"{session.OVERRIDE}{api.upper()}", f"{HOST}/{api}")
