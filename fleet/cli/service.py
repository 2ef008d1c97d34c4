"""``fleet controller install | uninstall | status``: the loop as a service of the user's session manager."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.cli.ask import confirm
from fleet.cli.output import emit, say
from fleet.control.home import Home, open_home, user_folder
from fleet.control.unit import UNIT, unit_text
from fleet.model.errors import FleetError

if TYPE_CHECKING:
    from fleet.cli.objects import ControllerObject

LABEL = "training.fleet.controller"


@dataclass(frozen=True, slots=True)
class Service:
    """A file to write, and the commands that put it into effect."""

    path: Path
    text: str
    start: tuple[tuple[str, ...], ...]
    stop: tuple[tuple[str, ...], ...]
    ask: tuple[str, ...]
    """Exit code 0 means that it runs."""


def service_for(home: Home, platform: str = sys.platform) -> Service:
    """systemd's user unit on Linux, a launchd agent on macOS. Raises FleetError elsewhere."""
    command = [sys.executable, "-m", "fleet.cli", "controller", "run"]
    environment = {"FLEET_HOME": str(home.path), "FLEET_CONTROLLER": "service"}
    user = user_folder()
    if platform.startswith("linux"):
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or user / ".config") / "systemd" / "user"
        systemctl = ("systemctl", "--user")
        return Service(
            folder / UNIT,
            unit_text(command, environment),
            ((*systemctl, "daemon-reload"), (*systemctl, "enable", "--now", UNIT)),
            ((*systemctl, "disable", "--now", UNIT),),
            (*systemctl, "is-active", "--quiet", UNIT),
        )
    if platform == "darwin":
        path = user / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        plist = {
            "Label": LABEL,
            "ProgramArguments": command,
            "EnvironmentVariables": environment,
            "KeepAlive": True,
            "RunAtLoad": True,
        }
        domain = f"gui/{os.getuid()}"
        return Service(
            path,
            plistlib.dumps(plist).decode(),
            (("launchctl", "bootstrap", domain, str(path)),),
            (("launchctl", "bootout", f"{domain}/{LABEL}"),),
            ("launchctl", "print", f"{domain}/{LABEL}"),
        )
    raise FleetError(f"there is no service manager that fleet knows on {platform}", "`fleet controller run` is the loop.")


def install(*, yes: bool, as_json: bool = False) -> int:
    """Show the service, ask, write it, start it."""
    service = service_for(open_home())
    _wants(service.start[0][0])
    say(f"# {service.path}\n{service.text}")
    for words in service.start:
        say(f"$ {' '.join(words)}")
    confirm("Write this file and start the controller?", yes=yes, otherwise="nothing was installed")
    service.path.parent.mkdir(parents=True, exist_ok=True)
    service.path.write_text(service.text, encoding="utf-8")
    for words in service.start:
        _do(words)
    say("The controller runs, and starts with your session. It goes on without one after: loginctl enable-linger")
    if as_json:
        emit(_object(service, running=True))
    return 0


def uninstall(*, yes: bool, as_json: bool = False) -> int:
    """Stop the service and remove its file. Runs go on, without anybody to relaunch them."""
    service = service_for(open_home())
    if not service.path.exists():
        raise FleetError("no controller is installed here", "`fleet controller install` installs one.")
    confirm(f"Stop the controller and remove {service.path}?", yes=yes, otherwise="nothing was removed")
    for words in service.stop:
        _do(words)
    service.path.unlink()
    say("The controller is gone. Machines go on; nobody relaunches them after an interruption.")
    if as_json:
        emit(_object(service, running=False))
    return 0


def status(*, as_json: bool) -> int:
    """Whether a controller is installed, and runs; 1 if not."""
    service = service_for(open_home())
    installed = service.path.exists()
    manager = shutil.which(service.ask[0]) is not None
    running = installed and manager and subprocess.run(service.ask, capture_output=True, check=False).returncode == 0
    if as_json:
        emit(_object(service, running=running))
    elif running:
        print(f"A controller runs ({service.path}).")
    elif installed:
        print(f"A controller is installed ({service.path}), and does not run.")
    else:
        print("No controller is installed. `fleet controller install` does that; `fleet controller run` is one for now.")
    return 0 if running else 1


def _object(service: Service, *, running: bool) -> ControllerObject:
    return {"installed": service.path.exists(), "running": running, "file": str(service.path)}


def _wants(program: str) -> None:
    if shutil.which(program) is None:
        raise FleetError(f"{program} is not on this computer", "Let cron do it: `fleet controller deploy cron`.")


def _do(words: tuple[str, ...]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise FleetError(f"{' '.join(words)}: {said}", "Is there a session of yours that the service manager belongs to?")
