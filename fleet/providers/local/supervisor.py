"""What stands in for a machine's hardware and hypervisor: starts the agent, serves its metadata, and takes it all away.

It is a daemon of its own, so that the instance outlives every controller. It imports little and starts the agent first.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from fleet.providers.local import folder as files

LOOK_EVERY = 0.05
SIGN_EVERY = 1.0
"""Should nobody see the machine's end, it is counted up to the last of these."""
SLEPT = 5.0
"""Not looking for so long means that the computer was suspended."""
WAKING = 10.0
"""After that the agent has so long to renew the dead-man switch, which no cloud would grant."""
AGENT_RESTARTS = 3
"""An agent that dies is started again, as a service manager does; a machine whose agent dies more often is broken."""
LOCK_TRIES = 100


class Supervisor:
    """One machine, from power-on to the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder.parents[1]
        self.record: dict[str, Any] = files.read_json(folder / files.INSTANCE) or {}
        self.fate: dict[str, Any] = self.record.get("fate") or {}
        self.metadata: Any = None
        self.agent: subprocess.Popen[bytes] | None = None
        self.restarts = 0
        self.looked_at = time.time()
        self.awake_since = 0.0
        self.signed_at = float("-inf")

    def run(self) -> None:
        """Start the agent, then watch until something ends the machine."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self._start_agent()
        self._serve(listener)
        self._set_state("running")
        while True:
            ended_by = self._look(time.time())
            if ended_by is not None:
                break
            self._give_sign(time.monotonic())
            time.sleep(LOOK_EVERY)
        at = time.time()
        self._kill_everything()
        if self.agent is not None:
            self.agent.wait()
        files.end_instance(self.home, self.folder, ended_by, at)

    def _look(self, now: float) -> str | None:
        """Who ends the machine now, if anybody does."""
        if (self.folder / files.TERMINATE).exists():
            return "fleet"
        if (self.folder / files.POWER_OFF).exists():
            return "itself"
        if now - self.looked_at > SLEPT:
            self.awake_since = now  # the computer slept: the agent has not failed to renew, it was not running
        self.looked_at = now
        dead_man = files.read_json(self.folder / files.DEAD_MAN)
        overdue = dead_man is not None and now >= float(dead_man["power_off_at"])
        if overdue and now - self.awake_since >= WAKING:
            return "itself"
        if self.agent is not None and self.agent.poll() is not None and not self._restart_agent():
            return "itself"
        return self._market(now)

    def _give_sign(self, now: float) -> None:
        """Leave word, now and then, that the machine is on: its agent renews the dead-man switch much more rarely."""
        if now - self.signed_at >= SIGN_EVERY:
            self.signed_at = now
            with contextlib.suppress(OSError):
                os.utime(self.folder / files.SESSION)

    def _market(self, now: float) -> str | None:
        """Give the signals that the market has in store, then take the machine."""
        take_at = self._take_at()
        if take_at is None:
            return None
        lead, signals = float(self.fate["lead"]), self.fate["signals"]
        notice_at = take_at - lead if "notice" in signals else None
        if "rebalance" in signals and self.metadata.rebalance_at is None:
            first = (notice_at if notice_at is not None else take_at) - float(self.fate["rebalance_lead"])
            if now >= first:
                self.metadata.rebalance_at = now
        if notice_at is not None and now >= notice_at and self.metadata.notice_until is None:
            self._outage(now)
            self.metadata.notice_until = take_at
        if now >= take_at:
            self._outage(now)
            return "cloud"
        return None

    def _take_at(self) -> float | None:
        """When the machine is taken, absolute; None while that is not known, or never."""
        if self.fate.get("take_at") is not None:
            return float(self.fate["take_at"])
        if "after" not in self.fate:
            return None
        start = float(self.record["launched_at"])
        if self.fate["from"] == "training":
            try:
                start = (self.folder / files.TRAINING).stat().st_mtime
            except OSError:
                return None
        signals, take_at = self.fate["signals"], start + float(self.fate["after"]) + float(self.fate["lead"])
        if "rebalance" in signals:
            take_at += float(self.fate["rebalance_lead"])
        self.fate["take_at"] = take_at
        return float(self.fate["take_at"])

    def _outage(self, now: float) -> None:
        """The zone has no spot capacity for a while, from the first sign on."""
        seconds = float(self.fate.get("zone_out") or 0)
        marker = self.home / "outages" / self.record["offer"]["zone"]
        if seconds > 0 and self.metadata.notice_until is None:
            marker.parent.mkdir(exist_ok=True)
            files.write_json(marker, {"until": now + seconds})

    def _start_agent(self) -> None:
        env = {
            **os.environ,
            "FLEET_METADATA_URL": f"http://127.0.0.1:{self.port}",
            "FLEET_INSTANCE_DIR": str(self.folder),
            "FLEET_INSTANCE_ID": self.record["instance_id"],
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }
        with (self.folder / "console.log").open("ab") as console:
            self.agent = subprocess.Popen(
                self.record["agent_command"],
                cwd=self.folder / "root",
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )

    def _restart_agent(self) -> bool:
        """Clear what a dead agent left, as a service manager does, and start it again. False: it is time to give up."""
        if self.restarts >= AGENT_RESTARTS or (self.agent is not None and self.agent.returncode == 0):
            return False
        self.restarts += 1
        self._kill_everything()
        self._start_agent()
        return True

    def _kill_everything(self) -> None:
        from fleet.providers.local.containers import remove_containers
        from fleet.providers.local.processes import kill_machine

        kill_machine(self.record["instance_id"], os.getsid(0))
        remove_containers(self.folder)

    def _serve(self, listener: socket.socket) -> None:
        from fleet.providers.local.metadata import Metadata, serve

        user_data = (self.folder / files.USER_DATA).read_text(encoding="utf-8")
        self.metadata = Metadata(self.record, user_data)
        threading.Thread(target=serve(self.metadata, listener).serve_forever, daemon=True).start()

    def _set_state(self, state: str) -> None:
        with files.locked(self.home):
            now = files.read_json(self.folder / files.INSTANCE)
            if now is not None and now["state"] == "pending":
                files.write_json(self.folder / files.INSTANCE, {**now, "state": state})


def main() -> None:
    """Become a daemon in a session of its own, then supervise. Exits at once if another supervisor does already."""
    folder = Path(sys.argv[1])
    if os.fork():
        os._exit(0)
    os.setsid()
    for _ in range(LOCK_TRIES):
        if files.hold_supervision(folder) is not None:
            break
        time.sleep(0.02)  # somebody looks whether we live; a second supervisor would hold it for good
    else:
        return
    (folder / files.SESSION).write_text(str(os.getsid(0)), encoding="utf-8")
    Supervisor(folder).run()


if __name__ == "__main__":
    main()
