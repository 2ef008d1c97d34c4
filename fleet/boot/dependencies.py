"""What the agent needs beside fleet's own files, for a machine's Python and processor: downloaded here, for there.

Stock images have neither pip nor venv. So wheels are fetched on the user's computer, by its pip, for Linux whatever it is
itself, and unpacked into one folder that is put on the machine as it stands.
"""

from __future__ import annotations

import importlib.metadata
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fleet.boot.packing import archive
from fleet.model.errors import FleetError

PYTHONS = ("cp310", "cp311", "cp312", "cp313")
"""Ubuntu 22.04 has 3.10, Debian 12 has 3.11, Ubuntu 24.04 has 3.12, Debian 13 has 3.13."""
ROOTS = ("obstore", "pydantic", "pyyaml")
"""What the agent imports (a test measures it)."""
NEEDED = (*ROOTS, "annotated-types", "pydantic-core", "typing-extensions", "typing-inspection")
"""And what these do."""
CONTROLLER_ROOTS = (*ROOTS, "numpy", "pathspec", "psutil", "tenacity", "typer", "tzdata")
"""What a controller imports. What these need is read from what is installed here."""
CLOUD_ROOTS = {"aws": ("boto3",), "gcp": ("google-cloud-compute", "google-auth", "requests")}
"""And what it does that looks after a cloud."""
OLDEST, NEWEST = 17, 35
"""glibc 2.17 to 2.35: the oldest image that serves, Ubuntu 22.04, has 2.35."""
PIP_SECONDS = 600

Download = Callable[[Sequence[str], str, str, Path], None]
"""(requirements, ``cp312``, ``x86_64``, folder): puts wheels into the folder. Raises FleetError."""


def pinned() -> dict[str, str]:
    """The versions that are installed here: the machines' agent shall have the same. Older pydantics need fewer packages."""
    found = {}
    for name in NEEDED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if name in ROOTS:
                raise FleetError(f"fleet runs without its package {name}", "Install fleet again.") from None
    return found


def dependency_archives(arch: str, download: Download | None = None) -> Iterator[tuple[str, bytes]]:
    """Archives for all Pythons on one architecture, as ``("cp312-x86_64", bytes)``. Raises FleetError."""
    fetch = download or pip_download
    with ThreadPoolExecutor(2) as pool:
        made = [(f"{python}-{arch}", pool.submit(_archive, python, arch, fetch)) for python in PYTHONS]
        for target, packed in made:
            yield target, packed.result()


def _archive(python: str, arch: str, download: Download) -> bytes:
    return archive(downloaded(pinned(), python, arch, download))


def controller_pins(clouds: Iterable[str] = ("aws",)) -> dict[str, str]:
    """The versions installed here of all that a controller of some clouds needs. Raises FleetError if one is missing."""
    found: dict[str, str] = {}
    extra = {name: cloud for cloud in clouds for name in CLOUD_ROOTS[cloud]}
    wanted = [*CONTROLLER_ROOTS, *extra]
    while wanted:
        name = _normal(wanted.pop())
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            hint = f"pip install 'fleet[{extra[name]}]'" if name in extra else "Install fleet again."
            raise FleetError(f"fleet runs without the package {name}, which a controller needs", hint) from None
        wanted += _needs(name)
    return dict(sorted(found.items()))


def _needs(name: str) -> Iterator[str]:
    """What a package needs, on Linux and without its extras; what an older Python alone needs is not here, if it is not."""
    for line in importlib.metadata.requires(name) or ():
        needed, _, marker = line.partition(";")
        words = re.match(r"[A-Za-z0-9._-]+", needed)
        if words is None or any(word in marker for word in ("extra", "Windows", "win32")):
            continue
        if marker and not list(importlib.metadata.distributions(name=words[0])):
            continue
        yield words[0]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def downloaded(pins: Mapping[str, str], python: str, arch: str, download: Download | None = None) -> dict[str, bytes]:
    """The files of packages in these versions, for a Python and a processor. Raises FleetError."""
    with tempfile.TemporaryDirectory(prefix="fleet-wheels-") as name:
        folder = Path(name)
        fetch = download or pip_download
        fetch([f"{name}=={version}" for name, version in pins.items()], python, arch, folder)
        files: dict[str, bytes] = {}
        for wheel in sorted(folder.glob("*.whl")):
            files |= unpacked(wheel.read_bytes())
    return files


def unpacked(wheel: bytes) -> dict[str, bytes]:
    """The files of a wheel that a running agent may read: neither stubs nor PyYAML's part in C, which fleet does not use."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as packed:
        return {name: packed.read(name) for name in packed.namelist() if _is_wanted(name)}


def _is_wanted(name: str) -> bool:
    top = name.split("/")[0]
    safe = not name.startswith("/") and ".." not in name.split("/")
    useless = name.endswith(("/", ".pyi", "/py.typed", "/RECORD")) or name.startswith("yaml/_yaml.") or top == "_yaml"
    return safe and not useless and not top.endswith(".data")


def pip_download(requirements: Sequence[str], python: str, arch: str, folder: Path, *, newest: int = NEWEST) -> None:
    """By pip, which checks hashes against the index. Where there is no wheel of a version for the target any more (or not
    yet), the newest ones that go together and are no newer."""
    refusal = _pip(["--no-deps", *requirements], python, arch, folder, newest)
    if refusal and "No matching distribution" in refusal:
        for half in folder.glob("*.whl"):
            half.unlink()
        known = {*CONTROLLER_ROOTS, *(name for names in CLOUD_ROOTS.values() for name in names)}
        roots = [word.replace("==", "<=") for word in requirements if word.split("==")[0] in known]
        refusal = _pip(roots, python, arch, folder, newest)
    if refusal:
        raise FleetError(f"pip cannot download fleet's packages for {python} on {arch}: {_reason(refusal)}", _hint(refusal))


def _pip(words: Sequence[str], python: str, arch: str, folder: Path, newest: int = NEWEST) -> str:
    """What pip complained of; nothing if it did it."""
    platforms = [f"manylinux_2_{minor}_{arch}" for minor in range(OLDEST, newest + 1)] + [f"manylinux2014_{arch}"]
    target = ["--implementation", "cp", "--python-version", f"{python[2]}.{python[3:]}"]
    target += [word for platform in platforms for word in ("--platform", platform)]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
    command += ["--only-binary=:all:", *target, "--dest", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PIP_SECONDS)
    except subprocess.TimeoutExpired:
        return f"pip takes longer than {PIP_SECONDS} seconds"
    return done.stderr if done.returncode != 0 else ""


def _reason(refusal: str) -> str:
    lines = [line for line in refusal.splitlines() if line.strip() and not line.startswith("WARNING")]
    return lines[-1].removeprefix("ERROR: ").strip() if lines else "it does not say why"


def _hint(refusal: str) -> str:
    if "No module named pip" in refusal:
        return f"Give fleet's Python a pip: {sys.executable} -m ensurepip"
    return "It is done once per version of these packages, and needs PyPI or the index that pip is configured with."
