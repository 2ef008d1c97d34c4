"""A kind of training that fleet knows (``workload:``), as a child of the agent: its driver, and the containers it makes.

The driver is fleet's own code in a process of its own, ``python -m fleet.workloads``: it may use what it needs without the
agent's loop waiting for it, and is asked to stop, killed and restarted as any training is. Containers are no children of it:
whatever way it ends, what it made on the engine is removed before it counts as gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from fleet.agent.logfile import LogFile
from fleet.agent.process import ShellProcess
from fleet.engine import ENGINE_NOTE, remove_noted
from fleet.model.base import Seconds, canonical_json
from fleet.model.documents import BootDocument
from fleet.model.errors import FleetError
from fleet.workloads.stopping import note_stop

OPTIONS = "workload.json"
"""On the machine's own disk: what the job says under ``workload:``."""
_START = (
    "import os, sys; sys.path[:0] = os.environ.pop('FLEET_PYTHONPATH').split(os.pathsep); "
    "from fleet.workloads.__main__ import main; sys.exit(main(os.environ))"
)
"""Python is started isolated (-I): a ``yaml.py`` in the user's workdir must not stand in for the library of that name."""


def command(boot: BootDocument, scratch: Path, env: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The shell's words that start the driver, and its environment."""
    options = scratch / OPTIONS
    options.write_bytes(canonical_json(boot.job.workload))
    paths = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
    more = {
        "FLEET_WORKLOAD": str(options),
        "FLEET_PYTHONPATH": paths,
        "FLEET_ENGINE_NOTE": str(scratch / ENGINE_NOTE),
        "FLEET_BUCKET": boot.root,
    }
    return f"exec {shlex.quote(sys.executable)} -I -c {shlex.quote(_START)}", {**env, **more}


class WorkloadProcess:
    """The driver, from its start until nothing of it is left, on the engine neither."""

    def __init__(
        self,
        words: str,
        folder: Path,
        env: Mapping[str, str],
        log: LogFile,
        wake: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._note = Path(env["FLEET_ENGINE_NOTE"])
        self._wake, self._log = wake, log
        self._cleaning: threading.Thread | None = None
        self._lock = threading.Lock()
        self._killed = False
        self._child = ShellProcess(words, folder, env, log, wake, clock)

    def poll(self) -> int | None:
        """The driver's exit code, once its containers are gone too; of a killed one as soon as it is dead.

        Checkpoints are written by the driver alone. Whoever killed it has little time, and must not wait for a slow engine
        before what lies there is committed: for the containers there is ``gone``.
        """
        code = self._child.poll()
        cleaned = code is not None and self._cleaned()
        return code if cleaned or self._killed else None

    def lines(self) -> list[tuple[float, str]]:
        """What the driver printed since the last call."""
        return self._child.lines()

    def ask_to_stop(self, within: Seconds) -> None:
        """SIGTERM to the driver, which asks its containers, and learns how long it has."""
        with contextlib.suppress(OSError):  # a full disk: it then takes a usual time for granted
            note_stop(self._note.parent.parent, time.time() + within)
        self._child.ask_to_stop(within)

    def kill(self) -> None:
        """SIGKILL to the driver; its containers are removed, whatever they do."""
        self._killed = True
        self._child.kill()
        self._cleaned()

    @property
    def gone(self) -> bool:
        """Nothing of it is left that could hold a file open."""
        return self._child.gone and self._cleaned()

    def _cleaned(self) -> bool:
        with self._lock:
            if self._cleaning is None:
                self._cleaning = threading.Thread(target=self._clean, name="workload", daemon=True)
                self._cleaning.start()
            return not self._cleaning.is_alive()

    def _clean(self) -> None:
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            remove_noted(note, os.environ)
        except FleetError as error:
            self._log.write(f"fleet: {error}\n".encode())
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            pass  # it had made nothing yet
        finally:
            with contextlib.suppress(Exception):
                self._wake()
