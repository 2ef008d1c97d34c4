"""What machines boot from: a publisher's image by fleet's name, or one's own by its name. Looked up once a day.

A family's newest image is frozen by its own name when a launch is written down: families move on.

Sources: families of Ubuntu, cloud.google.com/compute/docs/images/os-details; of the Deep Learning VM, with driver 580
installed, docs.cloud.google.com/deep-learning-vm/docs/images (of 2026-04-10); of Canonical's images with the driver, as they
are used in public (``ubuntu-accelerator-2404-amd64-with-nvidia-580`` of ubuntu-os-accelerator-images, 2026-02): its modules
are signed.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fleet.core.allowed import STOCK
from fleet.model.across import google_endpoints, told_on_google
from fleet.model.cloud import BootTarget, Offer
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.setup import GcpSetup
from fleet.providers.gcp import shapes
from fleet.providers.gcp.rest import get
from fleet.providers.gpus import GPUS, NEWEST
from fleet.providers.image_cache import ImageCache
from fleet.providers.priced import Arch

DEFAULT = "ubuntu-24.04"
OLDER = {"470-server": "ubuntu-22.04"}
"""For drivers that have ended: an image whose kernel they are built for."""
USER_DATA_LIMIT = 262_144 * 3 // 4
"""A metadata value may have 256 kB; it is sent as base64."""


@dataclass(frozen=True, slots=True)
class Published:
    """Where the newest image of a name is found."""

    project: str
    families: dict[Arch, str]
    brings: str | None = None
    """NVIDIA's driver branch that is installed."""


NAMES = {
    "ubuntu-24.04": Published("ubuntu-os-cloud", {"x86_64": "ubuntu-2404-lts-amd64", "aarch64": "ubuntu-2404-lts-arm64"}),
    "ubuntu-22.04": Published("ubuntu-os-cloud", {"x86_64": "ubuntu-2204-lts", "aarch64": "ubuntu-2204-lts-arm64"}),
    "ubuntu-24.04-nvidia": Published(
        "ubuntu-os-accelerator-images", {"x86_64": "ubuntu-accelerator-2404-amd64-with-nvidia-580"}, "580"
    ),
    "dlvm": Published("deeplearning-platform-release", {"x86_64": "common-cu129-ubuntu-2404-nvidia-580"}, "580"),
}
"""By the name that jobs use in ``image_id``."""
SAME = {"dlami": "dlvm"}
"""Names of the other cloud's: a job for both has one image, and means what is the same here."""
WITHOUT = ("debian-12",)
"""Published by Google without cloud-init, which brings everything onto a machine."""

_OWN = re.compile(
    r"(?:https://[^ ]+/)?(?:projects/(?P<project>[a-z0-9:.-]+)/global/images/)?"
    r"(?P<family>family/)?(?P<name>[a-z][a-z0-9-]{0,62})"
)


@dataclass(frozen=True, slots=True)
class Image:
    """What a launch must know of an image. It never changes."""

    path: str
    """``projects/P/global/images/NAME``."""
    arch: Arch
    disk_gb: int
    """What the boot disk has at least."""


def boot_target(
    setup: GcpSetup, offers: Sequence[Offer], image_id: str | None, cache: Path, *, clock: Callable[[], float] = time.time
) -> BootTarget:
    """What machines of the offers boot from, ``image_id`` being the job's wish; see the contract. Raises ProviderError.

    ``setup`` of the answer is the set-up with the offers' region alone, as JSON.
    """
    if not offers:
        raise ProviderError(ErrorClass.INVALID, "MissingParameter", "no offer says for which machine the image is")
    first = offers[0]
    arch: Arch = "aarch64" if shapes.architecture(first.instance_type) == "aarch64" else "x86_64"
    gpu = GPUS.get(first.accelerators[0], NEWEST) if first.accelerators else None
    driver = gpu.branch if gpu is not None else None
    wish = OLDER.get(driver or "", DEFAULT) if image_id in (None, "", STOCK) else str(image_id)
    wish = SAME.get(wish, wish)
    published = NAMES.get(wish)
    found = Images(setup.project, cache, clock).newest(wish, arch)
    if found.arch != arch:
        told = f"{wish} is for {found.arch}, {first.instance_type} is {arch}"
        raise ProviderError(ErrorClass.INVALID, "ArchitectureMismatch", told, "Name another in resources.image_id.")
    if published is not None and published.brings is not None:
        _check_driver(wish, published.brings, first)
        driver = None
    region = {name: one for name, one in setup.regions.items() if name == first.region}
    return BootTarget(
        image_id=found.path,
        image=wish,
        arch=found.arch,
        driver=driver,
        environment=environment(setup),
        setup=setup.model_copy(update={"regions": region}).model_dump_json(),
        user_data_limit=USER_DATA_LIMIT,
    )


def _check_driver(wish: str, branch: str, offer: Offer) -> None:
    """Raises ProviderError for a device that the image's driver does not run: it has the open modules, or another branch."""
    gpu = GPUS.get(offer.accelerators[0], NEWEST) if offer.accelerators else None
    if gpu is not None and (not gpu.open_kernel or not (gpu.branch or "").startswith(branch)):
        raise ProviderError(
            ErrorClass.INVALID,
            "Unsupported",
            f"the driver of {wish} does not run a {offer.accelerators[0]}",
            "Leave resources.image_id out, or take ubuntu-24.04: the machine installs the driver itself.",
        )


class Images:
    """Looking images up; what was found is kept in a folder on this computer."""

    def __init__(self, project: str, cache: Path, clock: Callable[[], float] = time.time) -> None:
        self._project = project
        self._kept = ImageCache(cache / "images", clock)
        self._clock = clock

    def newest(self, wish: str, arch: Arch) -> Image:
        """The image of a name. If nobody answers, yesterday's will do. Raises ProviderError."""
        project, kind, name = self._where(wish, arch)
        key = _key(project, kind, name)
        kept = self._kept.read(key)
        if kept is not None and (not kind or self._kept.is_young(kept)):
            return Image(**kept["image"])
        try:
            found = image_of(
                get("compute", f"/compute/v1/projects/{project}/global/images/{kind}{name}", "images.get"), project
            )
        except ProviderError as error:
            if kept is None or error.error_class not in (ErrorClass.TRANSIENT, ErrorClass.THROTTLED):
                raise
            return Image(**kept["image"])
        # By its own name, too: a launch asks for what was frozen.
        for one in {key, _key(project, "", found.path.rpartition("/")[2])}:
            self._kept.write(one, {"image": asdict(found), "at": self._clock()})
        return found

    def is_gone(self, path: str) -> None:
        """A launch was told that there is no such image: a family that it was the newest of is asked anew."""
        for file in self._kept.folder.glob("*.json"):
            kept = self._kept.read(file.stem)
            if kept is not None and isinstance(kept.get("image"), dict) and kept["image"].get("path") == path:
                self._kept.forget(file.stem)

    def _where(self, wish: str, arch: Arch) -> tuple[str, str, str]:
        """Project, ``family/`` or nothing, and name. Raises ProviderError."""
        published = NAMES.get(wish)
        if published is not None:
            if arch not in published.families:
                told = f"nobody publishes {wish} for {arch}"
                raise ProviderError(ErrorClass.INVALID, "imageNotFound", told, "Name another in resources.image_id.")
            return published.project, "family/", published.families[arch]
        found = _OWN.fullmatch(wish)
        if found is None or wish in WITHOUT:
            names = ", ".join([*NAMES, STOCK])
            told = f"image_id {wish!r} is none of {names}, an image's name, or projects/P/global/images/NAME"
            raise ProviderError(ErrorClass.INVALID, "InvalidImage", told)
        return found["project"] or self._project, found["family"] or "", found["name"]


def _key(project: str, kind: str, name: str) -> str:
    return f"{project}.{kind.rstrip('/') or 'name'}.{name}"


def image_of(described: dict[str, Any], project: str) -> Image:
    """What Compute Engine says of one image. Raises ProviderError if nothing boots from it."""
    name = str(described.get("name", ""))
    if described.get("status", "READY") != "READY":
        told = f"image {name} is not ready: {described.get('status')}"
        raise ProviderError(ErrorClass.NOT_YET, "imageNotReady", told)
    return Image(
        path=f"projects/{project}/global/images/{name}",
        arch="aarch64" if described.get("architecture") == "ARM64" else "x86_64",
        disk_gb=int(described.get("diskSizeGb", 0)),
    )


def environment(setup: GcpSetup) -> dict[str, str]:
    """What agent and scripts need to reach the same cloud as the caller, and the bucket's, which may be another."""
    there = {"FLEET_MACHINE": "gce", "GOOGLE_CLOUD_PROJECT": setup.project, **google_endpoints(os.environ)}
    return {**there, **told_on_google(setup), **(_of_amazon() if setup.aws_role else {})}


def _of_amazon() -> dict[str, str]:
    try:
        from fleet.providers.aws.endpoints import custom_endpoints

        return custom_endpoints()
    except ImportError:  # without Amazon's library nobody has configured anything for it
        return {}
