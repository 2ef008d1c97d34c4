"""The machine's SSH host keys, published where whoever connects reads them first: trust on first use is never asked for."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fleet.agent.google_metadata import GoogleMetadata
from fleet.agent.lanes import Lane
from fleet.model import layout
from fleet.model.base import Seconds, document_bytes
from fleet.model.documents import BootDocument, HostKeys
from fleet.store.objects import Objects

RETRY: Seconds = 2.0
"""sshd makes its keys at the first boot, perhaps a little after the agent was started."""
RETRY_MOST: Seconds = 60.0
LOGINS = {
    "ubuntu": "ubuntu",
    "debian": "admin",
    "amzn": "ec2-user",
    "rhel": "ec2-user",
    "centos": "centos",
    "fedora": "fedora",
}
"""Who the images of a system let in, by the system's id."""
_KEY = re.compile(r"((?:ssh|ecdsa|sk)-[a-z0-9@.-]+) ([A-Za-z0-9+/]+=*)(?: .*)?")
_ID = re.compile(r"^ID=[\"']?([a-z0-9._-]+)[\"']?$", re.MULTILINE)


def host_keys(folder: Path) -> tuple[str, ...]:
    """The public halves in a folder, without their comments; Ed25519 first."""
    found = []
    for path in sorted(folder.glob("ssh_host_*_key.pub")):
        match = _KEY.fullmatch(path.read_text(encoding="utf-8", errors="replace").strip())
        if match:
            found.append(f"{match[1]} {match[2]}")
    return tuple(sorted(found, key=lambda key: (not key.startswith("ssh-ed25519 "), key)))


def login_user(env: Mapping[str, str], os_release: str) -> str:
    """$FLEET_LOGIN, or whom images of this system let in; empty if nobody knows."""
    match = _ID.search(os_release)
    return env.get("FLEET_LOGIN") or LOGINS.get(match[1] if match else "", "")


def guest_attributes(metadata: GoogleMetadata) -> Callable[[Sequence[str]], None]:
    """Tells host keys to Compute Engine, where gcloud and the API look for them (namespace ``hostkeys``, by kind)."""

    def tell(keys: Sequence[str]) -> None:
        for kind, _, key in (line.partition(" ") for line in keys):
            metadata.put(f"instance/guest-attributes/hostkeys/{kind}", key)

    return tell


@dataclass
class Publishing:
    """Tried in a lane of its own until the bucket has them. Training never waits for it."""

    objects: Objects
    boot: BootDocument
    instance_id: str
    lane: Lane
    root: Path
    env: Mapping[str, str] = field(default_factory=dict)
    tell: Callable[[Sequence[str]], None] | None = None
    """Whom else they are told, once: those who may not read the bucket. OSError is no reason to ask again."""
    done: bool = False
    problem: str = ""
    _due: Seconds = float("-inf")
    _pause: Seconds = RETRY

    def look(self, now: Seconds) -> None:
        """One round."""
        if self.done:
            return
        ended = self.lane.take()
        if ended is not None:
            self.done, self.problem = ended.error is None, str(ended.error or "")
            self._due, self._pause = now + self._pause, min(self._pause * 1.5, RETRY_MOST)
        elif not self.lane.busy and (now >= self._due or now < self._due - RETRY_MOST):
            self.lane.give(lambda: self._publish(now))

    def _publish(self, now: Seconds) -> None:
        """In the lane."""
        keys = host_keys(self.root / "etc" / "ssh")
        if not keys:
            raise FileNotFoundError("this machine has no SSH host keys yet")
        try:
            release = (self.root / "etc" / "os-release").read_text(encoding="utf-8")
        except OSError:
            release = ""
        told = HostKeys(instance_id=self.instance_id, keys=keys, user=login_user(self.env, release), at=now)
        self.objects.put(layout.host_key(self.boot.run_id, self.boot.attempt), document_bytes(told))
        if self.tell is not None:
            with contextlib.suppress(OSError):  # guest attributes may be switched off, by the project or by its organization
                self.tell(keys)
