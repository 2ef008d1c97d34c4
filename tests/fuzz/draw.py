"""How strange things are drawn: bytes that were damaged, and documents in which one thing is not what it should be."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

Test = TypeVar("Test", bound=Callable[..., Any])
TIMES = float(os.environ.get("FLEET_FUZZ_EXAMPLES") or 1)
"""So many times the examples of an everyday run: the long search."""
_UNCHECKED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example)


def examples(number: int) -> Callable[[Test], Test]:
    """So many examples in an everyday run."""
    return settings(
        max_examples=max(1, int(number * TIMES)), deadline=None, suppress_health_check=_UNCHECKED, print_blob=True
    )


ESCAPES = "\x1b]0;mine\x07\x1b[2J\x1b[31m\x9b5m\u202egnp.exe\u2066\b\b"
LONG = "x" * 5000
STRINGS: tuple[str, ...] = (
    "", " ", "\0", "a\0b", "\n", "\r", "\x7f", "\ud800", "\udcff", "²", "٣", "é", "e\u0301", "null", "NaN", "1e400", "-0",
    "0x10", "../../x", "/etc/passwd", "a//b", "a/./b", ".", "..", "~", "-rf", "$HOME", "con", "%s%n", "{0}", ESCAPES, LONG,
    LONG + "/y", "9" * 500, "9" * 5000, "2001-01-01", "yes", "1:30:00", "\ufeff", "\u2028", "\U0010ffff",
)  # fmt: skip
NUMBERS: tuple[int | float, ...] = (
    0, -1, 1, 2, 7, 2**31, 2**63, -(2**63) - 1, 10**9, 10**15, 10**30, 10**400, -(10**400), 1.5, -0.0, 5e-324, 1e-9, 1e15,
    1e300, 1e308, -1e308, float("inf"), float("-inf"), float("nan"),
)  # fmt: skip
DEEP: Any = None
for _ in range(80):
    DEEP = [DEEP]
strings = st.sampled_from(STRINGS) | st.text(max_size=12)
leaves = st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.integers() | st.floats() | strings
values = leaves | st.just(DEEP) | st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=3), max_leaves=6
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands within a document of objects and lists."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, one in inner for place in ((*path, key), *places(one, (*path, key)))]


@st.composite
def bent(draw: st.DrawFn, document: Any, most: int = 3) -> Any:
    """A document in which some things are missing, doubled, renamed, or of another kind."""
    made = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, most))):
        known = places(made)
        if known:
            _bend(draw, made, draw(st.sampled_from(known)))
    return made


def _bend(draw: st.DrawFn, document: Any, place: tuple[Any, ...]) -> None:
    for key in place[:-1]:
        document = document[key]
    last, way = place[-1], draw(st.sampled_from(["replace", "replace", "replace", "drop", "double", "rename"]))
    if way == "drop":
        del document[last]
    elif way == "double" and isinstance(document, list):
        document.insert(last, copy.deepcopy(document[last]))
    elif way == "rename" and isinstance(document, dict):
        document[draw(strings)] = document.pop(last)
    else:
        document[last] = copy.deepcopy(draw(values))


@st.composite
def damaged(draw: st.DrawFn, data: bytes, most: int = 3) -> bytes:
    """Bytes of which some were flipped, lost, written twice, or strewn in."""
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        way = draw(st.sampled_from(["flip", "cut", "double", "insert", "remove"]))
        if way == "flip" and data:
            data = data[:at] + bytes([data[at] ^ draw(st.integers(1, 255))]) + data[at + 1 :]
        elif way == "cut":
            data = data[:at]
        elif way == "double":
            data = data[:at] + data[at : at + 40] + data[at:]
        elif way == "insert":
            data = data[:at] + draw(st.binary(min_size=1, max_size=6)) + data[at:]
        elif way == "remove":
            data = data[:at] + data[at + draw(st.integers(1, 9)) :]
    return data


def as_json(value: Any) -> bytes:
    """A document as its bytes, with whatever numbers and halves of characters it holds."""
    return json.dumps(value).encode()


def documents(valid: Any) -> st.SearchStrategy[bytes]:
    """A document's bytes, bent or damaged, or bytes that never were one."""
    return bent(valid).map(as_json) | damaged(as_json(valid)) | values.map(as_json) | st.binary(max_size=60)
