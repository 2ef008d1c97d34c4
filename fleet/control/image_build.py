"""``fleet ami build``, whole: what is to be built, looked at and priced; then, once the user agreed, built and recorded."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fleet import __version__
from fleet.boot.baking import lay_archives, lay_template
from fleet.boot.packer import Packer, PackerError, build, find_packer, init
from fleet.boot.wheelhouse import ensure_wheels
from fleet.control.image_places import ImagePlace
from fleet.control.image_wish import Wish, base_of, driver_of, ssh_from, where
from fleet.control.images import keep_record
from fleet.model.base import Micros, Seconds
from fleet.model.errors import FleetError, ProviderError
from fleet.model.image import RECIPE, ImageRecord, Variant
from fleet.providers.aws import image_calls
from fleet.providers.aws.images import Images, needs_of
from fleet.providers.aws.own_images import MARK, SNAPSHOT_GB_MONTH, tags_of
from fleet.providers.aws.pricecache import region_cache
from fleet.providers.aws.pricing import on_demand
from fleet.providers.aws.published import Arch

BUILDERS: dict[Arch, str] = {"x86_64": "c6i.large", "aarch64": "c6g.large"}
"""Small, and without a GPU: the driver is installed without one."""
MINUTES = (20, 40)
"""That a build takes."""
DISK_GB: dict[Variant, int] = {"cpu": 8, "gpu": 16}
PULLED_GB = 40
"""The least, where docker images are pulled ahead."""


@dataclass(frozen=True, slots=True)
class Build:
    """A build that is ready to be shown and done."""

    place: ImagePlace
    packer: Packer
    region: str
    base: str
    variant: Variant
    driver: str
    arch: Arch
    instance_type: str
    pulls: tuple[str, ...]
    disk_gb: int
    subnet: str
    ssh_from: str
    made_at: Seconds
    hourly: Micros | None
    """The builder's price; None: not known."""

    @property
    def spent(self) -> tuple[Micros, Micros] | None:
        """What the builder costs, from a short build to a long one."""
        return None if self.hourly is None else (self.hourly * MINUTES[0] // 60, self.hourly * MINUTES[1] // 60)

    @property
    def monthly(self) -> Micros:
        """What the image costs a month at most: a snapshot is charged for what is in it."""
        return self.disk_gb * SNAPSHOT_GB_MONTH

    @property
    def made(self) -> str:
        """When, as the tags have it."""
        return datetime.fromtimestamp(self.made_at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def variables(self, folder: Path) -> dict[str, Any]:
        """The template's, for a build in a folder."""
        return {
            "region": self.region,
            "ssh_from": self.ssh_from,
            "archives": str(folder / "archives"),
            "base": self.base,
            "variant": self.variant,
            "arch": self.arch,
            "driver": self.driver,
            "instance_type": self.instance_type,
            "images": list(self.pulls),
            "fleet_version": __version__,
            "recipe": RECIPE,
            "made": self.made,
            "manifest": str(folder / "manifest.json"),
            "facts": str(folder / "fleet-image.json"),
            "subnet_id": self.subnet,
            "disk_gb": self.disk_gb,
        }


def prepare_build(place: ImagePlace, wish: Wish) -> Build:
    """Look at everything, and say what is to be built. Changes nothing. Raises FleetError."""
    driver = driver_of(wish)
    base = base_of(wish, driver)
    packer = find_packer()
    region, subnet = where(place, wish)
    cache, instance_type = place.home.cache / "aws", wish.instance_type or BUILDERS[wish.arch]
    arch = needs_of(instance_type, cache)[0]
    if arch != wish.arch:
        raise FleetError(f"{instance_type} is {arch}, the image is for {wish.arch}", "Name another, or --arch " + arch)
    price = on_demand(region, region_cache(cache, place.setup, region).read("ondemand")).get(instance_type)
    assert place.objects is not None  # `where` saw to it
    return Build(
        place=place,
        packer=packer,
        region=region,
        base=base,
        variant=wish.variant,
        driver=driver,
        arch=wish.arch,
        instance_type=instance_type,
        pulls=wish.pulls,
        disk_gb=wish.disk_gb or max(DISK_GB[wish.variant], PULLED_GB if wish.pulls else 0),
        subnet=subnet,
        ssh_from=ssh_from(wish.come_from),
        made_at=float(int(place.objects.now())),
        hourly=price.price if price is not None else None,
    )


def carry_out_build(build_: Build, tell: Callable[[str], None]) -> ImageRecord:
    """Build it; ``tell`` hears each line. Raises PackerError, with what is left running; FleetError."""
    place = build_.place
    assert place.objects is not None
    with tempfile.TemporaryDirectory(prefix="fleet-image-") as name:
        folder = Path(name)
        wheels = ensure_wheels(place.objects, __version__, arches=(build_.arch,), tell=tell)
        lay_archives(folder / "archives", wheels, place.objects.get, build_.arch)
        scripts = lay_template(folder / "template", build_.packer.version)
        file = folder / "fleet.pkrvars.json"
        file.write_text(json.dumps({**build_.variables(folder), **scripts}), encoding="utf-8")
        init(build_.packer, folder / "template", tell)
        try:
            build(build_.packer, folder / "template", file, tell, _credentials(place))
        except PackerError as error:
            error.hint = f"{error.hint} {_left(place, build_.region)}".strip()
            raise
        image_id = _image_id(folder / "manifest.json", build_.region)
        record = _record(build_, image_id, _facts(folder / "fleet-image.json"))
    keep_record(place.objects, record)
    Images(place.home.cache / "aws", account=place.setup.account if place.setup else None).forget(build_.region)
    return record


def _credentials(place: ImagePlace) -> dict[str, str]:
    """Packer takes the same configuration: the profile that was remembered, where the environment chooses none."""
    profile = place.calls.profile
    return {"AWS_PROFILE": profile} if profile and "AWS_PROFILE" not in os.environ else {}


def _left(place: ImagePlace, region: str) -> str:
    """Whether a machine is left, after a build that came to nothing."""
    try:
        found = image_calls.builders(place.calls, region)
    except ProviderError as error:
        return f"Whether its machine is gone could not be asked ({error.message}): look for {image_calls.BUILDER}."
    if not found:
        return "No machine of it is left."
    ids = [one.id for one in found]
    stopped = [one.id for one in found if one.state in ("stopping", "stopped")]
    ends = "" if len(stopped) == len(ids) else " What runs ends by itself after 90 minutes."
    if stopped:
        ends += f" {', '.join(stopped)}: stopped, which never ends by itself, and its disk is paid for."
    return (
        f"Mind: {', '.join(ids)} in {region} is still there (of this build, unless another goes on): "
        f"aws ec2 terminate-instances --region {region} --instance-ids {' '.join(ids)}.{ends}"
    )


def _image_id(manifest: Path, region: str) -> str:
    try:
        builds = json.loads(manifest.read_text(encoding="utf-8"))["builds"]
        where, _, image_id = str(builds[-1]["artifact_id"]).split(",")[0].partition(":")
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise FleetError(
            f"Packer says that it built an image, and not which: {error}", "`fleet ami list` shows it."
        ) from None
    if where != region or not image_id.startswith("ami-"):
        raise FleetError(f"Packer built {where}:{image_id}, where an image in {region} was meant")
    return image_id


def _facts(path: Path) -> dict[str, Any]:
    """What the image says of itself. Without it the image is good all the same."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _record(build_: Build, image_id: str, facts: dict[str, Any]) -> ImageRecord:
    """With its tags made whole, should the template have left one out."""
    calls, region = build_.place.calls, build_.region
    described = image_calls.describe(calls, region, image_id)
    tags = {one["Key"]: one["Value"] for one in described.get("Tags", ())}
    record = ImageRecord(
        image_id=image_id,
        region=region,
        base=build_.base,
        variant=build_.variant,
        driver=build_.driver,
        arch=build_.arch,
        recipe=RECIPE,
        version=__version__,
        source=tags.get(f"{MARK}-source") or str(facts.get("source", "")),
        made_at=build_.made_at,
        name=str(described.get("Name", "")),
        facts=facts,
    )
    image_calls.mark(calls, region, described, tags_of(record))
    return record
