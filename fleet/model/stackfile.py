"""The compose file of a stack, as far as fleet reads it: the service whose end is the end of the run."""

from __future__ import annotations

import yaml

from fleet.model.errors import JobError
from fleet.model.yamlfile import MOST_BYTES, compose

MAIN_LABEL = "fleet.main"
MAIN_NAMES = ("training", "main")
"""A service of one of these names is the training, where none is labelled."""
MOST_DEPTH = 20
"""Of mappings merged into one another."""
MOST_LEVELS = 100
_Entries = dict[str, yaml.Node]


def project_name(run_id: str, attempt: int) -> str:
    """The compose project of an attempt: no other attempt's, of this run or another, and valid for compose v1 and v2."""
    return f"fleet-{run_id}-{attempt}"


def main_service(text: str, source: str) -> str:
    """The service that trains: the labelled one, the only one, or the one named ``training`` or ``main``.

    Services behind a profile do not count: they are not started. Raises JobError for a file that is none, or that leaves
    the choice open.
    """
    services, line = _services(text, source)
    started = {name: node for name, node in services.items() if "profiles" not in _entries(node)}
    labelled = [name for name, node in started.items() if _labelled(node)]
    found = labelled or [name for name in MAIN_NAMES if name in started]
    if not found and len(started) == 1:
        found = list(started)
    if len(found) == 1:
        return found[0]
    hint = f'Mark the one that trains: labels: {{{MAIN_LABEL}: "true"}}'
    if found:
        raise JobError(f"{source}:{line}: {' and '.join(found)} cannot both be the training", hint)
    names = ", ".join(started) or "none"
    raise JobError(f"{source}:{line}: the end of which service is the end of the run? It starts {names}", hint)


def _services(text: str, source: str) -> tuple[_Entries, int]:
    """The services, and the line of the first."""
    if len(text) > MOST_BYTES or "\0" in text:
        raise JobError(f"{source} is no compose file", "Name the right file.")
    root = compose(text, source, MOST_LEVELS)  # nodes only: compose's own tags (!reset) mean nothing here
    node = _entries(root).get("services")
    services = _entries(node)
    if node is None or not services:
        hint = "Name its containers under `services:`; `fleet init stack` writes an example."
        raise JobError(f"{source}: there are no services in it", hint)
    return services, node.start_mark.line + 1


def _entries(node: yaml.Node | None, depth: int = 0, known: dict[int, _Entries] | None = None) -> _Entries:
    """A mapping's keys and values, merged ones (``<<``) beneath its own.

    ``known``: those of mappings that were looked into already, since merges of merges of merges are without number.
    """
    found: _Entries = {}
    known = {} if known is None else known
    if not isinstance(node, yaml.MappingNode) or depth > MOST_DEPTH:
        return found
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = found  # of one that is merged into itself
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.value == "<<":
            merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for one in merged:
                found = {**_entries(one, depth + 1, known), **found}
        else:
            found[key.value] = value
    known[id(node)] = found
    return found


def _labelled(service: yaml.Node) -> bool:
    labels = _entries(service).get("labels")
    if isinstance(labels, yaml.SequenceNode):
        return any(isinstance(one, yaml.ScalarNode) and one.value == f"{MAIN_LABEL}=true" for one in labels.value)
    value = _entries(labels).get(MAIN_LABEL)
    return isinstance(value, yaml.ScalarNode) and str(value.value).casefold() == "true"
