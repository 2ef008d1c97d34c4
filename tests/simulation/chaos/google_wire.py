"""What lies between a world's controllers and Compute Engine's stand-in: the real provider, Google's own library, and HTTP
requests, of which each may go wrong by itself.

So a controller may die, sleep or be refused between any two requests of one call of the provider's.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests
from urllib3 import HTTPResponse

from fleet.model.cloud import Capabilities, Instance, LaunchRequest
from fleet.providers.base import InTime, Provider, always
from fleet.providers.gcp import calls, listing, session
from fleet.providers.wrap.around import Call, Wrapper
from tests.gce import inprocess

if TYPE_CHECKING:
    from tests.simulation.chaos.clients import Laptop
    from tests.simulation.chaos.google import GoogleCloud
    from tests.simulation.chaos.world import World

T = TypeVar("T")
REFUSALS = {
    "throttled": (403, "rateLimitExceeded", "Rate Limit Exceeded"),
    "transient": (503, "backendError", "Backend Error. Please retry."),
    "credentials": (401, "authError", "Request had invalid authentication credentials."),
    "quota": (403, "quotaExceeded", "Quota 'PREEMPTIBLE_NVIDIA_T4_GPUS' exceeded. Limit: 0.0 in region us-central1."),
    "unknown": (400, "somethingNew", "There is something new under the sun."),
}
"""How Compute Engine says at once what the suite lets go wrong; what stands only in operations the stand-in says itself."""


class InsteadError(Exception):
    """An answer that comes in the place of the stand-in's."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        errors = [{"domain": "global", "reason": reason, "message": message}]
        self.body = json.dumps({"error": {"code": status, "message": message, "errors": errors}}).encode()


class Adapter(inprocess.InProcess):
    """Carries each request of whoever is acting as an effect of its own."""

    def __init__(self, world: World, cloud: GoogleCloud, wire: Wire) -> None:
        # A world's time goes by in milliseconds: less than one would be no time at all.
        super().__init__(cloud.router, lambda seconds: world.let_pass(math.ceil(seconds * 1000) / 1000 + 0.001))
        self._world, self._cloud, self._wire = world, cloud, wire

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        """The answer, or what comes of it."""
        what, changes = named(request)
        if "/aggregated/" in str(request.url):
            self._wire.lists += 1
            lag = self._cloud.draw(f"list/{self._wire.lists}", (0, self._cloud.manners.lag))
            self._cloud.stand_in.list_lag = lag

        def sent() -> requests.Response:
            answer = super(Adapter, self).send(request, *args, **more)
            answer.headers["date"] = formatdate(self._world.clock(), usegmt=True)
            return answer

        try:
            return self._wire.carried(what, sent, changes=changes)
        except InsteadError as instead:
            return self._answered(request, instead)
        finally:
            self._cloud.stand_in.list_lag = 0.0
            self._cloud.evolve()

    def _answered(self, request: requests.PreparedRequest, instead: InsteadError) -> requests.Response:
        response = requests.Response()
        response.status_code, response.request, response.url = instead.status, request, request.url or ""
        response.headers.update({"content-type": "application/json", "date": formatdate(self._world.clock(), usegmt=True)})
        response.raw = HTTPResponse(io.BytesIO(instead.body), status=instead.status, preload_content=False)
        return response


def named(request: requests.PreparedRequest) -> tuple[str, bool]:
    """What a request is in the suite's words (``POST instances``, ``DELETE disks``), and whether it may change something."""
    parts = urlsplit(str(request.url)).path.strip("/").split("/")
    odd = parts[parts.index("projects") + 2 :]  # what follows the project: aggregated/KIND, or zones/Z/KIND/NAME/VERB
    verb = str(request.method)
    what = odd[1] if odd[0] == "aggregated" else odd[-1] if len(odd) in (3, 5) else odd[2] if len(odd) > 2 else odd[1]
    return f"{verb} {what}", verb != "GET" and what != "wait"


class InTurn:
    """An executor without threads: in a world everything comes in the same order each time."""

    def __init__(self, _most: int) -> None:
        """For any number."""

    def __enter__(self) -> InTurn:  # noqa: PYI034  # Python 3.10 has no typing.Self
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to do."""

    def submit(self, do: Callable[..., T], *args: Any) -> Future[T]:
        """Done; what it raises is raised to whoever asks for the result."""
        found: Future[T] = Future()
        try:
            found.set_result(do(*args))
        except Exception as error:
            found.set_exception(error)
        return found


class Wire:
    """Knows who is acting, and gives them Google's clients."""

    def __init__(self, world: World, cloud: GoogleCloud) -> None:
        self._world, self._cloud = world, cloud
        self._clients: dict[str, Any] = {}
        self._acting: Laptop | None = None
        self.lists = 0

    def client(self, kind: str) -> Any:
        """One of the library's clients; all share one way to the stand-in."""
        if kind not in self._clients:
            from google.cloud import compute_v1

            made = inprocess.client(getattr(compute_v1, f"{kind}Client"), self._cloud.router)
            made.transport._session.hooks["response"].append(calls._noted)
            self._clients[kind] = made
            self._leads(made.transport._session)
        return self._clients[kind]

    def authorized(self) -> Any:
        """A session for what is asked by plain REST."""
        if not self._clients.get(""):
            self._clients[""] = inprocess.session(self._cloud.router)
            self._leads(self._clients[""])
        return self._clients[""]

    def _leads(self, led: requests.Session) -> None:
        for scheme in ("http://", "https://"):
            led.mount(scheme, Adapter(self._world, self._cloud, self))

    @contextmanager
    def acts(self, client: Laptop | None) -> Iterator[None]:
        """Whoever it is; others may act in the middle of that, while this one waits."""
        before, self._acting = self._acting, client
        here: list[tuple[Any, str, Any]] = [
            (calls, "_client", self.client),
            (session, "authorized", self.authorized),
            (session, "endpoint", lambda _: inprocess.HOST),
            (listing, "ThreadPoolExecutor", InTurn),
        ]
        real = [getattr(where, name) for where, name, _ in here]
        for where, name, mine in here:
            setattr(where, name, mine)
        try:
            yield
        finally:
            self._acting = before
            for (where, name, _), found in zip(here, real, strict=True):
                setattr(where, name, found)

    def carried(self, what: str, send: Callable[[], requests.Response], *, changes: bool) -> requests.Response:
        """Send, as the effect that it is."""
        client = self._acting
        if client is None:
            return send()
        answer = self._world.effect(client, what, send, changes=changes, refuse=lambda error: self._refusal(what, error))
        assert isinstance(answer, requests.Response)
        return answer

    def _refusal(self, what: str, error: str) -> Exception:
        if error in REFUSALS and (error != "quota" or what == "POST instances"):
            return InsteadError(*REFUSALS[error])
        return requests.ConnectionError("the connection broke")


class Way(Wrapper):
    """One client's provider. Its machines find the boot document as their user-data: what an image would bring is no
    matter of these laws."""

    def __init__(self, inner: Provider, cloud: GoogleCloud, client: Laptop | None, setup: str, image: str) -> None:
        super().__init__(inner)
        self._cloud, self._client, self._setup, self._image = cloud, client, setup, image

    @property
    def capabilities(self) -> Capabilities:
        """Without images and consoles."""
        return self.inner.capabilities.model_copy(update={"images": False, "console": False})

    def around(self, call: Call, do: Callable[[], T]) -> T:
        """Make the call as the client."""
        with self._cloud.wire.acts(self._client):
            return do()

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Instance:
        """Completed as a controller would; the same each time."""
        whole = request.model_copy(update={"setup": self._setup, "image_id": self._image})
        self._cloud.requests[request.token] = whole
        return super().launch(whole, in_time)
