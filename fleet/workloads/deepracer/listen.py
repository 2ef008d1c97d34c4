"""The containers' output, line by line into one queue, and their ends.

Each container is followed by a docker command of its own. They are in groups of their own: a signal to the driver's group
must not cut the logs off while the trainer saves.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from datetime import datetime

from fleet.engine import Engine
from fleet.model.base import Seconds
from fleet.model.errors import FleetError
from fleet.workloads.deepracer.steer import Exited

MOST_LINE = 1 << 16
AWAY: Seconds = 30.0
"""An engine that is being restarted is waited for so long."""
PAUSE: Seconds = 0.5
_RUNNING = ("created", "running", "restarting", "paused")


@dataclass(frozen=True, slots=True)
class Line:
    """What a service printed."""

    service: str
    text: str


Heard = Line | Exited


class Listener:
    """Follows containers; what they say and how they end is taken from it in the order in which it came."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._heard: queue.SimpleQueue[Heard | None] = queue.SimpleQueue()
        self._children: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._over = False

    def follow(self, service: str, container: str) -> None:
        """From its first line to its end."""
        threading.Thread(target=self._follow, args=(service, container), name=f"log of {service}", daemon=True).start()

    def take(self, within: Seconds) -> list[Heard]:
        """What came since the last call; waits so long for the first."""
        found: list[Heard] = []
        with contextlib.suppress(queue.Empty):
            one = self._heard.get(timeout=max(0.0, within))
            while True:
                if one is not None:
                    found.append(one)
                one = self._heard.get_nowait()
        return found

    def wake(self) -> None:
        """Whoever waits goes on; may be called by a signal's handler."""
        self._heard.put(None)

    def end(self) -> None:
        """No longer follow anything."""
        with self._lock:
            self._over = True
            for child in self._children:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)

    def _follow(self, service: str, container: str) -> None:
        since: str | None = None
        away: Seconds | None = None
        while not self._over:
            self._read(service, container, since)
            since = f"{time.time():.3f}"
            try:
                found = self._ended(service, container)
            except FleetError as error:
                away = away or time.monotonic() + AWAY
                if time.monotonic() > away:
                    self._heard.put(Line(service, f"fleet: {error.message}"))
                    self._heard.put(Exited(service, -1, time.time()))
                    return
                time.sleep(PAUSE)
                continue
            away = None
            if found is not None:
                self._heard.put(found)
                return
            time.sleep(PAUSE)

    def _read(self, service: str, container: str, since: str | None) -> None:
        words = [self._engine.docker, "logs", "--follow", *(["--since", since] if since else []), container]
        with self._lock:
            if self._over:
                return
            child = subprocess.Popen(
                words,
                env=dict(self._engine.env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                preexec_fn=os.setpgrp,
            )
            self._children.append(child)
        assert child.stdout is not None
        with child.stdout as pipe:
            while line := pipe.readline(MOST_LINE):
                self._heard.put(Line(service, line.decode("utf-8", errors="replace").rstrip("\r\n")))
        child.wait()
        with self._lock:
            self._children.remove(child)

    def _ended(self, service: str, container: str) -> Exited | None:
        """How it ended; None while it runs. Raises FleetError while the engine does not answer."""
        answer = self._engine.ask("inspect", "--format", "{{json .State}}", container)
        if answer.returncode != 0:
            if "no such" in answer.stderr.casefold():
                return Exited(service, -1, time.time())
            raise FleetError("the docker engine does not answer")
        state = json.loads(answer.stdout)
        if state["Status"] in _RUNNING:
            return None
        return Exited(service, int(state["ExitCode"]), _time(state.get("FinishedAt", "")), bool(state.get("OOMKilled")))


def _time(text: str) -> Seconds:
    """Docker's, which has nanoseconds; now, if it says none."""
    try:
        return datetime.fromisoformat(f"{text[:19]}+00:00").timestamp() + float(f"0{text[19:].rstrip('Z')}")
    except ValueError:
        return time.time()
