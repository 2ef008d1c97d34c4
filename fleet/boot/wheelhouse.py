"""The agent in the bucket: archives that a stock image unpacks and runs with its own Python, without pip.

Two kinds: what the agent depends on, per Python and architecture (some megabytes, made again only when the versions
change), and fleet's own files (small, the same for all). Both are found by an index, which is written last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

import fleet
from fleet.boot.dependencies import dependency_archives, pinned
from fleet.boot.packing import archive
from fleet.model import layout
from fleet.model.base import canonical_json, document_bytes
from fleet.model.documents import WheelIndex, Wheels
from fleet.model.errors import AlreadyExistsError, FleetError, NotFoundError

if TYPE_CHECKING:
    from fleet.store.objects import Objects

OWN = "any"
"""The name of the archive of fleet's own files: it serves every Python."""
ARCHES = ("x86_64", "aarch64")
FORMAT = 1
"""Changes with what is done to the packages here."""
_ELSEWHERE = frozenset(
    {"cli", "control", "providers", "report", "backtest", "boot", "api.py", "_userdata", "_ami", "_examples"}
)
"""What no machine imports."""
_BESIDE = frozenset({"checking", "analysis", "export", "versions"})
"""Folders of ``workloads`` that look at a training from elsewhere, or make something of it."""
_DECIDING = frozenset({"budget", "deadlines", "keeping", "ledger", "plan", "ticks"})
"""Folders of ``core`` that only controllers and reports need."""

Build = Callable[[str], Iterable[tuple[str, bytes]]]
"""Archives of the dependencies for an architecture, as ``("cp312-x86_64", bytes)``."""


def ensure_wheels(
    objects: Objects,
    version: str,
    *,
    arches: Iterable[str] = ARCHES,
    build: Build = dependency_archives,
    tell: Callable[[str], None] = lambda _: None,
) -> WheelIndex:
    """The archives of this very code, uploaded if they are not there. Two small reads if they are.

    ``version`` is completed with a hash of fleet's own files: a changed checkout is another version. ``tell`` hears what
    takes time, and each archive's size. Raises FleetError if a package cannot be had.
    """
    files = own_files()
    full = f"{version}-{_digest(files)}"
    found: dict[str, Wheels] = {}
    for arch in arches:
        found |= _ensured(objects, dependencies_version(arch), lambda arch=arch: build(arch), tell).archives  # type: ignore[misc]
    found |= _ensured(objects, full, lambda: [(OWN, archive(files))], tell).archives
    return WheelIndex(version=full, archives=found)


def has_wheels(objects: Objects, version: str, *, arches: Iterable[str] = ARCHES) -> bool:
    """Whether the archives of this very code are in the bucket: nothing is left for ``ensure_wheels`` to do."""
    wanted = [*(dependencies_version(arch) for arch in arches), f"{version}-{_digest(own_files())}"]
    return all(_known(objects, one) is not None for one in wanted)


def dependencies_version(arch: str) -> str:
    """Names the dependencies' archives: the same versions, the same name."""
    pins = canonical_json({"format": FORMAT, "pins": pinned()})
    return f"packages-{hashlib.sha256(pins).hexdigest()[:12]}-{arch}"


def listed(index: WheelIndex, arch: str) -> dict[str, Wheels]:
    """The archives that machines of an architecture may need. Raises FleetError if it was not thought of."""
    found = {name: each for name, each in sorted(index.archives.items()) if name == OWN or name.endswith(f"-{arch}")}
    if found.keys() <= {OWN}:
        raise FleetError(f"there is no agent for {arch} among the archives of version {index.version}")
    return found


def listing(found: Mapping[str, Wheels]) -> str:
    """As machines read it: lines "Python-architecture key hash"."""
    return "".join(f"{name} {each.key} {each.sha256}\n" for name, each in found.items())


def own_files(package: Path | None = None) -> Mapping[str, bytes]:
    """fleet's own files that a machine needs, by their paths: of a checkout and of an installed wheel alike.

    What looks at a workload before it costs anything (``checking``) is not among them, nor what is made of it afterwards
    (``analysis``, ``export``, ``versions``), nor what decides and counts.
    """
    root = package or Path(fleet.__file__).parent
    found = {path.relative_to(root): path for path in sorted(root.rglob("*.py"))}
    return {f"fleet/{name.as_posix()}": path.read_bytes() for name, path in found.items() if _needed(name.parts)}


def _needed(parts: tuple[str, ...]) -> bool:
    if parts[0] in _ELSEWHERE or not _BESIDE.isdisjoint(parts):
        return False
    return not (parts[0] == "core" and parts[1] in _DECIDING)


def _digest(files: Mapping[str, bytes]) -> str:
    hashes = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    return hashlib.sha256(canonical_json(hashes)).hexdigest()[:12]


def _ensured(
    objects: Objects, version: str, build: Callable[[], Iterable[tuple[str, bytes]]], tell: Callable[[str], None]
) -> WheelIndex:
    """The index of a version: as it is in the bucket, else made, its archives first."""
    known = _known(objects, version)
    if known is not None:
        return known
    tell(f"putting the agent's archives {version} into the bucket: once, for all machines")
    there = {entry.key: entry.size for entry in objects.list(layout.wheels(version))}
    made = {}
    for name, data in build():
        sha256 = hashlib.sha256(data).hexdigest()
        key = f"{layout.wheels(version)}{name}-{sha256[:12]}.tar.gz"
        made[name] = Wheels(key=key, sha256=sha256, size=len(data))
        if there.get(key) != len(data):
            objects.put(key, data)
        tell(f"{name}: {len(data) / 1e6:.1f} MB")
    index = WheelIndex(version=version, archives=made)
    try:
        objects.create(layout.wheel_index(version), document_bytes(index))
    except AlreadyExistsError:
        return _known(objects, version) or index  # somebody else was as quick: all shall say the same
    return index


def _known(objects: Objects, version: str) -> WheelIndex | None:
    try:
        return WheelIndex.model_validate_json(objects.get(layout.wheel_index(version)))
    except NotFoundError:
        return None
    except ValidationError:
        return None
