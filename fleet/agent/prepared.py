"""A machine that cloud-init prepared, in whichever cloud: its scripts do what takes root and time.

Everything lies below one root, ``/`` unless $FLEET_ROOT says otherwise: /etc/fleet/boot.json is the boot document,
/opt/fleet/bin holds the scripts, /var/lib/fleet is the agent's own. Training runs as the agent does, as root.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from collections.abc import Callable, MutableMapping
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import fleet
from fleet.agent.holders import end_holders
from fleet.agent.machine import BlankVolumeError
from fleet.agent.process import OOM_SCORE
from fleet.agent.scripts import Errand, Script, insist
from fleet.model.base import Seconds
from fleet.model.documents import BootDocument

METADATA_URL = "http://169.254.169.254"
"""In every cloud."""
METADATA_TIMEOUT: Seconds = 1.0
"""It answers within milliseconds or not at all, and a notice must be seen within two seconds."""
NOT_YET = 75
"""The volume is not attached yet."""
BLANK = 66
"""Nothing is on it, and it is not marked new."""
LOOK_PAUSE: Seconds = 1.0
"""Between two looks for a volume that is not there."""
FAILED_PAUSE: Seconds = 5.0
"""Between two tries to mount one that cannot be mounted, or to unmount one that is busy."""
MOUNT_MOST: Seconds = 300.0
"""A volume of terabytes is formatted or checked in less."""
RELEASE_MOST: Seconds = 60.0
ARM_MOST: Seconds = 20.0
POWER_OFF_PAUSE: Seconds = 30.0
SHELTERED = "-800"
"""The agent is among the last that are killed for lack of memory."""


class PreparedMachine:
    """An instance that finds its boot document, its scripts and its volume below ``root``."""

    def __init__(self, instance_id: str, root: Path = Path("/"), monotonic: Callable[[], float] = time.monotonic) -> None:
        """``instance_id`` is what the metadata service says; OSError if it says nothing."""
        self._root, self._monotonic = root, monotonic
        self._bin = root / "opt" / "fleet" / "bin"
        self.instance_id = instance_id
        if not self.instance_id:
            raise OSError("the metadata service does not say which instance this is")
        self.boot_id = (root / "proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        self.scratch.mkdir(parents=True, exist_ok=True)
        self._dead_man = Errand("dead-man", most=ARM_MOST)
        self._armed = -1
        self._script: Script | None = None
        """The one that mounts or releases just now."""
        self._again_at = float("-inf")
        self._problem = ""
        """Why the volume is neither mounted nor released, for people."""
        self._blank = False
        """The script found a volume on which nothing is, and which was not said to be new."""
        self._mounted = self._leaving = self._released = self._off = False

    @property
    def scratch(self) -> Path:
        """On the root disk, which goes with the instance; it outlives a reboot."""
        return self._root / "var" / "lib" / "fleet"

    @property
    def root(self) -> Path:
        """The machine is the job's alone."""
        return self._root

    def user_data(self) -> str:
        """The boot document's JSON, as cloud-init wrote it: the user-data themselves are cloud-init's."""
        return (self._root / "etc" / "fleet" / "boot.json").read_text(encoding="utf-8")

    # --- the volume

    @cached_property
    def _boot(self) -> BootDocument:
        return BootDocument.model_validate_json(self.user_data())

    @property
    def _mount_point(self) -> Path:
        return self._root / self._boot.job.volume.mount.lstrip("/")

    def volume(self, volume_id: str | None, *, new: bool) -> Path | None:
        """Where it is mounted, once it is. Asks a script again and again, and never waits for it."""
        if self._mounted or self._leaving or (volume_id is None and not new):
            return self._mount_point if self._mounted else None
        if self._blank and new:
            self._blank, self._problem, self._again_at = False, "", float("-inf")
        if self._script is None and self._monotonic() >= self._again_at:
            words = ("mount", volume_id or "new", str(self._mount_point), *(["--new"] if new else []))
            self._script = self._volume_script(*words, most=MOUNT_MOST)
        code = self._code()
        if code == 0:
            self._mounted, self._problem = True, ""
            return self._mount_point
        if code is not None:
            self._problem, self._blank = "" if code == NOT_YET else self._problem, code == BLANK
            self._again_at = self._monotonic() + (LOOK_PAUSE if code == NOT_YET else FAILED_PAUSE)
        if self._problem:
            raise (BlankVolumeError if self._blank else OSError)(self._problem)
        return None

    @property
    def mounting(self) -> bool:
        """A script is at it. One that had to be killed is at nothing any more."""
        return self._script is not None and not self._leaving and not self._script.killed

    def release_volume(self) -> bool:
        """Unmounted by a script, docker before it; whoever keeps it busy is killed before the next try.

        Asked also if nothing was mounted by this agent: one before it may have done so.
        """
        if self._released:
            return True
        if self._script is not None and not self._leaving and self._code() is None:
            return False  # it is being mounted just now: first that, then its release
        if not self._leaving:
            self._leaving, self._again_at, self._problem = True, float("-inf"), ""
        if self._script is None and self._monotonic() >= self._again_at:
            self._script = self._volume_script("release", str(self._mount_point), most=RELEASE_MOST)
        code = self._code()
        if code == 0:
            self._mounted, self._released = False, True
        elif code is not None:
            ended = end_holders(self._mount_point)
            self._problem += f"; ended {ended}" if ended else ""
            self._again_at = self._monotonic() + (0 if ended else FAILED_PAUSE)
        if self._problem and not self._released:
            raise OSError(self._problem)
        return self._released

    def _volume_script(self, *words: str, most: Seconds) -> Script:
        return Script([str(self._bin / "volume.sh"), *words], most)

    def _code(self) -> int | None:
        """The exit code of the script that is under way, once; what it complained of is kept."""
        code = self._script.poll() if self._script is not None else None
        if code is not None and self._script is not None:
            self._problem = self._script.told if code != 0 else ""
            self._script = None
        return code

    # --- its end

    def arm(self, power_off_at: Seconds, now: Seconds) -> None:
        """By the machine's own clock, which its timer goes by; tried until it succeeds, and complained of until then."""
        at = int(time.time() + power_off_at - now)
        if at != self._armed:
            self._armed = at
            self._dead_man.want([str(self._bin / "dead-man.sh"), "arm", str(at)])
        if self._dead_man.problem:
            raise OSError(f"the dead-man switch could not be set: {self._dead_man.problem}")

    def training_begins(self) -> None:
        """Nobody here wants to know."""

    def power_off(self) -> None:
        """Shut down, which terminates the instance; with less and less regard for what does not want to end."""
        if self._off:
            return
        self._off = True
        systemctl = str(self._root / "usr" / "bin" / "systemctl")
        insist([([systemctl, "poweroff", *force], POWER_OFF_PAUSE) for force in ([], ["--force"], ["--force", "--force"])])


Made = TypeVar("Made", bound=PreparedMachine)


def the_root() -> Path:
    """Where the machine's files begin."""
    return Path(os.environ.get("FLEET_ROOT", "/"))


def settled(machine: Made) -> Made:
    """The machine that we are on, made ready for an agent: its environment, and its place among those that are killed."""
    as_a_login(os.environ, machine.scratch)
    with contextlib.suppress(OSError):  # a training that takes all memory is to be killed itself, and then saved
        Path(OOM_SCORE).write_text(SHELTERED, encoding="ascii")
    return machine


def metadata_url() -> str:
    """Where the metadata service is."""
    return os.environ.get("FLEET_METADATA_URL", METADATA_URL)


def as_a_login(env: MutableMapping[str, str], scratch: Path) -> None:
    """What a training expects to find in its environment, and a service of the system has not.

    The agent's own packages are nothing for a training to import, but ``import fleet`` is, and its
    ``progress`` and ``saved`` need nothing but Python.
    """
    user = pwd.getpwuid(os.getuid())
    found = {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name, "SHELL": user.pw_shell, "LANG": "C.UTF-8"}
    for name, value in found.items():
        env.setdefault(name, value or "/bin/sh")
    alone = scratch / "python"
    alone.mkdir(parents=True, exist_ok=True)
    link = alone / "fleet"
    link.unlink(missing_ok=True)
    link.symlink_to(Path(fleet.__file__).parent)
    env["PYTHONPATH"] = str(alone)
