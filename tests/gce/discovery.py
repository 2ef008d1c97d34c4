"""Google's published discovery documents, and whether a request or an answer keeps to them.

They are those that google-api-python-client ships. Whatever a document does not know is a fault: a path, a parameter, a
field, a value of an enumeration, a JSON type. Fields that a document marks as required for a method must be there.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from tests.gce.wire import Json

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "array": (list,),
}
_FORMATS = {
    "int64": r"-?[0-9]{1,19}",
    "uint64": r"[0-9]{1,20}",
    "byte": r"[A-Za-z0-9+/_-]*={0,2}",
    "google-duration": r"-?[0-9]+(\.[0-9]{1,9})?s",
}


@dataclass(frozen=True)
class Method:
    """One method of an interface."""

    id: str
    """``compute.instances.insert``."""
    verb: str
    path: str
    pattern: re.Pattern[str]
    parameters: Mapping[str, Json]
    request: str | None
    response: str | None
    scopes: tuple[str, ...] = ()


class Document:
    """One interface in one version."""

    def __init__(self, found: Json) -> None:
        self.name: str = found["name"]
        self.version: str = found["version"]
        self.schemas: dict[str, Json] = found["schemas"]
        self.common: dict[str, Json] = found["parameters"]
        self._service = "/" + found["servicePath"]
        self.methods = {method.id: method for method in self._methods(found)}
        self._by_shape: dict[tuple[str, int], list[Method]] = {}
        for method in self.methods.values():
            # What takes slashes may be as long as it likes.
            depth = -1 if "{+" in method.path else (self._service + method.path).count("/")
            self._by_shape.setdefault((method.verb, depth), []).append(method)

    def _methods(self, node: Json) -> Iterator[Method]:
        for one in node.get("methods", {}).values():
            yield Method(
                one["id"],
                one["httpMethod"],
                one["path"],
                _pattern(self._service + one["path"], one.get("parameters", {})),
                one.get("parameters", {}),
                one.get("request", {}).get("$ref"),
                one.get("response", {}).get("$ref"),
                tuple(one.get("scopes", ())),
            )
        for one in node.get("resources", {}).values():
            yield from self._methods(one)

    def find(self, verb: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """The method that a path leads to, and the parameters in it. The most literal one, if several fit."""
        shaped = (*self._by_shape.get((verb, path.count("/")), ()), *self._by_shape.get((verb, -1), ()))
        fitting = [(method, match.groupdict()) for method in shaped if (match := method.pattern.fullmatch(path))]
        return min(fitting, key=lambda each: (len(each[1]), sum(map(len, each[1].values())))) if fitting else None

    def query_faults(self, method: Method, query: Mapping[str, list[str]]) -> list[str]:
        """What is wrong with a request's parameters."""
        faults = []
        for name, values in query.items():
            known = method.parameters.get(name) or self.common.get(name)
            if known is None or known.get("location") != "query":
                faults.append(f"{method.id} has no parameter {name!r}")
                continue
            if len(values) > 1 and not known.get("repeated"):
                faults.append(f"{method.id}: parameter {name!r} stands {len(values)} times")
            faults += [fault for value in values for fault in _text_faults(f"{method.id}?{name}", known, value)]
        faults += [
            f"{method.id} lacks its parameter {name!r}"
            for name, known in method.parameters.items()
            if known.get("required") and known["location"] == "query" and name not in query
        ]
        return faults

    def body_faults(self, method: Method, body: Any) -> list[str]:
        """What is wrong with a request's body; None is none."""
        if method.request is None:
            return [f"{method.id} takes no body: {_short(body)}"] if body not in (None, {}) else []
        if body is None:
            return [f"{method.id} lacks its body, {method.request}"]
        return list(self._faults(method.request, {"$ref": method.request}, body, method.id))

    def answer_faults(self, method: Method, body: Any) -> list[str]:
        """What is wrong with an answer's body."""
        if method.response is None:
            return [] if body in (None, {}) else [f"{method.id} answers nothing: {_short(body)}"]
        return list(self._faults(method.response, {"$ref": method.response}, body, ""))

    def _faults(self, where: str, schema: Json, value: Any, method: str) -> Iterator[str]:
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        kind: str = schema.get("type", "any")
        if kind == "any":
            return
        if not _is(value, kind):
            yield f"{where} is no {kind}: {_short(value)}"
        elif kind == "object":
            yield from self._object_faults(where, schema, value, method)
        elif kind == "array":
            for index, each in enumerate(value):
                yield from self._faults(f"{where}[{index}]", schema["items"], each, method)
        elif kind == "string":
            yield from _text_faults(where, schema, value)
        elif kind == "integer":
            yield from _range_faults(where, schema.get("format", "int32"), value)

    def _object_faults(self, where: str, schema: Json, value: Json, method: str) -> Iterator[str]:
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, each in value.items():
            inner = known.get(name) or others
            if inner is None:
                yield f"{where} has no field {name!r}"
            else:
                yield from self._faults(f"{where}.{name}", inner, each, method)
        for name, inner in known.items():
            if method in inner.get("annotations", {}).get("required", ()) and name not in value:
                yield f"{where} lacks the field {name!r}"


def _pattern(path: str, parameters: Mapping[str, Json]) -> re.Pattern[str]:
    # {+name} takes slashes, and says with a pattern of its own which; {name} never takes one.
    parts = re.split(r"(\{\+?[A-Za-z_]+\})", path)
    made = ""
    for part in parts:
        if not part.startswith("{"):
            made += re.escape(part)
            continue
        name = part.strip("{+}")
        own = parameters.get(name, {}).get("pattern", "")
        made += f"(?P<{name}>{own.strip('^$') if part.startswith('{+') and own else '[^/]+'})"
    return re.compile(made)


def _text_faults(where: str, schema: Json, value: str) -> Iterator[str]:
    kind, form = schema.get("type"), schema.get("format", "")
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} may not be {value!r}, but one of {', '.join(schema['enum'])}"
    if kind == "boolean" and value not in ("true", "false", "True", "False"):
        yield f"{where} is no boolean: {value!r}"
    if kind == "integer":
        if not re.fullmatch(r"-?[0-9]+", value):
            yield f"{where} is no integer: {value!r}"
        else:
            yield from _range_faults(where, form, int(value))
            if not int(schema.get("minimum", value)) <= int(value) <= int(schema.get("maximum", value)):
                yield f"{where} is out of its range: {value}"
    if form in _FORMATS and not re.fullmatch(_FORMATS[form], value):
        yield f"{where} is no {form}: {_short(value)}"
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        yield f"{where} does not fit {schema['pattern']}: {value!r}"


def _range_faults(where: str, form: str, value: int) -> Iterator[str]:
    least, most = (0, 2**32 - 1) if form == "uint32" else (-(2**31), 2**31 - 1)
    if not least <= value <= most:
        yield f"{where} is no {form}: {value}"


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and not (isinstance(value, bool) and kind in ("integer", "number"))


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) < 120 else text[:117] + "..."


@functools.cache
def document(name: str, version: str) -> Document:
    """The interface's document, read once."""
    place = resources.files("googleapiclient.discovery_cache.documents") / f"{name}.{version}.json"
    return Document(json.loads(place.read_text(encoding="utf-8")))
