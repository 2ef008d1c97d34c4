"""What one EC2 machine is told of itself by its metadata service."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

ACCOUNT = "123456789012"


def instant(at: float) -> str:
    """A time as the service writes it."""
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Credentials:
    """What a role's machine signs with, for a while."""

    access_key: str
    secret_key: str
    token: str
    expires_at: float

    @classmethod
    def made(cls, seconds: float) -> Credentials:
        """New ones that live for so long."""
        name = "ASIA" + secrets.token_hex(8).upper()
        return cls(name, secrets.token_urlsafe(30), secrets.token_urlsafe(60), time.time() + seconds)

    def document(self) -> str:
        """As the service tells them."""
        return json.dumps(
            {
                "Code": "Success",
                "LastUpdated": instant(time.time()),
                "Type": "AWS-HMAC",
                "AccessKeyId": self.access_key,
                "SecretAccessKey": self.secret_key,
                "Token": self.token,
                "Expiration": instant(self.expires_at),
            }
        )


@dataclass
class Told:
    """What one machine is told. Fields may be set at any time."""

    instance_id: str
    address: str
    region: str = "us-east-1"
    zone: str = "us-east-1a"
    instance_type: str = "c5.2xlarge"
    image_id: str = "ami-0123456789abcdef0"
    spot: bool = True
    user_data: bytes = b""
    role: str | None = None
    policy: Mapping[str, Any] | None = None
    """What the role may do; None: everything."""
    credentials_last: float = 6 * 3600.0
    """Seconds; new ones are told once half of them have passed."""
    issued: list[Credentials] = field(default_factory=list)
    """Every credentials that were told, the newest last."""
    public_key: str | None = None
    devices: dict[str, str] = field(default_factory=lambda: {"ami": "/dev/xvda", "root": "/dev/xvda"})
    """The block device mapping: what came in the launching call, by EC2's names (``ebs1`` → ``sdf``)."""
    notice_at: float | None = None
    """When the cloud takes the machine back."""
    rebalance_at: float | None = None
    hop_limit: int = 1

    @property
    def hostname(self) -> str:
        """The machine's own name."""
        return f"ip-{self.address.replace('.', '-')}"

    def credentials(self) -> Credentials:
        """The role's, for now."""
        if not self.issued or self.issued[-1].expires_at - time.time() < self.credentials_last / 2:
            self.issued.append(Credentials.made(self.credentials_last))
        return self.issued[-1]

    def tree(self) -> dict[str, str]:
        """Every document below ``/latest/`` but the user-data."""
        meta = {
            "ami-id": self.image_id,
            "hostname": f"{self.hostname}.ec2.internal",
            "instance-action": "none",
            "instance-id": self.instance_id,
            "instance-life-cycle": "spot" if self.spot else "on-demand",
            "instance-type": self.instance_type,
            "local-hostname": f"{self.hostname}.ec2.internal",
            "local-ipv4": self.address,
            "placement/availability-zone": self.zone,
            "placement/region": self.region,
            "services/domain": "amazonaws.com",
            "services/partition": "aws",
            **{f"block-device-mapping/{name}": device for name, device in self.devices.items()},
        }
        if self.public_key is not None:
            meta["public-keys/0/openssh-key"] = self.public_key
        if self.role is not None:
            profile = f"arn:aws:iam::{ACCOUNT}:instance-profile/{self.role}"
            meta["iam/info"] = json.dumps({"Code": "Success", "InstanceProfileArn": profile})
            meta[f"iam/security-credentials/{self.role}"] = self.credentials().document()
        if self.notice_at is not None:
            meta["spot/instance-action"] = json.dumps({"action": "terminate", "time": instant(self.notice_at)})
            meta["spot/termination-time"] = instant(self.notice_at)
        if self.rebalance_at is not None:
            meta["events/recommendations/rebalance"] = json.dumps({"noticeTime": instant(self.rebalance_at)})
        identity = {
            "accountId": ACCOUNT,
            "architecture": "x86_64",
            "availabilityZone": self.zone,
            "imageId": self.image_id,
            "instanceId": self.instance_id,
            "instanceType": self.instance_type,
            "privateIp": self.address,
            "region": self.region,
            "version": "2017-09-30",
        }
        return {
            **{f"meta-data/{path}": text for path, text in meta.items()},
            "dynamic/instance-identity/document": json.dumps(identity),
        }

    def document(self, path: str) -> bytes | None:
        """What lies at a path below a version: a document, a folder's listing, or nothing."""
        if path == "user-data":
            return self.user_data or None
        tree = self.tree()
        found = tree.get(path)
        if found is not None:
            return found.encode()
        return _listing(tree, path.rstrip("/"))


def _listing(tree: dict[str, str], folder: str) -> bytes | None:
    prefix = f"{folder}/" if folder else ""
    below = {path.removeprefix(prefix) for path in tree if path.startswith(prefix)}
    names = sorted({f"{rest.split('/')[0]}/" if "/" in rest else rest for rest in below})
    if names and folder == "meta-data/public-keys":
        names = ["0=fleet"]  # a key's number and name
    return "\n".join(names).encode() if names else None
