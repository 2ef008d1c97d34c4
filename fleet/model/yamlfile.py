"""YAML from people, down to its nodes: what is larger or deeper than can be meant is refused before it takes long."""

from __future__ import annotations

import re

import yaml

from fleet.model.errors import JobError

MOST_BYTES = 1_000_000
MOST_NODES = 20_000
_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
"""Where YAML ends a line."""


class _Composer(yaml.SafeLoader):
    """Counts as it reads: PyYAML takes many seconds for what has to be refused anyway."""

    def __init__(self, text: str, most_depth: int) -> None:
        super().__init__(text)
        self._most_depth = most_depth
        self._nodes = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """A node and those within it."""
        self._nodes += 1
        self._depth += 1
        if self._nodes > MOST_NODES or self._depth > self._most_depth + 1:
            raise _TooMuchError(problem="the file nests or repeats too much", problem_mark=self.get_mark())
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _TooMuchError(yaml.MarkedYAMLError):
    """More than can be meant."""


def compose(text: str, source: str, most_depth: int) -> yaml.Node | None:
    """The document's node; None if there is none. Raises JobError with the place of what is no YAML."""
    try:
        loader = _Composer(text, most_depth)
    except yaml.reader.ReaderError as error:
        lines = _BREAK.split(text[: error.position])
        where = f"{source}:{len(lines)}:{len(lines[-1]) + 1}"
        raise JobError(f"{where}: a character that no text holds (#x{ord(text[error.position]):04x})") from None
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        hint = "Write it out plainly." if isinstance(error, _TooMuchError) else ""
        hint = "YAML is indented with spaces, never with tabs." if "\\t" in str(error) else hint
        raise JobError(f"{where}: {error.problem or error}", hint) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise JobError(f"{source}:{loader.line + 1}:{loader.column + 1}: cannot be read as YAML: {error}") from None
    finally:
        loader.dispose()
