"""From the text of a job file to a Job: every problem at once, each with its line and column, nothing ignored."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from fleet.model.errors import JobError
from fleet.model.job import Alternative, Budget, CheckpointSpec, Job, Resources, Retries, VolumeSpec
from fleet.model.plausible import absurd, contradictions
from fleet.model.yamlfile import MOST_BYTES, MOST_NODES, compose

MOST_DEPTH = 20
MOST_PROBLEMS = 100
"""More are not told at once."""
MOST_MESSAGE = 1000
LONG_NUMBER = 100
"""What has more characters stays text: YAML's numbers can take minutes to read, and can be too large for anything."""
LONG_NAME = 60
"""A longer one is no slip of the pen of a field's name."""
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""YAML can write them, and no shell, file or journal takes them."""

Path = tuple[str | int, ...]

SECTIONS: Mapping[str, type[BaseModel]] = {
    "resources": Resources,
    "volume": VolumeSpec,
    "checkpoint": CheckpointSpec,
    "budget": Budget,
    "retries": Retries,
}
ANY_OF: Path = ("resources", "any_of")
DURATIONS = frozenset({"volume.keep", "checkpoint.every", "deadline", "max_duration", "estimate", "keep_failed"})
SIZES = frozenset({"volume.size", "resources.disk_size"})
MONEY = frozenset({"resources.max_price", "budget.run", "budget.day", "budget.month"})
TEXTS = frozenset(
    {
        "name",
        "workdir",
        "bucket",
        "setup",
        "run",
        "stack",
        "checkpoint.path",
        "volume.mount",
        "volume.name",
        "budget.time_zone",
    }
)


def _is(*allowed: Any) -> Callable[[Any], bool]:
    return lambda value: value in allowed


NOT_YET: Mapping[str, Callable[[Any], bool]] = {
    "resources.infra": lambda value: str(value).split("/")[0] in ("local", "aws", "gcp"),
    "num_nodes": _is(1),
    "bucket": lambda value: value is None or str(value).startswith(("file://", "s3://", "gs://")),
}
"""Known fields that do not work in this version, and the values that they may have all the same. Refused, never ignored."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong."""

    line: int
    column: int
    message: str


@dataclass
class _Document:
    """The plain values of a YAML document, and where each stands."""

    value: Any
    marks: dict[Path, tuple[int, int]]
    """Line and column of each value."""
    keys: dict[Path, tuple[int, int]]
    """Line and column of each key."""
    texts: dict[Path, str]
    problems: list[Problem]
    source: str


def parse_job(text: str, source: str = "fleet.yaml") -> Job:
    """The job that a file describes. Raises JobError with every problem, one a line: ``file:line:column: what``."""
    document = _read(text, source)
    problems = document.problems[:MOST_PROBLEMS]
    if isinstance(document.value, dict):
        leaves = (p for path, value in _leaves(document.value) for p in _leaf(document, path, value))
        for found in (_unknown(document, document.value, Job, ()), leaves, _contradictions(document)):
            problems += islice(found, MOST_PROBLEMS)
    job = None
    try:
        job = Job.model_validate(document.value)
    except ValidationError as error:
        problems += islice(_validation(document, error, {(p.line, p.column) for p in problems}), MOST_PROBLEMS)
    if problems:
        raise _told(source, sorted(set(problems)))
    assert job is not None
    return job


def _told(source: str, problems: list[Problem]) -> JobError:
    """A line each, whatever keys and values hold that stand in it."""
    lines = [f"{source}:{p.line}:{p.column}: {' '.join(p.message.splitlines())[:MOST_MESSAGE]}" for p in problems]
    hint = f"These are the first {MOST_PROBLEMS}." if len(lines) > MOST_PROBLEMS else ""
    return JobError("\n".join(lines[:MOST_PROBLEMS]), hint)


def place(text: str, source: str, *path: str | int) -> str:
    """Where the value of a field stands in a job file that was read, or the nearest to it: ``file:line:column``."""
    marks = _read(text, source).marks
    while path and path not in marks:
        path = path[:-1]
    line, column = marks.get(path, (1, 1)) if path else (1, 1)
    return f"{source}:{line}:{column}"


def _read(text: str, source: str) -> _Document:
    if len(text) > MOST_BYTES:
        raise JobError(f"{source} has {len(text):,} characters: that is no job file", "Name the right file.")
    if "\0" in text:
        raise JobError(f"{source} is not text", "Name the right file.")
    node = compose(text, source, MOST_DEPTH)
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
        raise JobError(f"{source} is empty", "A job needs at least `name` and `run`.")
    document = _Document(None, {}, {}, {}, [], source)
    if not isinstance(node, yaml.MappingNode):
        raise JobError(f"{source}:1:1: a job file is a mapping of fields", "Begin with `name: my-job`.")
    document.value = _plain(node, (), document, [0])
    return document


def _plain(node: yaml.Node, path: Path, document: _Document, count: list[int]) -> Any:
    """A node as a plain value; anchors are followed, within a limit on how much they may grow to."""
    count[0] += 1
    if count[0] > MOST_NODES or len(path) > MOST_DEPTH:
        where = f"{document.source}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
        raise JobError(f"{where}: the file nests or repeats too much", "Write it out plainly.")
    document.marks.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document, count)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*path, i), document, count) for i, child in enumerate(node.value)]
    document.texts[path] = node.value
    _check_text(document, node)
    if len(node.value) > LONG_NUMBER:
        return node.value
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError, OverflowError, LookupError, AttributeError):
        return node.value  # what a tag (``!!bool maybe``) or the form of a number promises, and does not hold


def _check_text(document: _Document, node: yaml.Node) -> None:
    found = _NO_TEXT.search(node.value)
    if found is not None:
        told = f"{found[0]!r} stands in it, a character that no text can hold"
        document.problems.append(Problem(node.start_mark.line + 1, node.start_mark.column + 1, told))


def _mapping(node: yaml.MappingNode, path: Path, document: _Document, count: list[int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
        if isinstance(key_node, yaml.ScalarNode):
            _check_text(document, key_node)
        here = (*path, key)
        where = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if key in found:
            first = document.keys[here][0]
            document.problems.append(Problem(*where, f"{key!r} stands here twice; first in line {first}"))
            continue
        document.keys[here] = where
        found[key] = _plain(value_node, here, document, count)
        document.marks[here] = where if found[key] is None else document.marks[here]
    return found


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path)


def _problem(document: _Document, path: Path, message: str) -> Problem:
    """A problem at the nearest place known."""
    while path and path not in document.marks:
        path = path[:-1]
    return Problem(*document.marks.get(path, (1, 1)), message)


def _unknown(document: _Document, value: dict[str, Any], model: type[BaseModel], path: Path) -> Iterator[Problem]:
    for key, inner in value.items():
        here = (*path, key)
        if key not in model.model_fields:
            yield Problem(*document.keys[here], f"{_dotted(here)} is no field of a job; {_nearest(key, model)}")
        elif not path and key in SECTIONS and isinstance(inner, dict):
            yield from _unknown(document, inner, SECTIONS[key], here)
        elif here == ANY_OF and isinstance(inner, list):
            for index, one in enumerate(inner):
                if isinstance(one, dict):
                    yield from _unknown(document, one, Alternative, (*here, index))


def _nearest(key: str, model: type[BaseModel]) -> str:
    """The known name that was probably meant: of the same place, else of a section."""
    if len(key) > LONG_NAME:
        return f"known are {', '.join(model.model_fields)}"
    near = difflib.get_close_matches(key, model.model_fields, n=1)
    inside = {name: f"{section}.{name}" for section, of in SECTIONS.items() for name in of.model_fields}
    if not near and model is Job:
        near = [inside[name] for name in difflib.get_close_matches(key, inside, n=1)]
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(model.model_fields)}"


def _leaves(value: dict[str, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict) and key in SECTIONS and not path:
            yield from _leaves(inner, (key,))
        elif (*path, key) == ANY_OF and isinstance(inner, list):
            for index, one in enumerate(inner):
                yield from _leaves(one, (*ANY_OF, index)) if isinstance(one, dict) else ()
        else:
            yield (*path, key), inner


def _leaf(document: _Document, path: Path, value: Any) -> Iterator[Problem]:
    """What only a job file can get wrong: bare numbers, fields that do not work yet, paths that leave their folder."""
    name = _dotted(tuple(part for part in path if part != "any_of" and isinstance(part, str)))
    bare = isinstance(value, (int, float)) and not isinstance(value, bool)
    spellings = (
        (DURATIONS, f"{value}s or {value}m"),
        (SIZES, f"{value}GB or {value}TB"),
        (MONEY, f"${value}"),
    )
    for fields, spelling in spellings:
        if name in fields and bare:
            yield _problem(document, path, f"{name}: {value} has no unit; write {spelling}")
    if name in NOT_YET and not _allowed(name, value):
        yield _problem(document, path, f"{name}: {value!r} does not work in this version of fleet (not yet)")
    if name in TEXTS and value is not None and not isinstance(value, str):
        yield _problem(document, path, f"{name}: {document.texts.get(path, value)!r} is no text; put it in quotes")
    if name == "envs" and isinstance(value, dict):
        yield from _envs(document, value)
    if name == "file_mounts" and isinstance(value, dict):
        yield from _mounts(document, value)
    if name in ("checkpoint.path", "outputs", "stack"):
        yield from _inside(document, path, value)
    told = absurd(name, value)
    if told is not None:
        yield _problem(document, path, f"{name}: {told}")


def _allowed(name: str, value: Any) -> bool:
    try:
        return NOT_YET[name](value)
    except TypeError:
        return False


def _envs(document: _Document, value: dict[str, Any]) -> Iterator[Problem]:
    """Values are strings: what stands in the file, letter by letter (1.0 stays 1.0)."""
    for key, inner in value.items():
        path: Path = ("envs", key)
        if inner is None:
            yield _problem(document, path, f'envs.{key} has no value; write {key}: "" for an empty one')
        elif isinstance(inner, (dict, list)):
            yield _problem(document, path, f"envs.{key} is no text")
        else:
            value[key] = document.texts.get(path, str(inner))


def _mounts(document: _Document, value: dict[str, Any]) -> Iterator[Problem]:
    for where, source in value.items():
        path: Path = ("file_mounts", where)
        if ".." in where.split("/") or where.strip("/") in ("", "."):
            yield _problem(document, path, f"file_mounts: {where!r} must be a path inside the workdir, or an absolute one")
        if isinstance(source, str) and "://" in source:
            yield _problem(document, path, f"file_mounts: {source!r} does not work in this version of fleet (not yet)")


def _inside(document: _Document, path: Path, value: Any) -> Iterator[Problem]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and (one.startswith(("/", "~")) or ".." in one.split("/") or one in ("", ".")):
            yield _problem(document, path, f"{_dotted(path)}: {one!r} must be a path inside its folder")


def _contradictions(document: _Document) -> Iterator[Problem]:
    value = document.value
    envs, names = value.get("envs"), value.get("secrets")
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if isinstance(envs, dict) and isinstance(name, str) and name in envs:
            yield _problem(document, ("secrets", index), f"secrets: {name} stands under envs too, where it would be stored")
    ways = [name for name in ("run", "stack", "workload") if name in value]
    if len(ways) > 1:
        both = ", not both" if len(ways) == 2 else ""
        yield _problem(document, (ways[-1],), f"a job has either {' or '.join(ways)}{both}")
    if all(value.get(name) is None for name in ("run", "stack", "workload")):
        told = "run is missing: the shell commands that train (or stack, a compose file, or workload, a kind of training)"
        yield _problem(document, ("run",), told)
    for name, what in (("stack", "a compose file lies"), ("workload", "its files lie")):
        if value.get(name) is not None and value.get("workdir") is None:
            yield _problem(document, (name,), f"{name}: {what} in the workdir; add `workdir: .`")
    if isinstance(value.get("workload"), dict) and not isinstance(value["workload"].get("kind"), str):
        yield _problem(document, ("workload",), "workload: which kind? Write `workload: {kind: deepracer}`")
    for path, told in contradictions(value):
        yield _problem(document, path, told)


def _validation(document: _Document, error: ValidationError, told: set[tuple[int, int]]) -> Iterator[Problem]:
    """pydantic's findings in our words, but for places of which something was said already."""
    for found in error.errors():
        path: Path = tuple(part for part in found["loc"] if isinstance(part, (str, int)))
        problem = _problem(document, path, f"{_dotted(path)}: {_words(found)}")
        if (problem.line, problem.column) not in told and found["type"] != "extra_forbidden":
            yield problem


def _words(found: Any) -> str:
    if found["type"] == "missing":
        return "is missing"
    if found["type"] == "string_pattern_mismatch":
        return f"{found['input']!r} is no name: lower-case letters, digits and dashes, 40 at most"
    limit = found.get("ctx", {})
    if found["type"] in ("greater_than", "greater_than_equal", "less_than_equal"):
        words = {"greater_than": "more than {gt}", "greater_than_equal": "at least {ge}", "less_than_equal": "at most {le}"}
        return f"must be {words[found['type']].format(**limit)} (it is {str(found['input'])[:80]!r})"
    message = str(found["msg"]).removeprefix("Value error, ")
    return message if repr(found["input"]) in message else f"{message} (it is {str(found['input'])[:80]!r})"
