"""Images as ``fleet ami build`` leaves them, made in moto without a machine."""

from __future__ import annotations

from typing import Any

from fleet.model.image import RECIPE, ImageRecord
from fleet.providers.aws.own_images import tags_of
from fleet.providers.aws.session import aws_client
from tests.aws.ground import REGION

MADE = 1_764_000_000.0
"""2025-11-24."""
SOURCES = {"x86_64": "ami-6e6f626c000000001", "aarch64": "ami-6e6f626c100000001"}


def record(image_id: str = "ami-1", **changes: Any) -> ImageRecord:
    """What is kept of an image."""
    known: dict[str, Any] = {
        "image_id": image_id,
        "region": REGION,
        "base": "ubuntu-24.04",
        "variant": "gpu" if changes.get("driver") else "cpu",
        "arch": "x86_64",
        "recipe": RECIPE,
        "version": "0.6.0",
        "source": SOURCES["x86_64"],
        "made_at": MADE,
        "name": "fleet-ubuntu-24.04-cpu",
    }
    return ImageRecord(**{**known, **changes})


def bake(**changes: Any) -> str:
    """An image in the account, tagged; its id."""
    wanted = record(**changes)
    ec2 = aws_client("ec2", wanted.region)
    made: str = ec2.copy_image(Name=wanted.name, SourceImageId=SOURCES[wanted.arch], SourceRegion=wanted.region)["ImageId"]
    tags = [{"Key": key, "Value": value} for key, value in tags_of(wanted).items()]
    (described,) = ec2.describe_images(ImageIds=[made])["Images"]
    snapshots = [one["Ebs"]["SnapshotId"] for one in described["BlockDeviceMappings"]]
    ec2.create_tags(Resources=[made, *snapshots], Tags=tags)
    return made
