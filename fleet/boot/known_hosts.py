"""The hosts that the user knows, as the OpenSSH client keeps them: whoever is not among them is refused."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fleet.boot.reach import PORT, ImpostorError, SshError

SYSTEM_KNOWN = "/etc/ssh/ssh_known_hosts"


class UnknownHostError(SshError):
    """Nobody ever said that this key is the host's."""


def know(connection: Any) -> None:
    """The keys that the user knows, and no other: on the way to the host, too."""
    from paramiko import MissingHostKeyPolicy

    files = connection.ssh_config.get("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2").split()
    files += connection.ssh_config.get("globalknownhostsfile", SYSTEM_KNOWN).split()
    lines: list[str] = []
    for name in files:
        with contextlib.suppress(FileNotFoundError):
            lines += Path(name).expanduser().read_text(encoding="utf-8", errors="replace").splitlines()
    revoked = _revoked(lines)

    class Refuse(MissingHostKeyPolicy):  # type: ignore[misc]
        def missing_host_key(self, _client: Any, hostname: str, key: Any) -> None:
            if key.get_base64() in revoked:
                raise ImpostorError(
                    f"{hostname} shows a host key that is revoked: {key.get_name()} {key.get_base64()}",
                    f"Nothing was sent to it. @revoked stands before that key in one of {', '.join(files)}.",
                )
            raise _unknown(hostname, key)

    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as kept:
        kept.writelines(f"{line}\n" for line in lines if _is_plain(line) and not revoked & set(line.split()))
        kept.flush()
        connection.client.load_system_host_keys(kept.name)
    connection.client.set_missing_host_key_policy(Refuse())


def _revoked(lines: Iterable[str]) -> set[str]:
    """Keys that nobody is to be trusted by, of whatever host."""
    return {words[3] for line in lines if (words := line.split())[:1] == ["@revoked"] and len(words) > 3}


def _is_plain(line: str) -> bool:
    """A host and its key. Certificates (@cert-authority) mean nothing here, and what is no line ssh passes over too."""
    from paramiko import SSHException
    from paramiko.hostkeys import HostKeyEntry, InvalidHostKey

    if not line.strip() or line.lstrip().startswith(("#", "@")):
        return False
    try:
        return HostKeyEntry.from_line(line) is not None
    except (InvalidHostKey, SSHException, ValueError):
        return False


def _unknown(name: str, key: Any) -> UnknownHostError:
    place = re.fullmatch(r"\[(.*)\]:(\d+)", name)
    host, port = (place[1], int(place[2])) if place else (name, PORT)
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    kind = key.get_name().removeprefix("ssh-").split("-")[0]
    look = f"ssh {'' if port == PORT else f'-p {port} '}{host}"
    return UnknownHostError(
        f"the host key of {host} is not known here: it shows {key.get_name()} SHA256:{digest}",
        f"At the host itself `ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub` shows which is right. `{look}` asks you, and "
        "remembers it.",
    )
