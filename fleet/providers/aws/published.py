"""Images that others publish, by fleet's names for them, and where the newest of each is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fleet.model.errors import ProviderError
from fleet.providers.aws.errors import translated
from fleet.providers.aws.session import aws_client

Arch = Literal["x86_64", "aarch64"]
DEFAULT = "ubuntu-24.04"
OLDER = {"470-server": "ubuntu-22.04"}
"""For drivers that have ended: an image whose kernel they are built for."""


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


def newest(region: str, published: Published, arch: Arch) -> str | None:
    """The newest image of a name; None: nobody publishes one there. Raises ProviderError."""
    word = published.words[0] if arch == "x86_64" else published.words[1]
    return _by_parameter(region, published.parameter.format(arch=word)) or _by_name(region, published, word, arch)


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
