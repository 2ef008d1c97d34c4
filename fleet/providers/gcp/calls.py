"""Compute Engine's calls as the provider needs them: JSON as REST has it goes out and comes in; refusals in fleet's words.

Google's library sends them. Its messages are made from JSON and read as JSON, which is what the interface documents, what
recorded answers are, and what the pure modules here write and read; a field that it does not know is refused before
anything is sent. It repeats nothing: what is worth repeating, and how often, is for what stands around a provider.
"""

from __future__ import annotations

import functools
import importlib
import threading
import time
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from fleet import __version__
from fleet.model.base import Seconds
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp import session
from fleet.providers.gcp.errors import NOT_FOUND, refusal, translated
from fleet.providers.gcp.names import last, region_of

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

PAGE = 500
Json = dict[str, Any]


class _Method(NamedTuple):
    client: str
    name: str
    request: str
    body: str | None = None


_METHODS = {
    "instances.insert": _Method("Instances", "insert_unary", "InsertInstance", "instance_resource"),
    "instances.get": _Method("Instances", "get", "GetInstance"),
    "instances.aggregatedList": _Method("Instances", "aggregated_list", "AggregatedListInstances"),
    "instances.delete": _Method("Instances", "delete_unary", "DeleteInstance"),
    "instances.attachDisk": _Method("Instances", "attach_disk_unary", "AttachDiskInstance", "attached_disk_resource"),
    "instances.detachDisk": _Method("Instances", "detach_disk_unary", "DetachDiskInstance"),
    "instances.getSerialPortOutput": _Method("Instances", "get_serial_port_output", "GetSerialPortOutputInstance"),
    "instances.getGuestAttributes": _Method("Instances", "get_guest_attributes", "GetGuestAttributesInstance"),
    "disks.insert": _Method("Disks", "insert_unary", "InsertDisk", "disk_resource"),
    "disks.get": _Method("Disks", "get", "GetDisk"),
    "disks.aggregatedList": _Method("Disks", "aggregated_list", "AggregatedListDisks"),
    "disks.delete": _Method("Disks", "delete_unary", "DeleteDisk"),
    "disks.resize": _Method("Disks", "resize_unary", "ResizeDisk", "disks_resize_request_resource"),
    "zoneOperations.list": _Method("ZoneOperations", "list", "ListZoneOperations"),
    "zoneOperations.wait": _Method("ZoneOperations", "wait", "WaitZoneOperation"),
    "globalOperations.aggregatedList": _Method("GlobalOperations", "aggregated_list", "AggregatedListGlobalOperations"),
    "globalOperations.wait": _Method("GlobalOperations", "wait", "WaitGlobalOperation"),
    "firewalls.list": _Method("Firewalls", "list", "ListFirewalls"),
    "firewalls.get": _Method("Firewalls", "get", "GetFirewall"),
    "firewalls.insert": _Method("Firewalls", "insert_unary", "InsertFirewall", "firewall_resource"),
    "firewalls.patch": _Method("Firewalls", "patch_unary", "PatchFirewall", "firewall_resource"),
    "firewalls.delete": _Method("Firewalls", "delete_unary", "DeleteFirewall"),
}
"""Every call to Compute Engine that the provider makes, but for offers and images: the controller's role must allow them."""

_NEWS = threading.local()
_MAKING = threading.Lock()


def compute(call: str, *, body: Json | None = None, timeout: float = session.READ_SECONDS, **asked: Any) -> Json:
    """Make one call: ``compute("instances.delete", project=…, zone=…, instance=…)``; a list gives one page.

    ``asked`` are the parameters of path and query, by the library's names (``request_id``). Raises ProviderError.
    """
    method = _METHODS[call]
    try:
        with translated(call):
            client = _client(method.client)
            request = _request(call, method, asked, body)
            answer = getattr(client, method.name)(request=request, retry=None, timeout=timeout)
            if hasattr(answer, "pages"):
                answer = next(iter(answer.pages))
            return _as_json(answer)
    except ProviderError as error:
        if error.error_class is ErrorClass.CREDENTIALS:
            session.forget()  # a new login is seen only by what is made anew
        raise


def every(call: str, **asked: Any) -> Iterator[Json]:
    """All pages of a list."""
    more: Json = {}
    while True:
        page = compute(call, max_results=PAGE, **asked, **more)
        yield page
        if not page.get("nextPageToken"):
            return
        more = {"page_token": page["nextPageToken"]}


class Everywhere(NamedTuple):
    """What an aggregated list says."""

    items: list[Json]
    silent: frozenset[str]
    """Zones that did not answer: of what is there, nothing is known."""
    at: Seconds
    """The cloud's time."""

    def check(self, zones: Iterable[str]) -> None:
        """Raises ProviderError if one of them did not answer, or its whole region did not."""
        lost = sorted({zone for zone in zones if zone in self.silent or region_of(zone) in self.silent})
        if lost:
            raise refusal("unreachable", f"{', '.join(lost)} did not answer")


def everywhere(call: str, what: str, **asked: Any) -> Everywhere:
    """Every page of an aggregated list of ``what`` (``instances``): one zone that is down does not hide the others."""
    items: list[Json] = []
    silent: set[str] = set()
    at: Seconds | None = None
    for page in every(call, **asked):
        at = said_at() if at is None else at
        silent.update(last(one) for one in page.get("unreachables", []))
        for scope, told in page.get("items", {}).items():
            items.extend(told.get(what, []))
            if told.get("warning", {}).get("code") == "UNREACHABLE":
                silent.add(last(scope))
    return Everywhere(items, frozenset(silent), at if at is not None else said_at())


def found(call: str, **asked: Any) -> Json | None:
    """What a ``get`` gives; None: there is no such thing, any more or yet."""
    try:
        return compute(call, **asked)
    except ProviderError as error:
        if error.code in NOT_FOUND:
            return None
        raise


def said_at() -> Seconds:
    """The cloud's time by the Date of the answer that this thread got last; ours, where it has none."""
    told = getattr(_NEWS, "date", None)
    try:
        return parsedate_to_datetime(str(told)).timestamp()
    except (TypeError, ValueError):
        return time.time()


def _request(call: str, method: _Method, asked: Json, body: Json | None) -> Any:
    """The library's message. What does not fit into one is fleet's own mistake, found before anything is sent."""
    from google.protobuf import json_format

    kind = getattr(_library(), f"{method.request}Request")
    message = kind.pb(kind())
    whole = asked if body is None or method.body is None else {**asked, method.body: body}
    try:
        json_format.ParseDict(whole, message)
    except json_format.ParseError as error:
        raise refusal("invalidArgument", f"{call}: {error}") from error
    return kind.wrap(message)


def _as_json(answer: Any) -> Json:
    from google.protobuf import json_format

    found: Json = json_format.MessageToDict(type(answer).pb(answer))
    return found


def _library() -> Any:
    try:
        return importlib.import_module("google.cloud.compute_v1")
    except ImportError:
        raise session.missing_library() from None


def _client(kind: str) -> Any:
    login, address = session.credentials(), session.endpoint("compute")
    with _MAKING:
        return _made(kind, address, login)


@functools.lru_cache(maxsize=32)
def _made(kind: str, address: str, login: Credentials) -> Any:
    """A client, which keeps its connections. Any number of threads share it."""
    library = _library()
    from google.api_core.gapic_v1.client_info import ClientInfo

    client = getattr(library, f"{kind}Client")(
        credentials=login,
        client_options={"api_endpoint": address},
        client_info=ClientInfo(user_agent=f"fleet/{__version__}"),
    )
    # The library tells an answer's headers to nobody; the transport's session does.
    client.transport._session.hooks["response"].append(_noted)  # noqa: SLF001
    return client


def _noted(answer: Any, *_args: Any, **_more: Any) -> None:
    _NEWS.date = answer.headers.get("date")
