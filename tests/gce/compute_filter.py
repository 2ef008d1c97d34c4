"""The filters of Compute Engine's lists: the part that is used here, and a clear refusal of the rest.

``labels.fleet=abc``, ``name = "x"``, ``(a = 1) AND (b != 2)``, ``field:value`` (has it; ``labels.key:*`` has the key),
``field eq regular-expression``; comparisons side by side must all hold.
"""

from __future__ import annotations

import re
from typing import Any

from tests.gce.wire import Json, Refused

_TERM = re.compile(
    r"""\(*\s*(?P<field>[A-Za-z][\w.-]*)\s*(?P<how>!=|>=|<=|=|>|<|:|\beq\b|\bne\b)\s*(?P<value>"[^"]*"|'[^']*'|[^\s()]+)\s*\)*"""
)


Term = tuple[str, str, str]
"""A field, how it is compared, and with what."""


def fits(asked: list[Term], data: Json) -> bool:
    """Whether a resource fits a filter's terms."""
    return all(_holds(field, how, value, data) for field, how, value in asked)


def terms(text: str) -> list[Term]:
    """The comparisons that must all hold. Raises Refused for a filter that this stand-in does not understand."""
    found, rest = [], text.strip()
    if text.count("(") != text.count(")"):
        raise _invalid(text)
    while rest:
        match = _TERM.match(rest)
        if not match:
            raise _invalid(text)
        found.append((match["field"], match["how"], match["value"].strip("\"'")))
        rest = rest[match.end() :].lstrip()
        if re.match(r"(OR|NOT)\b", rest) or rest.startswith("-"):
            raise _invalid(text, "the stand-in knows no OR and NOT")
        rest = re.sub(r"^AND\b\s*", "", rest)
    return found


def _holds(field: str, how: str, value: str, data: Json) -> bool:
    found = _found(field, data)
    if how == ":":
        return found is not None and (value == "*" or value in str(found))
    if how in ("eq", "ne"):
        return bool(found is not None and re.fullmatch(value, _text(found))) == (how == "eq")
    if how in ("=", "!="):
        # A wildcard is allowed at the end of what is compared.
        same = _text(found).startswith(value[:-1]) if value.endswith("*") else _text(found) == value
        return (found is not None and same) == (how == "=")
    if found is None:
        return False
    # Numbers by their size, times and texts as they are written.
    if re.fullmatch(r"-?[\d.]+", value):
        return _ordered(how, float(_text(found)) - float(value))
    return _ordered(how, (_text(found) > value) - (_text(found) < value))


def _ordered(how: str, by: float) -> bool:
    return {">": by > 0, "<": by < 0, ">=": by >= 0, "<=": by <= 0}[how]


def _found(field: str, data: Json) -> Any:
    found: Any = data
    for part in field.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(part)
    return found


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _invalid(text: str, why: str = "Invalid list filter expression.") -> Refused:
    return Refused(400, "invalid", f"Invalid value for field 'filter': '{text}'. {why}")
