"""Calls a reward function with every parameter set, and writes what came of it to the pipe of whoever asked, a line each.

``H`` what confines it · ``N`` names of functions, if the one that is wanted is missing · ``I`` imported
``C`` a call: place, reward, seconds · ``K`` a kind of trouble, when first met · ``X`` a call that ended in trouble
``L`` what it imports that Python does not bring, with lines · ``V`` where it needs a newer Python than the simulator has
``B`` something that was refused · ``M`` no memory is left · ``E`` the end: characters printed, and the most in one call
What ``faulthandler`` writes on a signal stands between them.
"""

from __future__ import annotations

import ast
import faulthandler
import io
import json
import math
import os
import signal
import sys
import time
import types
from collections.abc import Callable
from typing import Any

NAME = "reward_function.py"
WANTED = "reward_function"
ENOUGH = 100
"""So many calls, none of which returned: more tell nothing."""
_BALLAST = 8 << 20
_LISTS = ("closest_waypoints", "closest_objects")
Params = dict[str, Any]


class Pipe:
    """Where results go. One write for each: nothing is lost if the process is ended."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.known: dict[tuple[object, ...], int] = {}
        self._refused: set[tuple[object, ...]] = set()

    def write(self, letter: str, *words: object) -> None:
        """A line."""
        os.write(self._number, (" ".join([letter, *map(str, words)]) + "\n").encode("utf-8", "replace"))

    def trouble(self, at: int, **what: object) -> None:
        """A call, or (-1) the import, that ended otherwise than with a number. Its kind is written once."""
        key = (what["kind"], what.get("type"), what.get("line"))
        if key not in self.known:
            self.known[key] = len(self.known)
            short = {name: value[:300] if isinstance(value, str) else value for name, value in what.items()}
            self.write("K", self.known[key], json.dumps(short))
        self.write("X", at, self.known[key])

    def refused(self, kind: str, what: str, line: int | None) -> None:
        """Something that the guard refused; once for each line."""
        if (kind, line) not in self._refused:
            self._refused.add((kind, line))
            self.write("B", json.dumps({"kind": kind, "what": what[:200], "line": line}))


class Counted(io.TextIOBase):
    """Takes the place of standard output: counts, and keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.most = 0
        """In one call."""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Counted."""
        self.count += len(text)
        return len(text)


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
            pipe.write("V", json.dumps({"line": error.lineno, "text": _text(error)}))
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
        pipe.trouble(-1, kind="syntax", type=type(error).__name__, text=_text(error), line=getattr(error, "lineno", None))
        return None
    try:
        exec(code, module.__dict__)
    except BaseException as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        pipe.trouble(-1, kind="import", type=type(error).__name__, text=_text(error), line=line_of(error), missing=missing)
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


def _text(error: BaseException) -> str:
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


def returning_line(function: Callable[[Params], Any], params: Params) -> int | None:
    """The line that the function returned from: it is called once more, and watched."""
    code = getattr(function, "__code__", None)
    last: list[int] = []

    def watch(frame: types.FrameType, event: str, _: object) -> Any:
        if frame.f_code is not code:
            return None
        if event == "return":
            last[:] = [frame.f_lineno]
        return watch

    sys.settrace(watch)
    try:
        function(params)
    except BaseException:
        return None
    finally:
        sys.settrace(None)
    return last[0] if last else None


class Caller:
    """Calls, and judges what comes back as the simulator would: by float()."""

    def __init__(self, function: Callable[[Params], Any], job: dict[str, Any], pipe: Pipe, out: Counted) -> None:
        self._function = function
        self._keys: list[str] = job["keys"]
        self._waypoints = [[tuple(point) for point in track] for track in job["waypoints"]]
        self._episodes: list[dict[str, Any]] = job["episodes"]
        self._pipe = pipe
        self._out = out
        self._ballast = bytearray(_BALLAST)
        self.returned = False
        """Any call did."""

    def params(self, episode: int, row: int) -> Params:
        """A set of its own for every call: what one call changes, no other sees."""
        one = self._episodes[episode]
        made: Params = dict(zip(self._keys, one["rows"][row], strict=True))
        for key, value in made.items():
            if type(value) is list:
                made[key] = [list(part) if type(part) is list else part for part in value]
        made["waypoints"] = list(self._waypoints[one["track"]])
        return made

    def call(self, at: int, episode: int, row: int) -> None:
        """One call, and its line."""
        params = self.params(episode, row)
        printed = self._out.count
        begun = time.perf_counter()
        try:
            value = self._function(params)
        except MemoryError as error:
            self._ballast = bytearray()
            self._pipe.trouble(at, kind="exception", type="MemoryError", text="", line=line_of(error))
            return
        except BaseException as error:
            self._raised(at, error)
            return
        self.returned = True
        seconds = time.perf_counter() - begun
        self._judge(at, episode, row, value, seconds)
        self._out.most = max(self._out.most, self._out.count - printed)
        if changed := self._changed(params, episode, row):
            self._pipe.trouble(at, kind="changes-params", type=None, text=changed, line=None)

    def _raised(self, at: int, error: BaseException) -> None:
        line, kind = line_of(error), "exception"
        if line is None and isinstance(error, TypeError):  # it was not even entered
            line, kind = getattr(getattr(self._function, "__code__", None), "co_firstlineno", None), "signature"
        self._pipe.trouble(at, kind=kind, type=type(error).__name__, text=_text(error), line=line)

    def _judge(self, at: int, episode: int, row: int, value: object, seconds: float) -> None:
        kind = type(value).__name__
        try:
            reward = float(value)  # type: ignore[arg-type]
        except BaseException:
            self._bad(at, episode, row, "not-a-number", kind, _repr(value))
            return
        self._pipe.write("C", at, repr(reward), f"{seconds:.9f}")
        if not math.isfinite(reward):
            self._bad(at, episode, row, "not-finite", kind, repr(reward))
        elif abs(reward) > 1e5:
            self._bad(at, episode, row, "range", kind, repr(reward))
        elif type(value) not in (float, int) and not _is_numpy_number(value):
            self._bad(at, episode, row, "type", kind, _repr(value))

    def _bad(self, at: int, episode: int, row: int, kind: str, of: str, text: str) -> None:
        known = [key for key in self._pipe.known if key[:2] == (kind, of)]
        line = known[0][2] if known else returning_line(self._function, self.params(episode, row))
        self._pipe.trouble(at, kind=kind, type=of, text=text, line=line)

    def _changed(self, params: Params, episode: int, row: int) -> str:
        fresh = self.params(episode, row)
        try:
            if params == fresh:
                return ""
            return ", ".join(str(key) for key in {**fresh, **params} if params.get(key, self) != fresh.get(key, self))[:200]
        except BaseException:  # an array cannot say whether it equals a list, and was not there before
            return "something"


def _repr(value: object) -> str:
    try:
        return repr(value)[:60]
    except BaseException:
        return f"a {type(value).__name__}"


def _is_numpy_number(value: object) -> bool:
    return any(f"{kind.__module__}.{kind.__name__}" == "numpy.number" for kind in type(value).__mro__)


def run(number: int, parent: int) -> None:
    """Reads what to do from standard input, locks itself in, and does it."""
    from fleet.workloads.deepracer.checking.sandbox import guard, limits, seccomp

    limits.die_with_parent(parent)
    job = json.load(sys.stdin)
    pipe, out = Pipe(number), Counted()
    faulthandler.enable(file=number, all_threads=False)
    faulthandler.register(signal.SIGUSR1, file=number, all_threads=False)
    network = "a namespace without a network" if limits.leave_network() else "an audit hook"
    limits.limit(job["seconds"], job["memory"])
    filtered = seccomp.install()
    sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = out  # type: ignore[misc,assignment]
    watch = guard.Guard(NAME, pipe.refused)
    for name in [name for name in sys.modules if name == "fleet" or name.startswith("fleet.")]:
        sys.modules[name] = None  # type: ignore[assignment]
    pipe.write("H", json.dumps({"network": network, "filter": filtered}))
    watch.install()
    begun = time.perf_counter()
    function = load(job["source"], pipe, job["python"])
    pipe.write("I", f"{time.perf_counter() - begun:.6f}")
    if function is not None:
        out.count = 0  # what is printed once, on import, fills no log
        caller = Caller(function, job, pipe, out)
        try:
            for at, (episode, row) in enumerate(job["order"]):
                caller.call(at, episode, row)
                if at >= ENOUGH and not caller.returned:
                    break
        except MemoryError:
            os.write(number, b"M\n")
            os._exit(1)
    pipe.write("E", out.count, out.most)
    os._exit(0)  # no exit handler of the user's
