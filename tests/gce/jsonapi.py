"""One of Google's JSON interfaces: what is asked and answered is held against its discovery document.

A module ``tests/gce/<something>_api.py`` has ``handlers(cloud)``, which says by name what it answers; the name is the
first part of the path. Two modules may share a name: each answers the methods that it has.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote

from tests.gce.clock import Clock
from tests.gce.discovery import Document, Method, document
from tests.gce.orders import LOST, Orders
from tests.gce.wire import Answered, Asked, Json, Refused, told

BROKEN = 599
"""The status of whatever breaks an interface's discovery document: no client takes it for an answer of Google's."""


@dataclass(frozen=True)
class Called:
    """A method's call that was answered: for tests of what is asked, and of what rights that takes."""

    at: float
    method: str
    """``compute.instances.insert``, or ``objects.PUT``."""
    params: Mapping[str, str]
    body: Any
    status: int
    principal: str


@dataclass
class Cloud:
    """What all of the stand-in's interfaces share."""

    clock: Clock = field(default_factory=Clock)
    project: str = "fleet-test"
    number: str = "123456789012"
    pace: float = 1.0
    """What Google takes a second for takes this many here."""
    faults: list[str] = field(default_factory=list)
    """Where a client or the stand-in itself broke a discovery document."""
    calls: list[Called] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    login: Any = None
    """`tests.gce.login.Login`: who holds which token."""
    disabled: set[str] = field(default_factory=set)
    """Interfaces (``compute``) that are not enabled in the project."""

    def fault(self, text: str) -> Answered:
        """Remembered, and answered."""
        self.faults.append(text)
        return told({"error": {"code": BROKEN, "message": text}}, BROKEN)


class Handler(Protocol):
    """What answers under one name."""

    def handle(self, asked: Asked) -> Answered | None:
        """None: it does not know this path."""

    def control(self, verb: str, told: Json) -> Any:
        """A test's word to the stand-in. Raises KeyError for an unknown verb."""


@dataclass(frozen=True)
class Call:
    """A method's call that kept to the discovery document."""

    method: Method
    params: Mapping[str, str]
    """Those of the path and of the query, the first value of each."""
    body: Any
    asked: Asked

    def int(self, name: str, default: int) -> int:
        """A number among the parameters."""
        return int(self.params.get(name, default))

    def true(self, name: str) -> bool:
        """A truth among the parameters."""
        return self.params.get(name, "").lower() == "true"


Answerer = Callable[[Call], "Json | Answered | None"]


class JsonApi:
    """Answers by method. The id of a method is without the interface's name: ``instances.insert``."""

    name = ""
    version = "v1"

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.methods: dict[str, Answerer] = {}
        self.orders = Orders()
        self.verbs: dict[str, Callable[[Json], Any]] = {}

    @property
    def document(self) -> Document:
        return document(self.name, self.version)

    def control(self, verb: str, told: Json) -> Any:
        """``fail``, ``lose`` and ``drop`` are every interface's (`tests.gce.orders`), and ``peace``, which ends them all."""
        if verb in ("fail", "lose", "drop"):
            return self.orders.add(verb, told)
        if verb == "peace":
            return self.orders.waiting.clear()
        return self.verbs[verb](told)

    def before(self, call: Call) -> None:
        """Raises Refused for what every method refuses."""

    def handle(self, asked: Asked) -> Answered | None:
        """The answer; None if the interface has no such path, or nobody has taught it the method."""
        found = self.document.find(asked.method, asked.path)
        if found is None:
            return None
        method, place = found
        answer = self.methods.get(method.id.partition(".")[2])
        if answer is None:
            return None
        return self._answered(answer, method, place, asked)

    def _answered(self, answer: Answerer, method: Method, place: Mapping[str, str], asked: Asked) -> Answered:
        try:
            body = asked.json() if asked.body else None
        except ValueError:
            return self.cloud.fault(f"{method.id}: the body is no JSON")
        params = {name: unquote(value) for name, value in place.items()}
        faults = self.document.query_faults(method, asked.query) + self.document.body_faults(method, body)
        faults += [
            f"{method.id}: its {name} {fault}" for name, value in params.items() for fault in _place(method, name, value)
        ]
        if faults:
            return self.cloud.fault("; ".join(faults))
        params.update({name: values[0] for name, values in asked.query.items()})
        call = Call(method, params, body, asked)
        answered = self._given(answer, call)
        if answered.again_at is None:
            note = Called(self.cloud.clock(), method.id, params, body, answered.status, asked.principal)
            self.cloud.calls.append(note)
        if answered.status < 300 and (wrong := self.document.answer_faults(method, answered.json())):
            return self.cloud.fault(f"the stand-in's own answer to {method.id}: " + "; ".join(wrong))
        return answered

    def _given(self, answer: Answerer, call: Call) -> Answered:
        # A call that waits is asked again and again, and is one call all the same.
        order = None if call.asked.again else self.orders.take(call.method.id)
        if order and order.kind == "drop":
            return Answered(LOST)
        try:
            if order and order.kind == "fail":
                raise order.refusal()
            if self.name in self.cloud.disabled:
                raise not_enabled(self.name, self.cloud.number)
            self.before(call)
            given = answer(call)
        except Refused as refused:
            return refused.answered()
        if order and order.kind == "lose":
            return Answered(LOST)
        return given if isinstance(given, Answered) else told(given or {})


def not_enabled(name: str, number: str) -> Refused:
    """What an interface says that is not enabled in the project."""
    service = f"{name}.googleapis.com"
    message = (
        f"{name} API has not been used in project {number} before or it is disabled. Enable it by visiting "
        f"https://console.developers.google.com/apis/api/{service}/overview?project={number} then retry."
    )
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "SERVICE_DISABLED",
        "domain": "googleapis.com",
        "metadata": {"service": service, "consumer": f"projects/{number}"},
    }
    return Refused(403, "accessNotConfigured", message, "PERMISSION_DENIED", [info])


def _place(method: Method, name: str, value: str) -> list[str]:
    pattern = method.parameters.get(name, {}).get("pattern")
    return (
        [f"{method.id}: its {name} does not fit {pattern}: {value!r}"]
        if pattern and not re.fullmatch(pattern, value)
        else []
    )
