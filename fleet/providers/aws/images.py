"""What machines boot from: an image by its id, or the newest of a name, looked up once a day and region.

The publishers keep the newest id in a public parameter of Systems Manager; where a region (or a look-alike) has none, the
newest image of the publisher's name is asked of EC2.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from fleet.model.cloud import BootTarget, Offer
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.endpoints import custom_endpoints
from fleet.providers.aws.errors import translated
from fleet.providers.aws.offers import facts_of
from fleet.providers.aws.session import aws_client

Arch = Literal["x86_64", "aarch64"]
DEFAULT = "ubuntu-24.04"
OLDER = {"470-server": "ubuntu-22.04"}
"""For drivers that have ended: an image whose kernel they are built for."""
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Published:
    """Where the newest image of a name is found. Both patterns take ``{arch}``, in the publisher's own word."""

    parameter: str
    owner: str
    name: str
    words: tuple[str, str] = ("amd64", "arm64")
    """The publisher's words for x86_64 and aarch64."""
    brings_driver: bool = False


_UBUNTU = "/aws/service/canonical/ubuntu/server/{release}/stable/current/{{arch}}/hvm/ebs-{disk}/ami-id"
NAMES = {
    "ubuntu-24.04": Published(
        _UBUNTU.format(release="24.04", disk="gp3"),
        "099720109477",
        "ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-{arch}-server-*",
    ),
    "ubuntu-22.04": Published(
        _UBUNTU.format(release="22.04", disk="gp2"),
        "099720109477",
        "ubuntu/images/hvm-ssd*/ubuntu-jammy-22.04-{arch}-server-*",
    ),
    "debian-12": Published("/aws/service/debian/release/12/latest/{arch}", "136693071363", "debian-12-{arch}-*"),
    "dlami": Published(
        "/aws/service/deeplearning/ami/{arch}/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id",
        "amazon",
        "Deep Learning*Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04)*",
        ("x86_64", "arm64"),
        brings_driver=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Image:
    """What a launch must know of an image. It never changes."""

    image_id: str
    arch: Arch
    root_device: str
    """What the image calls its root disk: a mapping for another name would add a disk instead of sizing this one."""
    disk_gb: int
    """What the root disk has at least."""


class Images:
    """One fleet's look at images; what was found is kept in a folder on this computer."""

    def __init__(self, cache: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.cache = cache
        self._cache = cache / "images"
        self._clock = clock

    def target(self, offers: Sequence[Offer], image_id: str | None) -> BootTarget:
        """What machines of the offers boot from; see the contract."""
        if not offers:
            raise ProviderError(ErrorClass.INVALID, "MissingParameter", "no offer says for which machine the image is")
        region = offers[0].region
        arch, driver = needs_of(offers[0].instance_type, self.cache)
        wish = image_id or OLDER.get(driver or "", DEFAULT)
        published = NAMES.get(wish)
        if published is None and not wish.startswith("ami-"):
            names = ", ".join(NAMES)
            raise ProviderError(ErrorClass.INVALID, "InvalidAMIID.Malformed", f"image_id {wish!r} is none of {names}, ami-…")
        brings = published is None or published.brings_driver
        facts = facts_of(offers[0].instance_type, self.cache)
        if facts is not None and facts.fabric_manager and not brings:
            raise ProviderError(
                ErrorClass.UNAVAILABLE,
                "Unsupported",
                f"{offers[0].instance_type} needs NVIDIA's fabric manager, which {wish} has not",
                "Take the image that has it: resources.image_id: dlami",
            )
        if wish == "debian-12" and driver is not None and not driver.startswith("470"):
            raise ProviderError(
                ErrorClass.INVALID,
                "Unsupported",
                f"Debian 12 has no driver {driver} for {offers[0].instance_type}",
                "Take another image: resources.image_id: ubuntu-24.04, or dlami",
            )
        found = self.facts(region, wish if published is None else self._newest(region, wish, published, arch))
        return BootTarget(
            image_id=found.image_id,
            image=wish,
            arch=found.arch,
            driver=None if published is not None and published.brings_driver else driver,
            environment=environment(region),
        )

    def facts(self, region: str, image_id: str) -> Image:
        """What EC2 says of an image; asked once, since an image never changes."""
        kept = self._kept(f"{region}.{image_id}")
        if kept is not None:
            return Image(**kept["image"])
        with translated("DescribeImages"):
            answer = aws_client("ec2", region).describe_images(ImageIds=[image_id])
        if not answer["Images"]:
            raise ProviderError(ErrorClass.INVALID, "InvalidAMIID.NotFound", f"there is no image {image_id} in {region}")
        found = image_of(answer["Images"][0])
        self._keep(f"{region}.{image_id}", {"image": asdict(found)})
        return found

    def _newest(self, region: str, name: str, published: Published, arch: Arch) -> str:
        """The newest image of a name. If nobody answers, yesterday's will do."""
        key = f"{region}.{name}.{arch}"
        kept = self._kept(key)
        if kept is not None and self._clock() - kept["at"] < DAY:
            return str(kept["image_id"])
        word = published.words[0] if arch == "x86_64" else published.words[1]
        try:
            found = _by_parameter(region, published.parameter.format(arch=word))
            found = found or _by_name(region, published, word, arch)
        except ProviderError as error:
            if kept is None or error.error_class not in (ErrorClass.TRANSIENT, ErrorClass.THROTTLED):
                raise
            return str(kept["image_id"])
        if found is None:
            raise ProviderError(
                ErrorClass.INVALID,
                "InvalidAMIID.NotFound",
                f"nobody publishes {name} for {arch} in {region}",
                "Name an image of your own in resources.image_id: ami-…",
            )
        self._keep(key, {"image_id": found, "at": self._clock()})
        return found

    def _kept(self, key: str) -> dict[str, Any] | None:
        try:
            found = json.loads((self._cache / f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _keep(self, key: str, value: dict[str, Any]) -> None:
        """Whole or not at all: several controllers share the folder."""
        self._cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self._cache, delete=False, encoding="utf-8") as file:
            json.dump(value, file)
        Path(file.name).replace(self._cache / f"{key}.json")


def image_of(described: dict[str, Any]) -> Image:
    """What DescribeImages says of one image."""
    root = described.get("RootDeviceName", "/dev/sda1")
    sizes = [
        m["Ebs"].get("VolumeSize", 0)
        for m in described.get("BlockDeviceMappings", [])
        if "Ebs" in m and m["DeviceName"] == root
    ]
    arch: Arch = "aarch64" if described.get("Architecture") in ("arm64", "arm64_mac") else "x86_64"
    return Image(image_id=described["ImageId"], arch=arch, root_device=root, disk_gb=max(sizes, default=0))


def environment(region: str) -> dict[str, str]:
    """What agent and scripts need to reach the same cloud as the caller."""
    return {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, **custom_endpoints()}


def needs_of(instance_type: str, cache: Path) -> tuple[Arch, str | None]:
    """Architecture and driver branch of a type: by the table, else by what EC2 said of it."""
    facts = facts_of(instance_type, cache)
    return ("x86_64", None) if facts is None else (facts.arch, facts.driver_branch)


def _by_parameter(region: str, name: str) -> str | None:
    try:
        with translated("GetParameter"):
            return str(aws_client("ssm", region).get_parameter(Name=name)["Parameter"]["Value"])
    except ProviderError as error:
        if error.code != "ParameterNotFound":
            raise
        return None


def _by_name(region: str, published: Published, word: str, arch: Arch) -> str | None:
    filters = {
        "name": published.name.format(arch=word),
        "architecture": "arm64" if arch == "aarch64" else arch,
        "state": "available",
    }
    with translated("DescribeImages"):
        answer = aws_client("ec2", region).describe_images(
            Owners=[published.owner], Filters=[{"Name": name, "Values": [value]} for name, value in filters.items()]
        )
    newest = max(answer["Images"], key=lambda image: str(image.get("CreationDate", "")), default=None)
    return str(newest["ImageId"]) if newest is not None else None
