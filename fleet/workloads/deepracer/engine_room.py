"""The stack's containers as the driver handles them: leftovers go, images come, services start, nothing stays behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from fleet.engine import REMOVE, Engine, EngineAwayError, last_line
from fleet.model.base import Seconds
from fleet.model.errors import FleetError
from fleet.workloads.compose import Compose, find_compose
from fleet.workloads.deepracer import containers
from fleet.workloads.deepracer.book import say
from fleet.workloads.deepracer.compose import FILE, compose_file, own_files
from fleet.workloads.deepracer.ground import Ground
from fleet.workloads.deepracer.images import image, resolved_digest, roles
from fleet.workloads.deepracer.place import Place
from fleet.workloads.deepracer.spec import DeepRacer

ENGINE_WAIT: Seconds = 60.0
"""Where the volume holds the engine's data, it starts once the volume is there, a moment before us."""
STEP: Seconds = 0.1
S3_WAIT: Seconds = 60.0
PULL_MOST: Seconds = 3600.0
"""For an image, with all tries: gigabytes take minutes. A registry that falls silent in the middle is waited for by docker
for ever, on a machine that is paid for."""
PULL_AGAIN: Sequence[Seconds] = (2.0, 10.0, 30.0)
"""Pauses between tries: a registry that is away for a moment must not use up the job's restarts."""
LATE = 124
"""As ``timeout`` says it."""
UP_MOST: Seconds = 600.0
"""The images are there by then."""


class InterruptedStart(Exception):  # noqa: N818 - no error: it was asked for
    """Asked to stop while the stack was still being started."""


class EngineRoom:
    """An attempt's containers."""

    def __init__(self, ground: Ground, spec: DeepRacer, stopping: Callable[[], bool]) -> None:
        self._ground, self._spec, self._stopping = ground, spec, stopping
        self._env = {key: value for key, value in ground.env.items() if not key.startswith("COMPOSE_")}
        self.compose = self._found()
        self.place: Place | None = None

    @property
    def engine(self) -> Engine:
        """Docker's."""
        return self.compose.engine

    def _found(self) -> Compose:
        until = time.monotonic() + ENGINE_WAIT
        while True:
            try:
                return find_compose(self._env, self._ground.workdir)
            except EngineAwayError:
                if time.monotonic() >= until:
                    raise
                self.pause(1.0)

    def note(self, beside: Sequence[str] = ()) -> None:
        """Where the containers run, before there is one: for whoever ends this machine. ``beside``: what coach started."""
        path = self._ground.note
        path.parent.mkdir(parents=True, exist_ok=True)
        note = {
            "docker": self.engine.docker,
            "project": self._ground.project,
            "env": self.engine.way(),
            "beside": list(beside),
            "below": str(self._ground.sagemaker),
        }
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(note), encoding="utf-8")
        temporary.replace(path)

    def note_trainer(self) -> None:
        """Coach started it: it is no container of the stack's project."""
        if self.place is not None and self._spec.launcher == "coach":
            self.note(containers.spawned_projects(self.engine, self.place))

    def clear(self, place: Place) -> None:
        """Remove what earlier starts of the same run left: they keep ports and memory, and write where we read."""
        for project in sorted(containers.projects_of(self.engine, place.run)):
            containers.remove_stack(self.engine, replace(place, project=project))

    def pull(self, known: Mapping[str, str], device: str) -> dict[str, str]:
        """Have the images; by which digests, so that later attempts take the same. Raises FleetError, InterruptedStart."""
        found: dict[str, str] = {}
        for role in roles(self._spec):
            name = image(self._spec, role, "gpu" if device == "gpu" else "cpu")
            before = known.get(role, "")
            same = before.partition("@")[0] == name.partition("@")[0]  # else it was of a machine with, or without, a GPU
            found[role] = self._had(before if same else name, name)
        return found

    def _had(self, before: str, name: str) -> str:
        """The image that the run had before; registries forget what no tag names any more: then what its tag names now."""
        for one in dict.fromkeys((before, name)):
            there = self.engine.ask("image", "inspect", "--format", "{{.Id}}", one).returncode == 0
            if there or self._fetched(one):
                return resolved_digest(self.engine, one) or one
            if one != name:
                say(f"{one} is not to be had: {name} is taken instead")
        raise FleetError(f"the image {name} cannot be had; docker says why above", f"Try it: docker pull {name}")

    def _fetched(self, name: str) -> bool:
        say(f"the image {name} is fetched")
        until = time.monotonic() + PULL_MOST
        for again in (*PULL_AGAIN, None):
            if self._run([self.engine.docker, "pull", "--quiet", name], until - time.monotonic()) == 0:
                return True
            if again is None or time.monotonic() + again >= until:
                break
            ends = time.monotonic() + again
            while time.monotonic() < ends:
                self.pause(STEP)
        return False

    def up(self, place: Place, services: Sequence[str] = ()) -> None:
        """Start services, all of them if none is named. Raises FleetError, InterruptedStart."""
        self.place = place
        place.own.mkdir(parents=True, exist_ok=True)
        place.sagemaker.mkdir(parents=True, exist_ok=True)
        for name, text in own_files(self._spec, place).items():
            (place.own / name).write_text(text, encoding="utf-8")
        file = place.own / FILE
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(compose_file(self._spec, place), sort_keys=False), encoding="utf-8")
        if not place.host_network:
            containers.ensure_network(self.engine)
        words = self.compose.words(place.project, [file], "up", "--detach", *services)
        if self._run(words, UP_MOST) != 0:
            raise FleetError("the stack did not start; compose says why above", "fleet deepracer doctor")

    def s3_endpoint(self) -> str:
        """Where the look-alike listens on this machine. Raises FleetError, InterruptedStart."""
        assert self.place is not None
        until = time.monotonic() + S3_WAIT
        while True:
            found = containers.s3_address(self.engine, self.place)
            if found is not None:
                return found
            if time.monotonic() > until:
                raise FleetError("the S3 look-alike did not start", "Its log: history/<prefix>/logs/s3.log on the volume")
            self.pause(STEP)

    def running(self) -> list[containers.Container]:
        """The stack's containers, whatever became of them."""
        return containers.containers(self.engine, self.place) if self.place is not None else []

    def ask_to_end(self, container: str) -> None:
        """SIGTERM, without waiting: the trainer heeds it at its iteration's end."""

        def kill() -> None:
            with contextlib.suppress(FleetError):
                self.engine.ask("kill", "--signal", "TERM", container)

        threading.Thread(target=kill, name="engine", daemon=True).start()

    def end_training(self) -> None:
        """Remove everything but the storage; coach first, it would start another trainer. Raises FleetError."""
        assert self.place is not None
        self._end([one for one in self.running() if one.service == "coach"])
        containers.remove_trainer(self.engine, self.place)
        self._end([one for one in self.running() if one.service != "s3"])

    def _end(self, doomed: Sequence[containers.Container]) -> None:
        ids = [one.id for one in doomed]
        if ids:
            answer = self.engine.ask("rm", "--force", "--volumes", *ids, timeout=REMOVE)
            if answer.returncode != 0:
                raise FleetError(f"the stack cannot be removed from the docker engine: {last_line(answer.stderr)}")

    def remove(self) -> None:
        """Remove everything. What cannot be is said; the note stays, by which others try again."""
        if self.place is None:
            return
        try:
            containers.remove_stack(self.engine, self.place)
        except FleetError as error:
            say(str(error))

    def _run(self, words: Sequence[str], most: Seconds) -> int:
        """A command in a group of its own, whose output goes into the log: ended if we are asked to stop, or it is late.

        Its exit code; of one that was late, none of its own.
        """
        until = time.monotonic() + most
        child = subprocess.Popen(list(words), env=dict(self._env), stdin=subprocess.DEVNULL, preexec_fn=os.setpgrp)
        try:
            while child.poll() is None:
                if time.monotonic() >= until:
                    say(f"{Path(words[0]).name} {words[1]} does not end within {most:.0f} s")
                    return LATE
                self.pause(STEP / 2)
            return child.returncode
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(5)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()

    def pause(self, seconds: Seconds) -> None:
        """Wait. Raises InterruptedStart if we are asked to stop."""
        if self._stopping():
            raise InterruptedStart
        time.sleep(seconds)


def has_gpu() -> bool:
    """Whether NVIDIA's driver runs on this machine."""
    return any(Path(name).exists() for name in ("/dev/nvidiactl", "/proc/driver/nvidia/version"))
