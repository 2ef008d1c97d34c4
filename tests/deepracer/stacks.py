"""A stack of fakes on the real engine, started in the order in which a driver starts it, and its logs as signals."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from fleet.engine import find_engine
from fleet.workloads.compose import find_compose
from fleet.workloads.deepracer import containers, health
from fleet.workloads.deepracer.compose import FILE, compose_file, own_files
from fleet.workloads.deepracer.faults import Fault
from fleet.workloads.deepracer.health import Health
from fleet.workloads.deepracer.params import files_of
from fleet.workloads.deepracer.place import Place, s3_endpoint
from fleet.workloads.deepracer.prefix import Prefix, S3Place, open_s3
from fleet.workloads.deepracer.signals import Signal, Source, exited, heard
from fleet.workloads.deepracer.spec import DeepRacer
from fleet.workloads.deepracer.storage import make_bucket

KEY, SECRET = "fleet", "a-secret-of-tests"
HYPERPARAMETERS = '{"batch_size": 64, "lr": 0.0003, "num_episodes_between_training": 2}'
METADATA = '{"action_space": [{"steering_angle": -30, "speed": 1.0, "index": 0}], "version": "4"}'
REWARD = "def reward_function(params):\n    return 1.0\n"
MOST = 60.0


def model(folder: Path) -> Path:
    """A model's folder, with what a job's workdir has."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hyperparameters.json").write_text(HYPERPARAMETERS)
    (folder / "model_metadata.json").write_text(METADATA)
    (folder / "reward_function.py").write_text(REWARD)
    return folder


def place_of(folder: Path, project: str, prefix: str, **more: Any) -> Place:
    """A place on this machine, with the look-alike on it."""
    inside = S3Place("bucket", s3_endpoint(project), KEY, SECRET, "us-east-1")
    own, volume = folder / f"own-{prefix.replace('/', '-')}", folder / "volume"
    return Place(
        **{
            "project": project,
            "run": "run",
            "prefix": prefix,
            "pretrained": None,
            "pretrained_checkpoint": "last",
            "bucket": "bucket",
            "s3": inside,
            "own": own,
            "volume": volume,
            "device": "cpu",
            "labels": {"fleet.run": project},
            "hyperparameters": json.loads(HYPERPARAMETERS),
            "user": f"{os.getuid()}:{os.getgid()}",
            **more,
        }
    )


@dataclass
class Stack:
    """One attempt's containers, and what they said."""

    spec: DeepRacer
    place: Place
    env: Mapping[str, str]
    """In which fleet finds the compose to test with."""
    workdir: Path
    files: dict[str, bytes] = field(default_factory=dict)
    """What a test puts into the bucket besides."""
    deadlines: Mapping[str, float] = field(default_factory=dict)
    signals: list[Signal] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.compose = find_compose({**os.environ, **self.env})
        self.engine = find_engine({**os.environ, **self.env})
        self.health: Health = health.begin(self.spec, time.monotonic(), self.deadlines)
        self._heard: queue.Queue[Signal] = queue.Queue()
        self._followed: set[str] = set()
        self._ended: set[str] = set()

    # --- starting and ending

    def start(self) -> None:
        """Network, look-alike, bucket, files; then the rest."""
        place = self.place
        for folder in (place.sagemaker, place.volume / "s3"):
            folder.mkdir(parents=True, exist_ok=True)
        for name, text in own_files(self.spec, place).items():
            (place.own / name).write_text(text)
        (place.own / FILE).write_text(yaml.safe_dump(compose_file(self.spec, place)))
        containers.ensure_network(self.engine)
        if self.spec.storage == "instance":
            self.up("s3")
            make_bucket(self.outside(), within=MOST)
        bucket = open_s3(self.outside(), "")
        for key, data in {**files_of(self.spec, place, self.workdir), **self.files}.items():
            bucket.write(key, data)
        self.health = health.begin(self.spec, time.monotonic(), self.deadlines)
        self.up()

    def up(self, *services: str) -> None:
        words = self.compose.words(self.place.project, [self.place.own / FILE], "up", "--detach", *services)
        answer = subprocess.run(
            words, env={**os.environ, **self.env}, capture_output=True, text=True, check=False, timeout=120
        )
        assert answer.returncode == 0, answer.stderr

    def remove(self) -> None:
        containers.remove_stack(self.engine, self.place)

    def kill(self, service: str) -> None:
        """End one container, as a crash does."""
        ids = [one.id for one in self.containers() if one.service == service]
        assert ids, f"no container of {service}"
        self.engine.ask("kill", *ids)

    # --- looking

    def containers(self) -> list[containers.Container]:
        return containers.containers(self.engine, self.place)

    def outside(self) -> S3Place:
        """The look-alike as this computer reaches it."""
        if self.spec.storage == "bucket":
            return self.place.s3
        address = containers.s3_address(self.engine, self.place)
        assert address is not None, "the look-alike does not run"
        return replace(self.place.s3, endpoint=address)

    def prefix(self, name: str | None = None) -> Prefix:
        return open_s3(self.outside(), self.place.prefix if name is None else name)

    def kinds(self, source: str) -> list[str]:
        """The kinds of signals from there, each only when it changes."""
        said = [signal.kind for signal in self.signals if signal.source == source]
        return [kind for index, kind in enumerate(said) if index == 0 or said[index - 1] != kind]

    # --- following

    def until(self, done: Callable[[Health], bool], within: float = MOST) -> Health:
        """Follow the logs until the state is as wanted; fails with what was heard if it does not become so, or falls ill."""
        end = time.monotonic() + within
        while not done(self.step()):
            fault = self.health.fault(time.monotonic())
            assert fault is None, f"{fault}\n{self.told()}"
            assert time.monotonic() < end, f"still {self.health.phase}\n{self.told()}"
        return self.health

    def fault(self, within: float = MOST) -> Fault:
        """Follow the logs until it falls ill."""
        end = time.monotonic() + within
        while True:
            self.step()
            fault = self.health.fault(time.monotonic())
            if fault is not None:
                return fault
            assert time.monotonic() < end, f"healthy, in {self.health.phase}\n{self.told()}"

    def step(self) -> Health:
        """Take in what was said during a moment."""
        for container in self.containers():
            if container.id not in self._followed and container.status != "created":
                self._followed.add(container.id)
                self._follow(container.id, _source(container.service))
            if container.status == "exited" and container.id not in self._ended:
                self._ended.add(container.id)
                self._heard.put(exited(_source(container.service), container.code))
        time.sleep(0.1)
        while not self._heard.empty():
            signal = self._heard.get()
            self.signals.append(signal)
            self.health = self.health.hear(signal, time.monotonic())
            if self.health.phase not in self.phases:
                self.phases.append(self.health.phase)
        return self.health

    def _follow(self, container: str, source: Source) -> None:
        words = [self.engine.docker, "logs", "--follow", container]
        child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")

        def listen() -> None:
            assert child.stdout is not None
            with child.stdout:
                for line in child.stdout:
                    signal = heard(source, line)
                    if signal is not None:
                        self._heard.put(signal)
            child.wait()

        threading.Thread(target=listen, daemon=True).start()

    def told(self) -> str:
        """The containers' last lines, for the message of a failed test."""
        parts = []
        for one in self.containers():
            answer = self.engine.ask("logs", "--tail", "15", one.id)
            parts.append(f"--- {one.service} {one.status} {one.code}\n{answer.stdout}{answer.stderr}")
        return "\n".join(parts)


SOURCES: dict[str, Source] = {"s3": "s3", "coach": "coach", "trainer": "trainer"}


def _source(service: str) -> Source:
    return SOURCES.get(service, "simulator")
