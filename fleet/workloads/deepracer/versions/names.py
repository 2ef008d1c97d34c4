"""Versions of a model: ``STREAM-MAJOR`` or ``STREAM-MAJOR.MINOR``, such as ``shanghai-1.3``. Pure.

A run's name has no dots, so the job of ``shanghai-1.3`` is called ``shanghai-1-3``; the folder, and ``lineage.json`` in it,
bear the version's own name.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from fleet.model.errors import FleetError
from fleet.model.job import NAME_PATTERN

_VERSION = re.compile(
    r"(?P<stream>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)-(?P<major>0|[1-9]\d{0,8})(?:\.(?P<minor>0|[1-9]\d{0,8}))?"
)
_HINT = "A version is STREAM-MAJOR or STREAM-MAJOR.MINOR (shanghai-1.3): small letters, digits, hyphens, 40 at most."


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """One version of a model. They sort by stream, then by number: 1, 1.1, 1.2, 1.10, 2."""

    stream: str
    major: int | None = None
    """None: the name bears no number."""
    minor: int | None = None

    def __str__(self) -> str:
        if self.major is None:
            return self.stream
        return f"{self.stream}-{self.major}" + (f".{self.minor}" if self.minor is not None else "")

    @property
    def job(self) -> str:
        """What its job is called, and so its runs."""
        return str(self).replace(".", "-")

    @property
    def key(self) -> tuple[str, int, int]:
        """To sort by: what has no number comes first."""
        return self.stream, self.major if self.major is not None else -1, self.minor if self.minor is not None else -1


def parse_version(text: str) -> Version:
    """A version's name, or a run's. Raises FleetError for what can be neither.

    ``shanghai-1-3`` is version 3 of the stream ``shanghai-1``: only ``lineage.json`` knows better.
    """
    found = _VERSION.fullmatch(text)
    if found is None and re.fullmatch(NAME_PATTERN, text):
        return Version(text)
    if found is None or not re.fullmatch(NAME_PATTERN, text.replace(".", "-")):
        raise FleetError(f"{text!r} cannot be a version's name", _HINT)
    minor = found["minor"]
    return Version(found["stream"], int(found["major"]), int(minor) if minor is not None else None)


def version_of(text: str) -> Version:
    """The same of whatever a folder or a bucket's prefix is called: its letters made small, all else to hyphens."""
    try:
        return parse_version(text)
    except FleetError:
        plain = re.sub(r"-+", "-", re.sub(r"[^a-z0-9]+", "-", text.lower())).strip("-")[:30].strip("-")
        return parse_version(plain or "model")


def next_version(of: Version, taken: Collection[str]) -> Version:
    """The next of its stream: its last number one higher, and higher still while version or job of that name exist.

    Raises FleetError if the name becomes too long.
    """
    jobs = {one.replace(".", "-") for one in taken}
    one = of
    while True:
        one = replace(one, minor=one.minor + 1) if one.minor is not None else replace(one, major=(one.major or 0) + 1)
        if one.job not in jobs:
            return parse_version(str(one))
