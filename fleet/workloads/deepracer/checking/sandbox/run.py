"""Calls a reward function with every parameter set, and writes what came of it to the pipe of whoever asked, a line each.

``H`` what confines it · ``N`` names of functions, if the one that is wanted is missing · ``I`` imported
``C`` a call: place, reward, seconds · ``K`` a kind of trouble, when first met · ``X`` a call that ended in trouble
``L`` what it imports that Python does not bring, with lines · ``V`` where it needs a newer Python than the simulator has
``B`` something that was refused · ``M`` no memory is left · ``E`` the end: characters printed, and the most in one call
What ``faulthandler`` writes on a signal stands between them.
"""

from __future__ import annotations

import faulthandler
import json
import math
import os
import signal
import sys
import time
import types
from collections.abc import Callable
from typing import Any

from fleet.workloads.deepracer.checking.sandbox import guard, limits, seccomp
from fleet.workloads.deepracer.checking.sandbox.loading import NAME, Params, line_of, load, text_of
from fleet.workloads.deepracer.checking.sandbox.telling import Counted, Pipe

ENOUGH = 100
"""So many calls, none of which returned: more tell nothing."""
STARVED = 3
"""So many calls that ran out of memory: the next would take as long, and tell no more."""
_BALLAST = 8 << 20


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
        self.starved = 0
        """Calls that ran out of memory."""

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
            self.starved += 1
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
        self._pipe.trouble(at, kind=kind, type=type(error).__name__, text=text_of(error), line=line)

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
                if caller.starved >= STARVED or (at >= ENOUGH and not caller.returned):
                    break
        except MemoryError:
            os.write(number, b"M\n")
            os._exit(1)
    pipe.write("E", out.count, out.most)
    os._exit(0)  # no exit handler of the user's
