"""The machines behind a cloud that only plays its API: the real agent runs on what was really sent there.

Each running instance gets a root of its own, filled with what its user-data writes; scripts that need root are stood in for
by ones that keep volumes as folders. Volumes, roles and the end of machines go by what the API says.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import yaml

LOOK = 0.25
VOLUME = """#!/bin/sh
cd "$(dirname "$0")/../../.."
echo "volume.sh $*" >>calls
case $1 in
mount)
    [ -e attached ] || { echo "$2 is not attached" >&2; exit 75; }
    [ "$2" = new ] || [ "$2" = "$(cat attached)" ] || { echo "another volume is attached" >&2; exit 65; }
    mkdir -p "@volumes@/$(cat attached)" "$(dirname "$3")"
    [ -e "$3" ] || ln -s "@volumes@/$(cat attached)" "$3"
    ;;
release)
    rm -f "$3" "$2"
    ;;
esac
"""


class Root(Protocol):
    """A machine's disk, and its metadata service."""

    @property
    def root(self) -> Path: ...
    def write(self, name: str, text: str = "") -> None: ...
    def remove(self, name: str) -> None: ...
    def has(self, name: str) -> bool: ...
    def env(self, **more: str) -> dict[str, str]: ...
    def close(self) -> None: ...


R = TypeVar("R", bound=Root)


@dataclass
class Behind(Generic[R]):
    """One machine."""

    instance_id: str
    root: R
    agent: subprocess.Popen[bytes]
    user_data: str
    """The cloud-config, as text."""
    takes: float | None = None
    """When the cloud ends it, after a notice."""


@dataclass
class Seen:
    """What the API says of an instance."""

    instance_id: str
    on: bool
    """Power is on, or will be in a moment."""
    up: bool
    """And its system has come up."""
    volume: str | None
    """Attached beside its root disk."""
    described: Any


@dataclass
class Yard(Generic[R]):
    """All machines of one cloud."""

    folder: Path
    machines: dict[str, Behind[R]] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)
    troubles: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Look again and again, in a thread."""
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    # --- what each cloud says otherwise

    @abstractmethod
    def seen(self) -> Iterator[Seen]:
        """All instances that the API tells of."""

    @abstractmethod
    def root_of(self, seen: Seen) -> R:
        """A new machine's disk, with its metadata service."""

    @abstractmethod
    def user_data(self, seen: Seen) -> str:
        """The cloud-config, as text."""

    @abstractmethod
    def off(self, machine: Behind[R]) -> None:
        """Tell the API that a machine is off: by its own will, or taken."""

    def while_on(self, machine: Behind[R], seen: Seen) -> None:
        """Whatever else is to be kept in step with what the API says."""

    # ---

    def _watch(self) -> None:
        while not self.over.wait(LOOK):
            try:
                self._look()
            except Exception as error:
                self.troubles.append(repr(error))

    def _look(self) -> None:
        there = {one.instance_id: one for one in self.seen()}
        for instance_id, seen in there.items():
            if instance_id not in self.machines and seen.on and seen.up:
                self.machines[instance_id] = self._power_on(seen)
        for machine in self.machines.values():
            found = there.get(machine.instance_id)
            if found is None or not found.on:
                self.end(machine)
                continue
            self._attached(machine, found.volume)
            self.while_on(machine, found)
            if machine.root.has("poweroff") or (machine.takes is not None and time.time() >= machine.takes):
                self.end(machine)
                self.off(machine)

    def _power_on(self, seen: Seen) -> Behind[R]:
        text, made = self.user_data(seen), self.root_of(seen)
        for file in yaml.safe_load(text)["write_files"]:
            if file["path"].startswith("/etc/fleet/"):
                made.write(file["path"].lstrip("/"), file["content"])
        made.write("opt/fleet/bin/volume.sh", VOLUME.replace("@volumes@", str(self.folder / "volumes")))
        made.write("usr/bin/systemctl", '#!/bin/sh\ncd "$(dirname "$0")/../.."\ntouch "$1"\n')
        made.write("proc/sys/kernel/random/boot_id", f"boot-of-{seen.instance_id}\n")
        lines = (made.root / "etc/fleet/environment").read_text().splitlines()
        environment = dict(line.split("=", 1) for line in lines if "=" in line)
        path = f"{made.root / 'usr' / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with (made.root / "console").open("ab") as console:
            agent = subprocess.Popen(
                [sys.executable, "-m", "fleet.agent"],
                env={**made.env(), **environment, "PATH": path},
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        return Behind(seen.instance_id, made, agent, text)

    def _attached(self, machine: Behind[R], volume_id: str | None) -> None:
        if volume_id is not None and not machine.root.has("attached"):
            machine.root.write("attached", volume_id)
        elif volume_id is None and machine.root.has("attached"):
            machine.root.remove("attached")

    def crash(self, instance_id: str) -> None:
        """It is gone, without a word."""
        self.end(self.machines[instance_id])
        self.off(self.machines[instance_id])

    def end(self, machine: Behind[R]) -> None:
        """Everything on it ends at once."""
        if machine.agent.poll() is not None:
            return
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):
                    if os.getsid(int(entry.name)) == machine.agent.pid or _is_of(entry, machine.root.root):
                        os.kill(int(entry.name), signal.SIGKILL)
        machine.agent.wait(10)
        machine.root.close()

    def console(self) -> str:
        """What all agents printed."""
        return "\n".join(
            f"{one.instance_id}: {(one.root.root / 'console').read_text(errors='replace')}" for one in self.machines.values()
        )

    def close(self) -> None:
        """No process is left."""
        self.over.set()
        self._thread.join(10)
        for machine in self.machines.values():
            self.end(machine)


def _is_of(entry: Path, root: Path) -> bool:
    return f"FLEET_ROOT={root}".encode() in (entry / "environ").read_bytes().split(b"\0")
