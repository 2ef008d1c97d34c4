"""The metadata server of Compute Engine, for any number of machines told apart by their addresses.

As Google's does: nothing is said without ``Metadata-Flavor: Google`` (403), nor to a request that a proxy passed on
(``X-Forwarded-For``); answers carry the flavour and an ETag; folders list what they hold, or tell all of it as JSON
(``recursive=true``); ``wait_for_change=true`` answers once the text is another than ``last_etag`` names, or after
``timeout_sec``; guest attributes are written where the machine's own metadata enable them; a service account has tokens, and
identity tokens for an audience. It may be slow, silent, out of order or restarted. Every request is kept.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tests.gce.told import Told, Tree, listing, whole

ADDRESS = "169.254.169.254"
NAME = "metadata.google.internal"
BASE = "/computeMetadata/v1/"
LOOK = 0.01
"""Between two looks whether what somebody waits for has changed."""
LARGEST = 256 << 10


@dataclass(frozen=True)
class Asked:
    """One request, and how it was answered."""

    at: float
    address: str
    method: str
    path: str
    headers: dict[str, str]
    status: int


@dataclass(frozen=True)
class Answer:
    """What is said: a text, or JSON; or where else to ask."""

    status: int
    body: bytes = b""
    kind: str = "application/text"
    location: str = ""

    @property
    def etag(self) -> str:
        """Another for every text."""
        return hashlib.sha256(self.body).hexdigest()[:16]


class Service:
    """The server of all machines of a network."""

    def __init__(self) -> None:
        self.told: dict[str, Told] = {}
        """By address."""
        self.asked: list[Asked] = []
        self.url = ""
        self.slow = 0.0
        """Seconds before any answer."""
        self.broken: int | None = None
        """The status that everything is answered with."""
        self.silent = False
        """Nothing is answered, and nothing refused."""
        self.era = 0
        """Grows with each restart: whoever waited gets no answer."""
        self._lock = threading.Lock()

    def restart(self) -> None:
        """Every connection is cut."""
        self.era += 1

    def by_token(self, access_token: str) -> Told | None:
        """Whose token this is, of all that were ever told."""
        for told in list(self.told.values()):
            if any(one.access_token == access_token for one in told.issued):
                return told
        return None

    def answer(self, address: str, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        """Also kept; waits if it is asked to."""
        found = self._answer(address, method, target, {name.lower(): value for name, value in headers.items()}, body)
        with self._lock:
            self.asked.append(Asked(time.time(), address, method, target, headers, found.status))
        return found

    def _answer(self, address: str, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        if self.broken is not None:
            return Answer(self.broken, b"Service Unavailable")
        told, parts = self.told.get(address), urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if told is None:
            return Answer(404, b"no such machine")
        if parts.path == "/":
            return Answer(200, b"computeMetadata/\n")
        if headers.get("metadata-flavor") != "Google":
            return Answer(403, b"Missing Metadata-Flavor:Google header.", "text/html")
        if "x-forwarded-for" in headers:
            return Answer(403, b"Requests with X-Forwarded-For are refused.", "text/html")
        if not parts.path.startswith(BASE):
            return Answer(404, b"Not Found", "text/html")
        path = parts.path.removeprefix(BASE)
        if path.startswith("instance/guest-attributes"):
            return _guest(told, method, path.removeprefix("instance/guest-attributes").strip("/"), query, body)
        if method != "GET":
            return Answer(405, b"Method Not Allowed", "text/html")
        return self._read(told, path, query)

    def _read(self, told: Told, path: str, query: dict[str, str]) -> Answer:
        found = self._said(told, path, query)
        if query.get("wait_for_change", "").lower() != "true" or found.status != 200:
            return found
        last = query.get("last_etag", found.etag)
        until = time.monotonic() + float(query.get("timeout_sec", "inf"))
        era = self.era
        while found.etag == last and time.monotonic() < until and self.era == era:
            time.sleep(LOOK)
            found = self._said(told, path, query)
        return found

    def _said(self, told: Told, path: str, query: dict[str, str]) -> Answer:
        account, _, what = path.removeprefix("instance/service-accounts/").partition("/")
        if what in ("token", "identity"):
            return self._signed_in(told, account, what, query)
        found: str | Tree | None = told.tree()
        for name in path.strip("/").split("/") if path.strip("/") else ():
            found = found.get(name) if isinstance(found, dict) else None
        if found is None:
            return Answer(404, b"Not Found", "text/html")
        if isinstance(found, str):
            wanted = json.dumps(found) if query.get("alt") == "json" else found
            return Answer(200, wanted.encode(), "application/json" if query.get("alt") == "json" else "application/text")
        if not path.endswith("/") and path:
            return Answer(301, b"", "text/html", BASE + path + "/")
        if query.get("recursive", "").lower() == "true":
            return Answer(200, json.dumps(whole(found, custom=path.endswith("attributes/"))).encode(), "application/json")
        return Answer(200, listing(found).encode())

    def _signed_in(self, told: Told, account: str, what: str, query: dict[str, str]) -> Answer:
        if told.service_account is None or account not in ("default", told.service_account):
            return Answer(404, b"The service account was not found.", "text/html")
        if what == "identity":
            if not query.get("audience"):
                return Answer(400, b"non-empty audience parameter required", "text/html")
            return Answer(200, self.identity(told, query["audience"], full=query.get("format") == "full").encode())
        token = told.token()
        left = int(token.expires_at - told.clock())
        text = {"access_token": token.access_token, "expires_in": left, "token_type": "Bearer"}
        return Answer(200, json.dumps(text).encode(), "application/json")

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        """What identity tokens are signed with."""
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def identity(self, told: Told, audience: str, *, full: bool = False) -> str:
        """A token that says to ``audience`` who this machine is (RFC 7519, RS256)."""
        now = int(told.clock())
        claims: dict[str, Any] = {
            "aud": audience,
            "azp": told.service_account_id,
            "exp": now + 3600,
            "iat": now,
            "iss": "https://accounts.google.com",
            "sub": told.service_account_id,
        }
        if full:
            claims |= {"email": told.service_account, "email_verified": True}
            claims["google"] = {
                "compute_engine": {
                    "instance_id": told.number_of_machine,
                    "instance_name": told.name,
                    "project_id": told.project,
                    "project_number": int(told.number),
                    "zone": told.zone,
                }
            }
        head = {"alg": "RS256", "kid": "fleet-test", "typ": "JWT"}
        signed = b".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
        return b".".join((signed, _base64(self.key.sign(signed, padding.PKCS1v15(), SHA256())))).decode()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _guest(told: Told, method: str, name: str, query: dict[str, str], body: bytes) -> Answer:
    """The guest attributes: texts that the machine writes, in namespaces."""
    if not told.guest_attributes_enabled:
        return Answer(403, b"Guest attributes endpoint access is disabled.", "text/html")
    if method == "PUT":
        if name.count("/") != 1 or len(body) > LARGEST:
            return Answer(400, b"Bad Request", "text/html")
        told.guest[name] = body.decode()
        return Answer(200)
    if method == "DELETE":
        return Answer(200) if told.guest.pop(name, None) is not None else Answer(404)
    if name in told.guest:
        return Answer(200, told.guest[name].encode())
    below: Tree = {}
    for key, text in told.guest.items():
        if key.startswith(f"{name}/" if name else ""):
            space, _, rest = key.partition("/")
            folder = below if name else below.setdefault(space, {})
            assert isinstance(folder, dict)
            folder[rest] = text
    if not below:
        return Answer(404, b"Not Found", "text/html")
    if query.get("recursive", "").lower() == "true":
        return Answer(200, json.dumps(below).encode(), "application/json")
    return Answer(200, listing(below).encode())


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Metadata Server for VM", ""

    def _serve(self) -> None:
        service = self.server.service
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        era = service.era
        while service.silent and service.era == era:
            time.sleep(LOOK)
        time.sleep(service.slow)
        found = service.answer(self.client_address[0], self.command, self.path, dict(self.headers.items()), body)
        if service.era != era:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(found.status)
        for name, text in {
            "Content-Type": found.kind,
            "Content-Length": str(len(found.body)),
            "ETag": found.etag,
            "Metadata-Flavor": "Google",
            "Location": found.location,
        }.items():
            if text:
                self.send_header(name, text)
        self.end_headers()
        self.wfile.write(found.body)

    do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 (the base class's names)

    def log_message(self, *_args: object) -> None:
        """Kept by the service."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], service: Service) -> None:
        self.service = service
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A machine that was killed while it asked is no error of ours."""


@contextlib.contextmanager
def metadata_server(host: str = ADDRESS, port: int = 80) -> Iterator[Service]:
    """Serve while the block runs."""
    service = Service()
    server = _Server((host, port), service)
    service.url = f"http://{host}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.restart()
        server.shutdown()
        server.server_close()
        thread.join()
