"""Whether a policy lets somebody do something: its bindings, and their conditions in the part of CEL that fleet writes."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from tests.gce.wire import Json

PERMISSIONS: Mapping[str, frozenset[str]] = {
    "roles/storage.legacyBucketReader": frozenset(
        {"storage.buckets.get", "storage.objects.list", "storage.multipartUploads.list"}
    ),
    "roles/storage.objectViewer": frozenset({"storage.objects.get", "storage.objects.list"}),
    "roles/storage.objectUser": frozenset(
        {
            *(f"storage.objects.{verb}" for verb in ("create", "delete", "get", "list", "update", "restore", "move")),
            *(f"storage.multipartUploads.{verb}" for verb in ("abort", "create", "list", "listParts")),
        }
    ),
    "roles/secretmanager.secretAccessor": frozenset({"secretmanager.versions.access"}),
}  # fmt: skip
"""Of predefined roles (https://cloud.google.com/storage/docs/access-control/iam-roles), as far as it matters here."""


def may(policy: Json, member: str, permission: str, resource: str, kind: str = "") -> bool:
    """Whether a policy gives a permission on a resource's name. ``kind``: the resource's type."""
    for one in policy.get("bindings", ()):
        if member not in one["members"] or permission not in PERMISSIONS.get(one["role"], frozenset()):
            continue
        condition = one.get("condition")
        if condition is None or holds(condition["expression"], resource, kind):
            return True
    return False


def holds(expression: str, name: str, kind: str = "") -> bool:
    """Whether a condition holds. Raises ValueError for what is not of the part that is known here."""
    text = expression.replace("&&", " and ").replace("||", " or ")
    return bool(_value(ast.parse(text, mode="eval").body, {"name": name, "type": kind}))


def operators(expression: str) -> int:
    """How many logical operators it has."""
    return expression.count("&&") + expression.count("||") + expression.replace("!=", "").count("!")


def _value(node: ast.expr, resource: Mapping[str, str]) -> Any:
    match node:
        case ast.BoolOp(op=ast.And()):
            return all(_value(one, resource) for one in node.values)
        case ast.BoolOp(op=ast.Or()):
            return any(_value(one, resource) for one in node.values)
        case ast.Compare(ops=[ast.Eq()]):
            return _value(node.left, resource) == _value(node.comparators[0], resource)
        case ast.Compare(ops=[ast.NotEq()]):
            return _value(node.left, resource) != _value(node.comparators[0], resource)
        case ast.Constant(value=str()):
            return node.value
        case ast.Attribute(value=ast.Name(id="resource")):
            return resource[node.attr]
        case ast.Call(func=ast.Attribute(value=text, attr=function), args=[argument]):
            return _called(function, _value(text, resource), _value(argument, resource))
    raise ValueError(f"unknown in a condition here: {ast.dump(node)}")


def _called(function: str, text: str, argument: str) -> Any:
    if function in ("startsWith", "endsWith"):
        return text.startswith(argument) if function == "startsWith" else text.endswith(argument)
    if function == "extract":
        return extract(text, argument)
    raise ValueError(f"unknown in a condition here: {function}")


def extract(text: str, template: str) -> str:
    """What stands in the place of the one ``{word}``: after the first occurrence of what is before it, up to what follows.

    Nothing, if either is not there (https://cloud.google.com/iam/docs/conditions-attribute-reference#extract).
    """
    before, _, rest = template.partition("{")
    _, _, after = rest.partition("}")
    start = text.find(before)
    if start < 0:
        return ""
    start += len(before)
    if not after:
        return text[start:]
    end = text.find(after, start)
    return text[start:end] if end >= 0 else ""
