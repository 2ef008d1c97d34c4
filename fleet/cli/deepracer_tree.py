"""``fleet deepracer tree``: the versions below a folder, what each changed, and how far it came."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.cli.deepracer_results import Result, results_of
from fleet.cli.deepracer_version_words import change_objects
from fleet.cli.deepracer_versions import folder_texts, versions_below
from fleet.cli.output import emit, say
from fleet.cli.plain import plain
from fleet.model.errors import FleetError
from fleet.workloads.deepracer.versions.lineage import Found, Node, since_parent, trees

if TYPE_CHECKING:
    from fleet.cli.deepracer_version_objects import DeepRacerEvaluatedObject, DeepRacerVersionObject


def tree(folder: Path, bucket: str | None, *, results: bool, as_json: bool) -> int:
    """Look at every version below a folder."""
    if not folder.is_dir():
        raise FleetError(f"there is no folder {folder}", "Name the one that the versions' folders lie in.")
    found = versions_below(folder)
    known = results_of(found, folder, bucket) if results else {}
    grown = trees(found)
    told = []
    for stream, roots in grown.items():
        if not as_json:
            print(plain(stream))
        for indent, node in _walk(roots):
            one, changes = _object(node.found, folder, known.get(node.found.path))
            told.append(one)
            for line in [] if as_json else _lines(indent, node, one, changes):
                print(plain(line))
    if as_json:
        emit(told)
    elif not found:
        say(f"No version of a model lies below {folder}. `fleet init deepracer shanghai-1` makes a first one.")
    return 0


def _walk(nodes: list[Node], indent: str = "") -> Iterator[tuple[str, Node]]:
    """Each with the lines of the tree before it."""
    for node in nodes:
        last = node is nodes[-1]
        yield f"{indent}{'└─ ' if last else '├─ '}", node
        yield from _walk(node.children, f"{indent}{'   ' if last else '│  '}")


def _lines(indent: str, node: Node, one: DeepRacerVersionObject, changes: str) -> list[str]:
    below = indent.replace("├─ ", "│  ").replace("└─ ", "   ") + ("│  " if node.children else "   ")
    lineage = node.found.lineage
    begun = ""
    if lineage is not None and lineage.parent is not None:
        name = lineage.parent.name
        begun = f"from {name}, set {lineage.set.n}" if lineage.set is not None else f"as {name}, begun anew"
    parts = [part for part in (begun, changes or ("nothing changed" if begun else "")) if part]
    head = f"{indent}{one['version']}" + (f"  ({one['folder']})" if one["folder"] not in (one["version"], ".") else "")
    told = [head + (f"  {': '.join(parts)}" if parts else "")]
    result = _result(one)
    told += [f"{below}{result}"] if result else []
    told += [f"{below}{_evaluated(laps)}" for laps in one["evaluated"]]
    told += [f"{below}“{' '.join(note['text'].split())}”" for note in one["notes"]]
    return told + ([f"{below}problem: {one['problem']}"] if one["problem"] else [])


def _result(one: DeepRacerVersionObject) -> str:
    result = one["result"]
    if result is None:
        return ""
    parts = [f"set {result['newest_set']}"]
    if result["best_lap_seconds"] is not None:
        parts.append(f"best lap {result['best_lap_seconds']:.2f} s")
    if result["mean_completion_percent"] is not None:
        when = "when its best set was evaluated" if result["judged_by"] == "evaluation" else "in its newest iteration"
        parts.append(f"{result['mean_completion_percent']:.0f} % of a lap {when}")
    return ", ".join(parts)


def _evaluated(laps: DeepRacerEvaluatedObject) -> str:
    parts = [f"{laps['laps_completed']} of {laps['trials']} laps"]
    if laps["best_lap_seconds"] is not None:
        parts.append(f"best {laps['best_lap_seconds']:.2f} s")
    if laps["mean_completion_percent"] is not None:
        parts.append(f"{laps['mean_completion_percent']:.0f} % on average")
    which = f"set {laps['set']} " if laps["set"] is not None else ""
    return f"{which}evaluated on {laps['track']}: {', '.join(parts)}"


def _object(found: Found, root: Path, result: Result | None) -> tuple[DeepRacerVersionObject, str]:
    lineage = found.lineage
    since = since_parent(lineage, folder_texts(root / found.path))
    told: DeepRacerVersionObject = {
        "version": str(found.version),
        "stream": found.version.stream,
        "job": found.job,
        "folder": found.path,
        "parent": found.parent,
        "checkpoint": lineage.set.stem if lineage is not None and lineage.set is not None else None,
        "created_at": lineage.at if lineage is not None and lineage.parent is not None else None,
        "changes": change_objects(since.changes) if since is not None else [],
        "reward_function_changed": bool(since.reward_diff) if since is not None else False,
        "notes": [{"at": note.at, "text": note.text} for note in lineage.notes] if lineage is not None else [],
        "result": result.told() if result is not None else None,
        "evaluated": result.laps() if result is not None else [],
        "problem": found.problem or (result.problem if result is not None else ""),
    }
    return told, since.summary() if since is not None else ""
