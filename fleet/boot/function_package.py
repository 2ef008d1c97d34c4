"""The archive that the controller in the account runs from: fleet itself, and what it needs, for Lambda's Linux.

Made on the user's computer, whatever that is, with nothing of it inside: equal versions, equal bytes. Lambda brings a boto3
of its own, of another version each month; this one brings the version that was tested here, cut down to what fleet calls.
"""

from __future__ import annotations

import importlib.metadata
import io
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import fleet
from fleet.boot import dependencies
from fleet.boot.dependencies import Download, pip_download, unpacked
from fleet.model.errors import FleetError

ROOTS = ("boto3", "numpy", "tenacity", "tzdata")
"""What the controller imports beside what the agent does (a test measures it)."""
NEEDED = (*ROOTS, "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3")
"""And what these do."""
SERVICES = ("ec2", "events", "scheduler", "sesv2", "sns", "ssm", "sts")
"""What the function asks of AWS through botocore, whose descriptions of all services are twenty times as large."""
GLIBC = 34
"""Amazon Linux 2023 has 2.34; Lambda's Pythons from 3.12 on run there."""
MOST_PACKED, MOST_UNPACKED = 50 << 20, 250 << 20
"""Lambda's limits for an archive that is handed over, and for what becomes of it."""
_SOME_TIME = (2020, 1, 1, 0, 0, 0)
_LEFT_OUT = re.compile(
    r"(^|/)(__pycache__|tests?)/|^numpy/(f2py|distutils)/|\.(pyc|pyi|h|pyx|pxd|c)$|^boto3/(data|examples)/"
)
_DIST_INFO = re.compile(r"[^/]+\.dist-info/")
_MODEL = re.compile(r"botocore/data/([^/]+)/([^/]+)/([^/]+)")
_WANTED_OF_MODEL = ("service-2.json.gz", "endpoint-rule-set-1.json.gz", "paginators-1.json", "paginators-1.sdk-extras.json")


def function_zip(*, arch: str = "aarch64", python: str = "cp312", download: Download | None = None) -> bytes:
    """The archive. Raises FleetError if a package cannot be had, or if it is larger than Lambda takes."""
    files = {**dict(_packages(arch, python, download or partial(pip_download, newest=GLIBC))), **dict(fleet_files())}
    packed = _zipped(files)
    unpacked_size = sum(map(len, files.values()))
    if len(packed) > MOST_PACKED or unpacked_size > MOST_UNPACKED:
        raise FleetError(
            f"the function's archive is larger than Lambda takes: {len(packed):,} bytes, {unpacked_size:,} unpacked",
            "Run the controller elsewhere: fleet controller deploy ssh USER@HOST",
        )
    return packed


def pinned() -> dict[str, str]:
    """The versions that are installed here: what was tried on this computer runs in the account."""
    found = dict(dependencies.pinned())
    for name in NEEDED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            raise FleetError(f"{name} is not installed, which the function needs", "pip install 'fleet[aws]'") from None
    return found


def fleet_files(package: Path | None = None) -> Iterator[tuple[str, bytes]]:
    """fleet's own files by their paths, of a checkout and of an installed wheel alike."""
    root = package or Path(fleet.__file__).parent
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and name.split("/")[0] not in ("_userdata", "_examples") and not _LEFT_OUT.search(name):
            yield f"fleet/{name}", path.read_bytes()
    scripts = next(folder for folder in (root / "_userdata", root.parent / "userdata") if folder.is_dir())
    for path in sorted(scripts.rglob("*")):
        name = f"fleet/_userdata/{path.relative_to(scripts).as_posix()}"
        if path.is_file() and not _LEFT_OUT.search(name):  # an installed wheel has what Python made of the scripts
            yield name, path.read_bytes()


def _packages(arch: str, python: str, download: Download) -> Iterator[tuple[str, bytes]]:
    pins = pinned()
    with tempfile.TemporaryDirectory(prefix="fleet-function-") as name:
        folder = Path(name)
        download([f"{package}=={version}" for package, version in pins.items()], python, arch, folder)
        wheels = sorted(folder.glob("*.whl"))
        _check_versions(wheels, pins, f"{python} on {arch}")
        for wheel in wheels:
            yield from _cut(unpacked(wheel.read_bytes()))


def _check_versions(wheels: Sequence[Path], pins: Mapping[str, str], target: str) -> None:
    """Others would look in the bucket for another agent than the one that lies there."""
    got = {_plain(wheel.name.split("-")[0]): wheel.name.split("-")[1] for wheel in wheels}
    for name, version in pins.items():
        if got.get(_plain(name)) != version:
            raise FleetError(
                f"{name} {version}, which is installed here, is not to be had for {target}",
                f"Install another version here, one that is: pip install -U {name}",
            )


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _cut(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """What runs. Of a package's own description only which version it is: fleet asks for it."""
    newest: dict[str, str] = {}
    for name in files:
        model = _MODEL.fullmatch(name)
        if model is not None:
            newest[model[1]] = max(newest.get(model[1], ""), model[2])
    for name, data in files.items():
        model = _MODEL.fullmatch(name)
        if model is not None:
            wanted = model[1] in SERVICES and model[2] == newest[model[1]] and model[3] in _WANTED_OF_MODEL
        elif _DIST_INFO.match(name):
            wanted = name.endswith(".dist-info/METADATA")
        else:
            wanted = not _LEFT_OUT.search(name)
        if wanted:
            yield name, data


def _zipped(files: Mapping[str, bytes]) -> bytes:
    """Equal files, equal bytes: in order, of one time, readable for everybody."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, data in sorted(files.items()):
            member = zipfile.ZipInfo(name, _SOME_TIME)
            member.create_system, member.external_attr = 3, 0o100644 << 16
            packed.writestr(member, data, zipfile.ZIP_DEFLATED, 6)
    return buffer.getvalue()
