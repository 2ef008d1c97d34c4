"""A machine of the provider ``local``: files of its instance folder, and metadata by IMDSv2 on loopback."""

from __future__ import annotations

import json
import os
import secrets
import time
from pathlib import Path

from fleet.agent.metadata import Metadata, Signalled
from fleet.model.base import Seconds


class LocalMachine(Signalled):
    """An instance folder of the provider ``local``."""

    def __init__(self, folder: Path, metadata: Metadata) -> None:
        super().__init__(metadata)
        self._folder = folder
        self.instance_id = metadata.get("/latest/meta-data/instance-id") or ""
        self.boot_id = (folder / "boot-id").read_text(encoding="utf-8").strip()

    @property
    def scratch(self) -> Path:
        """Removed with the instance."""
        return self._folder / "root"

    @property
    def root(self) -> Path:
        """A process has no disk of its own: its folder stands for one."""
        return self.scratch

    def user_data(self) -> str:
        """The boot document's JSON."""
        return self._metadata.get("/latest/user-data") or ""

    def volume(self, volume_id: str | None, *, new: bool) -> Path | None:
        """The link that stands under ``dev/`` while a volume is attached."""
        links = sorted((self._folder / "dev").glob(volume_id or "*"))
        return links[0] if links and links[0].is_dir() else None

    @property
    def mounting(self) -> bool:
        """A folder is there or it is not."""
        return False

    def release_volume(self) -> bool:
        """Everything on it is on disk; the link is the provider's to remove."""
        os.sync()
        return True

    def arm(self, power_off_at: Seconds, now: Seconds) -> None:
        """The supervisor reads this file several times a second, and goes by this computer's clock."""
        target = self._folder / "dead-man.json"
        temporary = target.with_name(f".dead-man.{secrets.token_hex(4)}")
        temporary.write_text(json.dumps({"power_off_at": time.time() + power_off_at - now}), encoding="utf-8")
        temporary.replace(target)

    def training_begins(self) -> None:
        """Schedules of the local market may count from here."""
        (self._folder / "training").touch()

    def power_off(self) -> None:
        """The supervisor ends the machine as soon as it sees this file."""
        (self._folder / "power-off").touch()


def local_machine() -> LocalMachine:
    """The machine that the environment describes. Raises KeyError outside one, OSError if it does not answer."""
    return LocalMachine(Path(os.environ["FLEET_INSTANCE_DIR"]), Metadata(os.environ["FLEET_METADATA_URL"]))
