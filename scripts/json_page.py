"""Writes the generated part of docs/json.md: every object that ``-o json`` prints, from the types that it is printed from.

python scripts/json_page.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fleet.cli import schemas

PAGE = Path(__file__).parents[1] / "docs" / "json.md"
MARK = "<!-- From here on made by scripts/json_page.py -->\n"


def rendered() -> str:
    """The generated part."""
    parts = [_object(name, printed) for name, printed in schemas.PRINTED.items()]
    without = [f"| `fleet {command}` | {why} |" for command, why in schemas.NO_JSON.items()]
    head = "## Commands without `-o json`\n\n| command | why |\n| --- | --- |\n"
    return "\n".join([*parts, head + "\n".join(without) + "\n"])


def _object(name: str, printed: schemas.Printed) -> str:
    schema = schemas.schema_of(name)
    commands = ", ".join(f"`fleet {command}`" for command in printed.commands) or "any command that fails"
    what = "a list of these" if schema.get("type") == "array" else "one on each line" if printed.lines else "one object"
    text = f"## `{name}`\n\n{commands}: {what}.\n"
    if name == "event":
        return text + "\n" + _events(schema)
    model = schema["$defs"][schema["items"]["$ref"].rpartition("/")[2]] if what.startswith("a list") else schema
    run = schemas.schema_of("run")["properties"]
    if name == "runs":
        return text.replace("a list of these", "a list of `run` objects")
    if name == "status":
        model = {**model, "properties": {k: v for k, v in model["properties"].items() if k not in run}}
    text += f"\n{model['description']}\n\n{_fields(model)}"
    for inner in _inner(model, schema.get("$defs", {})):
        text += f"\n`{inner['title'].removesuffix('Object').lower()}`: {inner['description']}\n\n{_fields(inner)}"
    return text


def _inner(model: dict[str, Any], known: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for title, one in known.items() if title != model.get("title")]


def _fields(model: dict[str, Any]) -> str:
    rows = [f"| `{name}` | {_kind(field)} | {field.get('description', '')} |" for name, field in model["properties"].items()]
    return "| field | type | meaning |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n"


def _kind(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return f"object `{field['$ref'].rpartition('/')[2].removesuffix('Object').lower()}`"
    if "anyOf" in field:
        return " or ".join(_kind(one) for one in field["anyOf"])
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_kind(field['items'])}" if "items" in field else "list"
    if field.get("type") == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"object of {_kind(field['additionalProperties'])}"
    return str(field.get("type", "any"))


def _events(schema: dict[str, Any]) -> str:
    lines = [
        "What the journal holds, as it holds it: `entry` (the number of the journal entry), `at`, `type`, `v` (the version",
        "of that type) and the fields of the type. Money is integer micro-dollars here, as in the journal; the field names",
        "have no units. `fleet schema event` has every detail.",
        "",
        "| type | v | what happened | fields |",
        "| --- | --- | --- | --- |",
    ]
    for reference in schema["oneOf"]:
        model = schema["$defs"][reference["$ref"].rpartition("/")[2]]
        fields = model["properties"]
        own = ", ".join(f"`{name}`" for name in fields if name not in ("entry", "at", "type", "v"))
        meaning = " ".join(model.get("description", "").split()).replace("``", "`").replace("<", "&lt;")
        lines.append(f"| `{fields['type']['const']}` | {fields['v']['const']} | {meaning} | {own} |")
    return "\n".join(lines) + "\n"


def whole(page: str) -> str:
    """The page with its generated part as it should be."""
    return page[: page.index(MARK)] + MARK + "\n" + rendered()


if __name__ == "__main__":
    PAGE.write_text(whole(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
