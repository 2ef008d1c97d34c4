"""What an image that ``fleet ami build`` made is made of: kept in the bucket as ``images/<id>.json``, and as tags on it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from fleet.model.base import Frozen, Seconds

RECIPE = "1"
"""The version of what is put into an image. Another one is for another fleet to boot from."""
Variant = Literal["cpu", "gpu"]
"""Without, or with NVIDIA's driver and container toolkit."""


class ImageRecord(Frozen):
    """One image's provenance. Holds no secret."""

    v: Literal[1] = 1
    image_id: str
    """``ami-…``."""
    region: str
    base: str
    """What it was made from, by fleet's name for it: ``ubuntu-24.04``."""
    variant: Variant
    driver: str = ""
    """NVIDIA's branch (``580-server``); empty: none."""
    arch: Literal["x86_64", "aarch64"]
    recipe: str
    version: str
    """fleet's."""
    source: str
    """The image that it was made from: ``ami-…``."""
    made_at: Seconds
    name: str
    facts: dict[str, JsonValue] = Field(default_factory=dict)
    """What ``/etc/fleet-image.json`` says in the image: versions of kernel, docker, compose, driver, toolkit and Python,
    hashes of the agent's archives, digests of the images that were pulled ahead."""
