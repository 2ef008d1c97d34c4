"""The user's file: read, looked at, and run once."""

from __future__ import annotations

import ast
import json
import sys
import types
from collections.abc import Callable
from typing import Any

from fleet.workloads.deepracer.checking.sandbox.telling import Pipe

NAME = "reward_function.py"
WANTED = "reward_function"
Params = dict[str, Any]


def look(source: str, pipe: Pipe, python: list[int] | None) -> None:
    """What the text alone says: libraries, and whether an old Python could read it."""
    tree = ast.parse(source)
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        for name in names:
            found.setdefault(name.partition(".")[0], node.lineno)  # type: ignore[attr-defined]
    pipe.write("L", json.dumps({name: line for name, line in found.items() if name not in sys.stdlib_module_names}))
    if python is not None:
        try:
            ast.parse(source, feature_version=(python[0], python[1]))
        except SyntaxError as error:
            pipe.write("V", json.dumps({"line": error.lineno, "text": text_of(error)}))
        except ValueError:  # this Python no longer knows that one
            return


def load(source: str, pipe: Pipe, python: list[int] | None) -> Callable[[Params], Any] | None:
    """The user's function; None if there is none, and it is said why."""
    module = types.ModuleType(WANTED)
    module.__file__ = NAME
    sys.modules[WANTED] = module
    try:
        code = compile(source, NAME, "exec", dont_inherit=True)
        look(source, pipe, python)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        pipe.trouble(-1, kind="syntax", type=type(error).__name__, text=text_of(error), line=getattr(error, "lineno", None))
        return None
    try:
        exec(code, module.__dict__)
    except BaseException as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        pipe.trouble(-1, kind="import", type=type(error).__name__, text=text_of(error), line=line_of(error), missing=missing)
        return None
    found = module.__dict__.get(WANTED)
    if callable(found):
        return found  # type: ignore[no-any-return]
    made = {
        name: value.__code__.co_firstlineno
        for name, value in module.__dict__.items()
        if isinstance(value, types.FunctionType) and value.__code__.co_filename == NAME
    }
    pipe.write("N", json.dumps(made))
    return None


def text_of(error: BaseException) -> str:
    """What an exception says, even if saying it fails."""
    try:
        return str(error.msg if isinstance(error, SyntaxError) else error)
    except BaseException:
        return ""


def line_of(error: BaseException) -> int | None:
    """The innermost line of the user's file that an exception came through."""
    found, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == NAME:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found
