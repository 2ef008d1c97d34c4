"""What was found out of images, kept in a folder on this computer: several controllers share it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

DAY = 86_400.0


class ImageCache:
    """A folder of small documents. One that is torn, or not there, is the same: nothing is known."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self.folder = folder
        self.clock = clock

    def read(self, key: str) -> dict[str, Any] | None:
        """A document; None: nothing is known."""
        try:
            found = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def write(self, key: str, value: dict[str, Any]) -> None:
        """Whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False, encoding="utf-8") as file:
            json.dump(value, file)
        Path(file.name).replace(self.folder / f"{key}.json")

    def forget(self, key: str) -> None:
        """Ask again next time."""
        (self.folder / f"{key}.json").unlink(missing_ok=True)

    def is_young(self, kept: dict[str, Any]) -> bool:
        """Learned within the last day."""
        return self.clock() - float(kept["at"]) < DAY

    def refuse(self, region: str, image_id: str) -> None:
        """A launch was told that there is no such image: for a day it is not chosen, whatever lists say."""
        self.write(_refused(region, image_id), {"at": self.clock()})

    def is_refused(self, region: str, image_id: str) -> bool:
        """Whether a launch was told so within the last day."""
        kept = self.read(_refused(region, image_id))
        return kept is not None and self.is_young(kept)


def _refused(region: str, image_id: str) -> str:
    return f"{region}.{image_id}.refused"
