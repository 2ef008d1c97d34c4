"""The agent's archives as fleet itself builds and uploads them; those of its packages are kept between test sessions."""

from __future__ import annotations

from collections.abc import Iterable

from fleet import __version__
from fleet.boot.dependencies import dependency_archives
from fleet.boot.wheelhouse import dependencies_version, ensure_wheels
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.documents import WheelIndex
from fleet.store.objects import Objects
from tests.ec2.root import cache


def put_wheels(objects: Objects) -> WheelIndex:
    """Into a bucket, for the machines that tests have: none has another processor."""
    other = dependencies_version("aarch64")
    objects.create(layout.wheel_index(other), document_bytes(WheelIndex(version=other, archives={})))
    return ensure_wheels(objects, __version__, build=_kept)


def _kept(arch: str) -> Iterable[tuple[str, bytes]]:
    folder = cache() / dependencies_version(arch)
    if not folder.exists():
        made = list(dependency_archives(arch))
        folder.mkdir()
        for name, data in made:
            (folder / name).write_bytes(data)
    return [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]
