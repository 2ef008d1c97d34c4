"""A docker compose stack as a child of the agent: one of its services trains, the others serve it.

Containers are no children of the agent: what it starts here are commands that make, watch and end them. The training's
output is read from the engine as it was printed; the other services' lines go into the log with compose's prefix.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fleet.agent.logfile import LogFile
from fleet.agent.streams import Streams, signal_group
from fleet.engine import ENGINE_NOTE, PROJECT_LABEL, Engine, EngineAwayError, asked, last_line
from fleet.model.base import Seconds
from fleet.model.errors import FleetError
from fleet.model.stackfile import main_service
from fleet.workloads.compose import Compose, find_compose
from fleet.workloads.stack import OVERRIDE, StackSpec, override, resolved

SERVING_GRACE: Seconds = 10
"""The other services may take so long to end, once the training has."""
CONFIG_MOST: Seconds = 60
KILL_MOST: Seconds = 5
"""A stack that was killed counts as ended after so long, even if the engine does not say so."""
ENGINE_AWAY: Seconds = 30
"""An engine that is being restarted is waited for so long."""
AWAY_STOPPING: Seconds = 3.0
"""The same while the training is asked to stop: the machine is being shut down."""
AWAY_PAUSE: Seconds = 1
DID_NOT_START = 125
"""As ``docker run`` says it."""
STOPPED, KILLED = 128 + signal.SIGTERM, 128 + signal.SIGKILL


class ComposeProcess:
    """A stack, from ``up`` until nothing of it is left. Its exit code is its training's."""

    def __init__(
        self,
        spec: StackSpec,
        env: Mapping[str, str],
        log: LogFile,
        wake: Callable[[], None],
        clock: Callable[[], float],
        begins: Callable[[], None] = lambda: None,
        *,
        engine_wait: Seconds = 0.0,
    ) -> None:
        """``begins`` is called once the training's container runs. ``engine_wait``: for an engine that is just starting."""
        self._engine_wait = engine_wait
        self._spec, self._env, self._wake, self._begins = spec, dict(env), wake, begins
        self._streams = Streams(spec.folder, env, log, wake, clock)
        self._lock = threading.Lock()
        self._compose: Compose | None = None
        self._training: str | None = None
        """The training's container."""
        self._others: list[str] = []
        """The services that were started with it."""
        self._doing: subprocess.Popen[bytes] | None = None
        """The command that starts the stack, while it does."""
        self._stop_by: float | None = None
        self._killed_at: float | None = None
        self._ended: int | None = None
        """The training's exit code."""
        self._gone = False
        threading.Thread(target=self._live, name="stack", daemon=True).start()

    # --- what the agent asks

    def poll(self) -> int | None:
        """The training's exit code once nothing of the stack is left; of a killed one as soon as it is dead."""
        killed = self._killed_at is not None
        if self._ended is not None and (self._gone or killed):
            return self._ended
        if self._killed_at is not None and time.monotonic() > self._killed_at + KILL_MOST:
            return KILLED
        return None

    def lines(self) -> list[tuple[float, str]]:
        """What the training printed since the last call."""
        return self._streams.lines()

    def ask_to_stop(self, within: Seconds) -> None:
        """The training's stop signal (SIGTERM unless its image says otherwise); the services that it needs go after it."""
        with self._lock:
            self._stop_by = time.monotonic() + within
            if self._training is not None:
                self._beside(lambda engine, container: _stop(engine, container, within), self._training)
            else:
                self._interrupt(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to every container of the stack; what is left is then removed."""
        with self._lock:
            if self._gone or self._killed_at is not None:
                return
            self._killed_at = time.monotonic()
            self._interrupt(signal.SIGKILL)
            self._beside(_kill, self._spec.project)

    @property
    def gone(self) -> bool:
        """Its containers are removed, or could not be."""
        return self._gone

    def _beside(self, act: Callable[[Engine, str], None], what: str) -> None:
        """The agent's loop does not wait for the engine."""
        compose = self._compose
        if compose is not None:
            threading.Thread(target=_tried, args=(act, compose.engine, what), name="engine", daemon=True).start()

    def _interrupt(self, number: int) -> None:
        if self._doing is not None:
            signal_group(self._doing, number)

    # --- its life, in a thread of its own

    def _live(self) -> None:
        code = DID_NOT_START
        try:
            code = self._run()
        except FleetError as error:
            self._streams.say(str(error))
        except OSError as error:
            self._streams.say(f"{error.filename or 'the stack'}: {error.strerror or error}")
        except Exception as error:  # noqa: BLE001 - whatever it is: a training that never ends would keep its machine
            self._streams.say(f"the stack: {error!r}")
        code = self._as_asked(code)
        self._ended = code
        self._wake()
        try:
            self._take_down()
        except FleetError as error:
            self._streams.say(str(error))
        finally:
            with contextlib.suppress(OSError):
                self._streams.end()
            self._gone = True
            self._wake()

    def _as_asked(self, code: int) -> int:
        """One that was interrupted while it started did not fail to start."""
        if code != DID_NOT_START:
            return code
        return KILLED if self._killed_at is not None else STOPPED if self._stop_by is not None else code

    def _run(self) -> int:
        spec = self._spec
        self._compose = compose = self._found()
        self._streams.worth_telling = compose.worth_telling
        text = spec.file.read_text(encoding="utf-8")
        main = main_service(text, spec.file.name)
        self._streams.say(f"{compose.told}; the training is the service {main}")
        self._note(compose)
        for project in {spec.project, *self._left(compose.engine)}:  # an agent before this one may have left it
            compose.engine.remove(project, settle=0)
        config = self._config(compose)
        base = compose.files_version(text)
        (spec.own / OVERRIDE).write_text(override(spec, config, main, self._env, base), encoding="utf-8")
        code = self._step(self._words("up", "--detach", "--quiet-pull"))
        if self._stop_by is not None or self._killed_at is not None:
            return DID_NOT_START
        if code != 0:
            raise FleetError(f"the stack did not start: compose ended with exit code {code}; it says why above")
        container = self._container(compose.engine, main)
        with self._lock:
            self._training = container
        if self._stop_by is not None:
            self.ask_to_stop(max(1.0, self._stop_by - time.monotonic()))  # asked just as it had started
        with contextlib.suppress(OSError):  # a full disk must not end the training
            self._begins()
        self._streams.follow([compose.engine.docker, "logs", "--follow", container], training=True)
        self._others = [name for name in config["services"] if name != main]
        if self._others:
            self._streams.follow(self._words("logs", "--follow", "--no-color", *self._others))
        return self._wait_for(compose.engine, container)

    def _left(self, engine: Engine) -> list[str]:
        """What killed machines left on the volume, where the engine's data lies: on a machine of its own, all is fleet's.

        Containers with names and ports of their own would stand in this stack's way; their environment holds secrets.
        """
        if not self._engine_wait:
            return []
        words = ("ps", "--all", "--filter", "label=fleet.run", "--format", f'{{{{.Label "{PROJECT_LABEL}"}}}}')
        return engine.ask(*words).stdout.split()

    def _found(self) -> Compose:
        """Where the volume holds the engine's data, it starts once the volume is there, a moment before the stack."""
        until = time.monotonic() + self._engine_wait
        while True:
            try:
                return find_compose(self._env, self._spec.folder)
            except EngineAwayError:
                ends = self._stop_by is not None or self._killed_at is not None
                if ends or time.monotonic() >= until:
                    raise
                time.sleep(AWAY_PAUSE)

    def _note(self, compose: Compose) -> None:
        """Where the containers run, before there is one: for whoever ends this machine."""
        self._spec.own.mkdir(parents=True, exist_ok=True)
        note = {"docker": compose.engine.docker, "project": self._spec.project, "env": compose.engine.way()}
        (self._spec.own / Path(ENGINE_NOTE).name).write_text(json.dumps(note), encoding="utf-8")

    def _words(self, *rest: str) -> list[str]:
        assert self._compose is not None
        return self._compose.words(self._spec.project, [self._spec.file, self._spec.own / OVERRIDE], *rest)

    def _config(self, compose: Compose) -> dict[str, Any]:
        """The user's file as compose understands it. Its text may hold secrets: it is kept nowhere."""
        answer = asked(
            compose.words(self._spec.project, [self._spec.file], "config"), self._env, CONFIG_MOST, self._spec.folder
        )
        self._streams.write(answer.stderr.splitlines())
        if answer.returncode != 0:
            raise FleetError(f"compose refuses {self._spec.file.name}", "Try it: docker compose config")
        return resolved(answer.stdout)

    def _container(self, engine: Engine, service: str) -> str:
        labels = (f"{PROJECT_LABEL}={self._spec.project}", f"com.docker.compose.service={service}")
        filters = [word for label in labels for word in ("--filter", f"label={label}")]
        found = engine.ask("ps", "--all", "--quiet", "--no-trunc", *filters).stdout.split()
        if len(found) != 1:
            raise FleetError(f"the service {service} has {len(found)} containers; the training is one")
        return found[0]

    def _step(self, words: Sequence[str]) -> int:
        """A command that the agent may interrupt; what it says goes into the log. Its exit code."""
        with self._lock:
            if self._stop_by is not None or self._killed_at is not None:
                return DID_NOT_START
            self._doing = child = self._streams.start(words)
        try:
            self._streams.hear(child)
            return child.wait()
        finally:
            with self._lock:
                self._doing = None

    def _wait_for(self, engine: Engine, container: str) -> int:
        """The training's exit code, however often the engine goes away and comes back meanwhile."""
        away_until: float | None = None
        while True:
            with contextlib.suppress(FleetError):
                engine.ask("wait", container, timeout=None)
            state = _state(engine, container)
            if state is None:
                away_until = away_until or time.monotonic() + (ENGINE_AWAY if self._stop_by is None else AWAY_STOPPING)
                if self._killed_at is not None or time.monotonic() > away_until:
                    raise FleetError("the docker engine went away while the stack ran", "Look at it: docker info")
                time.sleep(AWAY_PAUSE)
                continue
            away_until = None
            status, code, no_memory = state
            if status not in ("running", "restarting", "paused"):
                self._streams.hear_training_out()
                if no_memory:
                    self._streams.say("the training was ended for lack of memory")
                return code
            if not self._streams.hears_training:
                since = f"{self._streams.read_at:.3f}"
                self._streams.follow([engine.docker, "logs", "--follow", "--since", since, container], training=True)
            time.sleep(AWAY_PAUSE)

    def _take_down(self) -> None:
        """End the other services in their order, then remove everything: by the engine, so that no volume of others goes."""
        if self._compose is None or not (self._spec.own / OVERRIDE).exists():
            return
        if self._others and self._killed_at is None:
            left = self._stop_by - time.monotonic() if self._stop_by is not None else SERVING_GRACE
            grace = str(max(1, int(min(SERVING_GRACE, left))))
            with contextlib.suppress(FleetError):
                asked(self._words("stop", "--timeout", grace), self._env, SERVING_GRACE + CONFIG_MOST, self._spec.folder)
        self._streams.end()
        settle = 0.0 if self._training is not None else 0.3
        self._compose.engine.remove(self._spec.project, settle=settle)


def _tried(act: Callable[[Engine, str], None], engine: Engine, what: str) -> None:
    """What fails here is seen by who waits for the container."""
    with contextlib.suppress(FleetError):
        act(engine, what)


def _stop(engine: Engine, container: str, within: Seconds) -> None:
    """With a timeout of ours: neither docker's ten seconds nor the compose file's ``stop_grace_period``."""
    seconds = max(1, int(within))
    engine.ask("stop", "-t", str(seconds), container, timeout=seconds + CONFIG_MOST)


def _kill(engine: Engine, project: str) -> None:
    found = engine.ask("ps", "--quiet", "--filter", f"label={PROJECT_LABEL}={project}").stdout.split()
    if found:
        engine.ask("kill", *found)


def _state(engine: Engine, container: str) -> tuple[str, int, bool] | None:
    """Status, exit code, and whether it ran out of memory; None while the engine does not answer.

    Raises FleetError if there is no such container any more.
    """
    words = ("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}", container)
    try:
        answer = engine.ask(*words)
    except FleetError:
        return None
    if answer.returncode != 0:
        if "no such" in answer.stderr.casefold():
            raise FleetError(f"somebody removed the training's container: {last_line(answer.stderr)}")
        return None
    status, code, no_memory = answer.stdout.split()
    return status, int(code), no_memory == "true"
