"""The stand-in without sockets: an adapter of ``requests`` that Google's own clients are given, on any clock."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import requests
from google.auth.transport.requests import AuthorizedSession
from google.oauth2.credentials import Credentials
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from tests.gce.login import Login
from tests.gce.orders import LOST
from tests.gce.router import Router, Waiter, asked_of

HOST = "http://google.stand-in"
T = TypeVar("T")


class InProcess(BaseAdapter):
    """Hands requests to a router. ``wait`` is how a call that waits lets time go by; by default the clock is moved on."""

    def __init__(self, router: Router, wait: Waiter | None = None) -> None:
        super().__init__()
        self.router = router
        self.wait = wait or router.cloud.clock.advance

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The answer as ``requests`` gives it."""
        given: Any = request.body or b""
        body = given.encode() if isinstance(given, str) else bytes(given)
        headers = {str(name): _text(value) for name, value in request.headers.items()}
        assert request.url
        assert request.method
        answered = self.router.ask(asked_of(request.method, request.url, headers, body), self._patient(timeout, request))
        if answered.status == LOST:
            raise requests.ConnectionError("the answer was lost", request=request)
        response = requests.Response()
        response.status_code = answered.status
        response.headers.update(answered.headers)
        response.url = request.url
        response.request = request
        response.encoding = "utf-8"
        response.raw = HTTPResponse(
            io.BytesIO(answered.body), dict(answered.headers), answered.status, preload_content=False
        )
        return response

    def _patient(self, timeout: Any, request: requests.PreparedRequest) -> Waiter:
        """Waits for no longer than the caller does."""
        now = self.router.cloud.clock
        until = now() + (timeout[-1] if isinstance(timeout, tuple) else timeout or float("inf"))

        def wait(seconds: float) -> None:
            if now() + seconds <= until:
                return self.wait(seconds)
            self.wait(max(0.0, until - now()))
            raise requests.ReadTimeout("the answer took too long", request=request)

        return wait

    def close(self) -> None:
        """Nothing is open."""


def credentials(router: Router, principal: str = "someone@fleet-test.iam.gserviceaccount.com") -> Credentials:
    """A login whose token does not end."""
    login = router.handlers["token"][0]
    assert isinstance(login, Login)
    return Credentials(login.issue(principal, lives=1e12))


def session(router: Router, wait: Waiter | None = None) -> AuthorizedSession:
    """A signing session whose requests stay in this process, whatever host they name."""
    made = AuthorizedSession(credentials(router))
    mounted(made, router, wait)
    return made


def mounted(found: Any, router: Router, wait: Waiter | None = None) -> Any:
    """A session of ``requests`` led to the router."""
    adapter = InProcess(router, wait)
    found.mount("http://", adapter)
    found.mount("https://", adapter)
    return found


def client(kind: Callable[..., T], router: Router, wait: Waiter | None = None) -> T:
    """One of google-cloud-compute's clients: ``client(compute_v1.InstancesClient, router)``."""
    from google.api_core.client_options import ClientOptions

    made = kind(credentials=credentials(router), client_options=ClientOptions(api_endpoint=HOST))
    mounted(made.transport._session, router, wait)  # type: ignore[attr-defined]
    return made


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
