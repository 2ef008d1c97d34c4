"""The user's public key: found where ssh keeps it, or named; only kinds that a machine's cloud takes."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet.model.errors import FleetError

NAMES = ("id_ed25519.pub", "id_rsa.pub")
"""In the order of preference."""
MORE_NAMES = ("id_ed25519.pub", "id_ecdsa.pub", "id_ed25519_sk.pub", "id_ecdsa_sk.pub", "id_rsa.pub")
"""Where a machine takes whatever its own sshd takes."""
MORE_KINDS = ("ecdsa-sha2-", "sk-")
KINDS = ("ssh-ed25519", "ssh-rsa")
"""EC2 imports no others: neither ECDSA keys nor those of hardware tokens."""

MAKE = "Make one with `ssh-keygen -t ed25519`, and name its .pub file with --key."


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One line of OpenSSH's, without its comment."""

    text: str
    told: str
    """What people call it: the file, or "the key imported before"."""


def find_key(named: Path | None, folder: Path, *, any_kind: bool = False) -> PublicKey | None:
    """The key that was named, else the first in ``folder`` that EC2 takes, else None. ``any_kind``: that any sshd takes.

    Raises FleetError if the named file holds no such public key.
    """
    if named is not None:
        return read_key(named, any_kind=any_kind)
    for name in MORE_NAMES if any_kind else NAMES:
        if (folder / name).is_file():
            return read_key(folder / name, any_kind=any_kind)
    return None


def read_key(path: Path, *, any_kind: bool = False) -> PublicKey:
    """A public key file. Raises FleetError if it is something else."""
    try:
        words = path.expanduser().read_text(encoding="utf-8", errors="replace").split()
    except OSError as error:
        raise FleetError(f"{path}: {error.strerror or error}", "--key names a public key file, for example x.pub.") from None
    if "PRIVATE" in words[:3]:
        raise FleetError(f"{path} is a private key: it stays where it is", f"Name its public half: --key {path}.pub")
    kind = words[0] if words else ""
    if kind.startswith(("ecdsa-", "sk-")) and not any_kind:
        raise FleetError(f"{path} is a key of the kind {kind}, which EC2 does not take", MAKE)
    if not (kind in KINDS or (any_kind and kind.startswith(MORE_KINDS))) or not _holds(words, kind):
        raise FleetError(f"{path} holds no public key", MAKE)
    return PublicKey(f"{kind} {words[1]}", _short(path))


def _short(path: Path) -> str:
    """As people write it."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _holds(words: Sequence[str], kind: str) -> bool:
    """Whether the second word is the key that the first promises: its bytes begin with the kind's name."""
    try:
        data = base64.b64decode(words[1], validate=True)
        (size,) = struct.unpack(">I", data[:4])
    except (IndexError, binascii.Error, struct.error):
        return False
    return data[4 : 4 + size] == kind.encode() and len(data) > 4 + size
