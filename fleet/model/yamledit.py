"""Changing values in a YAML file that somebody wrote: everything else stays as it is, comments and layout too. Pure.

The text is changed where the parser says that a value stands, and read again: what came out otherwise than it was meant
(anchors, merges) is refused, never written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from fleet.model.errors import JobError
from fleet.model.yamlfile import MOST_NODES, compose

MOST_DEPTH = 20
_COMMENT = re.compile(r" {2,}(?=#)")
Path = tuple[str, ...]
"""Keys, from the outermost mapping inwards."""


def edited(text: str, source: str, changes: Mapping[Path, object]) -> str:
    """The text with each value set to plain data, a key added where it is missing.

    Raises JobError if the text is no YAML mapping, or if a value is written in a way that it cannot be changed in.
    """
    for path, value in changes.items():
        text = _set(text, source, path, value)
    return text


def _set(text: str, source: str, path: Path, value: object) -> str:
    before = _load(text, source)
    wanted = _with(before, path, value)
    if wanted is not None and _same(wanted, before):
        return text
    node = compose(text, source, MOST_DEPTH)
    if wanted is None or not isinstance(node, yaml.MappingNode):
        raise _refused(source, path, "stands in nothing that has keys")
    after = _placed(text, node, path, value)
    try:
        right = _same(_load(after, source), wanted)
    except JobError:
        right = False
    if not right:
        raise _refused(source, path, "cannot be changed where it stands")
    return after


def _placed(text: str, node: yaml.MappingNode, path: Path, value: object) -> str:
    """The change made in the text: the value that is there replaced, or the first key added that is not there."""
    for depth, key in enumerate(path):
        inner = next((one for name, one in node.value if isinstance(name, yaml.ScalarNode) and name.value == key), None)
        rest = path[depth + 1 :]
        if inner is None:
            return _added(text, node, key, _nested(rest, value))
        if not rest or not isinstance(inner, yaml.MappingNode):
            return _replaced(text, inner, _nested(rest, value), node.start_mark.column)
        node = inner
    return text


def _replaced(text: str, node: yaml.Node, value: object, column: int) -> str:
    """A value instead of a node of a mapping that stands in a column."""
    start, end = node.start_mark.index, _end(node)
    new = _flow(value)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and isinstance(value, (list, tuple)) and value:
        pause = _newline(text) + " " * node.start_mark.column
        new = pause.join(f"- {_flow(one)}" for one in value)
    elif isinstance(node, yaml.SequenceNode) and not node.flow_style and node.start_mark.column == column:
        new = f"  {new}"  # only a list may stand as far to the left as its key
    if text[start - 1 : start] == ":":
        new = f" {new}"  # there was nothing
    if text[start:end].endswith("\n"):
        new += _newline(text)  # a block of text ends with its last line's end
    return text[:start] + new + _aligned(text[end:], len(new) - (end - start) if "\n" not in text[start:end] + new else 0)


def _aligned(rest: str, longer: int) -> str:
    """What stands behind a value that became longer by so much: a comment beside it stays in its column if it can."""
    found = _COMMENT.match(rest)
    if found is None or longer == 0:
        return rest
    return " " * max(1, len(found[0]) - longer) + rest[found.end() :]


def _added(text: str, node: yaml.MappingNode, key: str, value: object) -> str:
    """A new last key."""
    entry = f"{_flow(key)}: {_flow(value)}"
    if not node.value:
        at = node.start_mark.index + 1
        return text[:at] + entry + text[at:]
    end = _end(node.value[-1][1])
    end = max(end, node.value[-1][0].end_mark.index)
    if node.flow_style:
        return f"{text[:end]}, {entry}{text[end:]}"
    newline, indent = _newline(text), " " * node.start_mark.column
    if text[:end].endswith("\n"):
        return f"{text[:end]}{indent}{entry}{newline}{text[end:]}"
    at = text.find("\n", end)
    if at < 0:
        return f"{text}{newline}{indent}{entry}{newline}"
    return f"{text[: at + 1]}{indent}{entry}{newline}{text[at + 1 :]}"


def _end(node: yaml.Node) -> int:
    """Behind its last character: the parser lets a block end only where the next one begins, comments between them."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        key, value = node.value[-1]
        return max(int(key.end_mark.index), _end(value))
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _end(node.value[-1])
    return int(node.end_mark.index)


def _flow(value: object) -> str:
    """On one line, as it may stand anywhere."""
    plain = json.loads(json.dumps(value))  # tuples as lists
    told = yaml.safe_dump([plain], default_flow_style=True, allow_unicode=True, width=1_000_000, sort_keys=False)
    return told.strip()[1:-1]


def _nested(path: Path, value: object) -> object:
    for key in reversed(path):
        value = {key: value}
    return value


def _newline(text: str) -> str:
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def _load(text: str, source: str) -> Any:
    """The plain values. Raises JobError."""
    compose(text, source, MOST_DEPTH)  # says the place of what is wrong, and refuses what would take long
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise JobError(f"{source}: cannot be read as YAML: {error}") from None


def _with(document: Any, path: Path, value: object) -> Any:
    """The values as they should be; None if the path leads through what has no keys."""
    if not isinstance(document, dict):
        return None
    wanted = _unshared(document, [0])
    within = wanted
    for key in path[:-1]:
        if within.get(key) is None:
            within[key] = {}
        within = within[key]
        if not isinstance(within, dict):
            return None
    within[path[-1]] = json.loads(json.dumps(value))
    return wanted


def _unshared(value: Any, count: list[int]) -> Any:
    """A copy in which what an anchor repeats stands by itself. Raises JobError for what repeats without measure."""
    count[0] += 1
    if count[0] > MOST_NODES:
        raise JobError("the file nests or repeats too much", "Write it out plainly.")
    if isinstance(value, dict):
        return {key: _unshared(one, count) for key, one in value.items()}
    return [_unshared(one, count) for one in value] if isinstance(value, list) else value


def _same(one: object, other: object) -> bool:
    """Also of one type: to Python 1, 1.0 and True are the same."""
    return one == other and repr(one) == repr(other)


def _refused(source: str, path: Path, why: str) -> JobError:
    return JobError(f"{source}: {'.'.join(path)} {why}", "Write the value out plainly there (no anchors), then try again.")
