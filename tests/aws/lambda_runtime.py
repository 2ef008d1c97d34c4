"""Lambda's part of a function's process: imports the handler by its name, hands it events from stdin, tells its answers.

Run as ``python -I -S lambda_runtime.py FOLDER HANDLER``: only the archive's folder and the standard library are to be found.
What is said to the caller stands on lines of their own; everything else is the function's log.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from typing import Any

ANSWER = "\x1eanswer "


class Context:
    """What Lambda tells of a call, as far as anybody asks."""

    function_name = "fleet-1a2b3c4d-controller"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def __init__(self, milliseconds: float) -> None:
        self._ends_at = time.monotonic() + milliseconds / 1000

    def get_remaining_time_in_millis(self) -> int:
        """Until it is killed."""
        return max(0, round((self._ends_at - time.monotonic()) * 1000))


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Serve until stdin ends."""
    folder, name = sys.argv[1:]
    sys.path.insert(0, folder)
    module, _, function = name.rpartition(".")
    handler = getattr(importlib.import_module(module), function)
    _tell({"ready": True, "cpu": _spent(), "file": sys.modules[module].__file__})
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        before, began = _spent(), time.perf_counter()
        told: dict[str, Any] = {}
        try:
            told["answer"] = json.loads(json.dumps(handler(asked["event"], Context(asked["milliseconds"]))))
        except Exception as error:  # as Lambda does: the call failed, the process goes on
            told["error"] = f"{type(error).__name__}: {error}"
        told |= {"seconds": time.perf_counter() - began, "cpu": _spent() - before}
        told["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        _tell({**told, "packages": sorted({name.partition(".")[0] for name in sys.modules})})


def _tell(what: dict[str, Any]) -> None:
    sys.stdout.write(ANSWER + json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
