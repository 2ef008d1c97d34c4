"""What a prepared image is made from: the agent's archives, and the template as the Packer that is there takes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from fleet.boot.wheelhouse import listed, listing
from fleet.model.documents import WheelIndex
from fleet.model.errors import FleetError

LISTED = "agent"
"""The file that says which archives there are, as machines have it in ``/etc/fleet/agent``."""
PLUGINS = (1, 7)
"""Since this version Packer downloads its plugins, and understands the files that say which."""
BY_ALL = "fleet.pkr.hcl"
OLD = "packer-1.6"


def lay_archives(folder: Path, wheels: WheelIndex, read: Callable[[str], bytes], arch: str) -> None:
    """Fill the template's ``archives``: what machines of an architecture may need, each by its hash.

    ``read`` gets a key of the fleet's bucket. Which Python the image has is found out on it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = listed(wheels, arch)
    for each in found.values():
        (folder / f"{each.sha256}.tar.gz").write_bytes(read(each.key))
    (folder / LISTED).write_text(listing(found), encoding="ascii")


def source(name: str) -> Path:
    """The folder ``ami`` or ``userdata``: of a checkout, and as the wheel carries it."""
    package = Path(__file__).parents[1]
    found = next((path for path in (package / f"_{name}", package.parent / name) if path.is_dir()), None)
    if found is None:
        raise FleetError(f"fleet is installed without its folder {name}", "Install it again.")
    return found


def lay_template(folder: Path, version: tuple[int, ...]) -> dict[str, str]:
    """The template as a version of Packer understands it, in a folder of its own; the variables that name the scripts."""
    ami = source("ami")
    folder.mkdir(parents=True, exist_ok=True)
    files = [*ami.glob("*.pkr.hcl")] if version >= PLUGINS else [ami / BY_ALL, *(ami / OLD).glob("*.pkr.hcl")]
    for file in files:
        shutil.copyfile(file, folder / file.name)
    return {"scripts": str(source("userdata")), "bake": str(ami)}
