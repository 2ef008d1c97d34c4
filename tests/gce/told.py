"""What one Compute Engine machine is told of itself by its metadata server.

The tree is that of Google's documentation ("View and query VM metadata"): what is a folder here ends with a slash there, and
a whole folder is told as JSON with names in camel case, those of custom attributes as they are.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Union

Tree = dict[str, Union[str, "Tree"]]
"""Names of folders and of texts."""
PROJECT, NUMBER = "fleet-test-project", "123456789012"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
NOTHING = "NONE"
TERMINATE = "TERMINATE_ON_HOST_MAINTENANCE"


@dataclass(frozen=True)
class Token:
    """What a machine's service account signs in with, for a while."""

    access_token: str
    expires_at: float


@dataclass
class Told:
    """What one machine is told. Fields may be set at any time: whoever waits for a change sees it."""

    name: str
    address: str
    zone: str = "us-central1-a"
    project: str = PROJECT
    number: str = NUMBER
    machine_type: str = "n1-standard-4"
    spot: bool = True
    number_of_machine: str = field(default_factory=lambda: str(10**18 + secrets.randbelow(8 * 10**18)))
    """``instance/id``."""
    attributes: dict[str, str] = field(default_factory=dict)
    """The custom metadata: user-data, ssh-keys, …"""
    project_attributes: dict[str, str] = field(default_factory=dict)
    service_account: str | None = None
    """Its address; None: the machine has none."""
    service_account_id: str = "109876543210987654321"
    token_lasts: float = 3600.0
    """Seconds; a new one is told once less than five minutes (or half of that) are left."""
    issued: list[Token] = field(default_factory=list)
    """Every token that was told, the newest last."""
    disks: tuple[str, ...] = ("boot",)
    """Device names, in order."""
    preempted: bool = False
    """Said from the moment on at which the machine is taken back."""
    maintenance: str = NOTHING
    guest: dict[str, str] = field(default_factory=dict)
    """The guest attributes that the machine wrote, ``NAMESPACE/KEY``."""
    clock: Callable[[], float] = time.time

    @property
    def instance_id(self) -> str:
        """As fleet calls it."""
        return f"{self.name}.{self.zone}"

    @property
    def hostname(self) -> str:
        """The machine's own name."""
        return self.name

    @property
    def guest_attributes_enabled(self) -> bool:
        """By the machine's own metadata."""
        return self.attributes.get("enable-guest-attributes", "").upper() == "TRUE"

    def token(self) -> Token:
        """The service account's, for now."""
        least = min(300.0, self.token_lasts / 2)
        if not self.issued or self.issued[-1].expires_at - self.clock() < least:
            self.issued.append(Token(self._access_token(), self.clock() + self.token_lasts))
        return self.issued[-1]

    def _access_token(self) -> str:
        """It tells whose it is to whoever reads its middle, so that the stand-in for Google Cloud takes it unheard of."""
        claims = json.dumps({"iss": self.service_account, "exp": self.clock() + self.token_lasts}).encode()
        return f"ya29.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.{secrets.token_urlsafe(40)}"

    def tree(self) -> Tree:
        """Everything below ``/computeMetadata/v1/``, but tokens and guest attributes."""
        place = f"projects/{self.number}"
        instance: Tree = {
            "attributes": {**self.attributes},
            "cpu-platform": "Intel Broadwell",
            "description": "",
            "disks": {
                str(number): {
                    "device-name": name,
                    "index": str(number),
                    "interface": "SCSI",
                    "mode": "READ_WRITE",
                    "type": "PERSISTENT-BALANCED",
                }
                for number, name in enumerate(self.disks)
            },
            "hostname": f"{self.name}.{self.zone}.c.{self.project}.internal",
            "id": self.number_of_machine,
            "image": "projects/ubuntu-os-cloud/global/images/ubuntu-2404-noble-amd64-v20250601",
            "machine-type": f"{place}/machineTypes/{self.machine_type}",
            "maintenance-event": self.maintenance,
            "name": self.name,
            "network-interfaces": {"0": self._interface()},
            "preempted": str(self.preempted).upper(),
            "scheduling": {
                "automatic-restart": "FALSE",
                "on-host-maintenance": "TERMINATE",
                "preemptible": str(self.spot).upper(),
            },
            "service-accounts": self._accounts(),
            "tags": "[]",
            "zone": f"{place}/zones/{self.zone}",
        }
        project: Tree = {
            "attributes": {**self.project_attributes},
            "numeric-project-id": self.number,
            "project-id": self.project,
        }
        return {"instance": instance, "project": project}

    def _interface(self) -> Tree:
        return {
            "access-configs": {"0": {"external-ip": "", "type": "ONE_TO_ONE_NAT"}},
            "dns-servers": "169.254.169.254",
            "ip": self.address,
            "mac": "42:01:0a:80:00:02",
            "mtu": "1460",
            "network": f"projects/{self.number}/networks/fleet",
        }

    def _accounts(self) -> Tree:
        if self.service_account is None:
            return {}
        one: Tree = {"aliases": "default", "email": self.service_account, "scopes": SCOPE}
        return {"default": one, self.service_account: {**one}}


def listing(folder: Tree) -> str:
    """What a folder holds, one name a line."""
    return "".join(f"{name}/\n" if isinstance(found, dict) else f"{name}\n" for name, found in folder.items())


def whole(folder: Tree, *, custom: bool = False) -> Any:
    """A folder with all below it, as JSON has it: folders numbered from 0 are lists, texts of lists are lists."""
    if folder and all(name.isdecimal() for name in folder):
        return [whole(found) if isinstance(found, dict) else found for found in folder.values()]
    answer: dict[str, Any] = {}
    for name, found in folder.items():
        called = name if custom or "@" in name else re.sub(r"-(\w)", lambda match: match[1].upper(), name)
        if isinstance(found, dict):
            answer[called] = whole(found, custom=name == "attributes")
        elif name in ("aliases", "scopes", "dns-servers") and not custom:
            answer[called] = found.split()
        elif name == "tags" and not custom:
            answer[called] = json.loads(found)
        elif name in ("id", "numeric-project-id", "index", "mtu") and not custom:
            answer[called] = int(found)
        else:
            answer[called] = found
    return answer
