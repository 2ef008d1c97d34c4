"""Images that ``fleet ami build`` made: what EC2 says of them, and which of them a machine boots from. Pure.

The tags are the truth, as long as the image is there: they go where it goes. The bucket's records say more of it, and that
there was one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from fleet.model.base import Micros, Seconds
from fleet.model.image import RECIPE, ImageRecord
from fleet.providers.aws.published import Arch

MARK = "fleet-image"
"""The tag that says: made by fleet; its value is the recipe's version. Never ``fleet``: sweeps would take the snapshots."""
BASES = ("ubuntu-24.04", "ubuntu-22.04")
"""What images are made from."""
UNDERSTOOD = frozenset({RECIPE})
"""Recipes whose images this version can boot from."""
OLD: Seconds = 60 * 86_400
"""Older than this an image's kernel and packages lack what was mended since."""
SNAPSHOT_GB_MONTH: Micros = 50_000


@dataclass(frozen=True, slots=True)
class OwnImage:
    """One image, as its tags and EC2 say."""

    image_id: str
    region: str
    owner: str
    """The account that it is in."""
    base: str
    variant: str
    driver: str
    arch: Arch
    recipe: str
    version: str
    source: str
    made_at: Seconds
    name: str = ""
    state: str = "available"
    size_gb: int = 0
    """Of all its disks: what its snapshots hold at most."""
    encrypted: bool = False
    public: bool = False
    snapshots: tuple[str, ...] = ()

    @property
    def monthly(self) -> Micros:
        """What its snapshots cost a month at most."""
        return self.size_gb * SNAPSHOT_GB_MONTH

    @property
    def kind(self) -> tuple[str, str, str, str, str]:
        """Images of one kind replace each other: region, base, variant, architecture, driver."""
        return (self.region, self.base, self.variant, self.arch, self.driver)

    @property
    def made_on(self) -> str:
        """The day: ``2026-11-20``."""
        return datetime.fromtimestamp(self.made_at, timezone.utc).strftime("%Y-%m-%d")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a machine needs of an image."""

    base: str
    arch: Arch
    driver: str | None = None
    """None: it has no GPU of NVIDIA's."""
    account: str | None = None
    """Whose image it must be; None: whoever was asked, was asked for one's own alone."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The image to boot from; None: a stock image. And why each other one is not."""

    image: OwnImage | None
    unfit: tuple[tuple[str, str], ...] = ()
    """Image id and reason."""


def choose(images: Iterable[OwnImage], wanted: Wanted, now: Seconds) -> Choice:
    """The newest that fits. Without a GPU an image without a driver goes before one with it, whatever their ages.

    One that claims to be made after ``now`` is as good as one of now: a clock that was wrong must not keep an image first.
    """
    known = sorted(images, key=lambda one: one.image_id)
    reasons = {one.image_id: why_unfit(one, wanted) for one in known}
    fit = [one for one in known if not reasons[one.image_id]]
    best = max(fit, key=lambda one: (one.variant == "cpu", min(one.made_at, now), one.image_id), default=None)
    return Choice(best, tuple((name, why) for name, why in reasons.items() if why))


def why_unfit(one: OwnImage, wanted: Wanted) -> str:
    """Why a machine cannot boot from an image; empty: it can."""
    if wanted.account is not None and one.owner != wanted.account:
        return f"it is account {one.owner}'s"
    told = why_useless(one)
    if told:
        return told
    if one.base != wanted.base:
        return f"it is made from {one.base}, not {wanted.base}"
    if one.arch != wanted.arch:
        return f"it is for {one.arch}, not {wanted.arch}"
    if wanted.driver is not None and (one.variant != "gpu" or one.driver != wanted.driver):
        return f"it has {f'driver {one.driver}' if one.driver else 'no driver'}, not {wanted.driver}"
    return ""


def why_useless(one: OwnImage) -> str:
    """Why no machine at all can boot from it by this version; empty: some can."""
    if one.state != "available":
        return f"it is {one.state}"
    if one.recipe not in UNDERSTOOD:
        return f"its recipe {one.recipe or '(none)'} is not this version's"
    if one.variant not in ("cpu", "gpu") or (one.variant == "gpu") != bool(one.driver):
        return f"its tags contradict each other: variant {one.variant or '(none)'}, driver {one.driver or '(none)'}"
    return ""


def is_old(one: OwnImage, now: Seconds) -> bool:
    """Its kernel and packages have not been mended for long."""
    return now - one.made_at > OLD


def own_image(described: Mapping[str, Any], region: str) -> OwnImage | None:
    """What DescribeImages says of one; None: fleet did not make it."""
    tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", ())}
    if MARK not in tags:
        return None
    disks = [one["Ebs"] for one in described.get("BlockDeviceMappings", ()) if "Ebs" in one]
    arm = described.get("Architecture") in ("arm64", "arm64_mac")
    made = _moment(tags.get(f"{MARK}-made", "")) or _moment(str(described.get("CreationDate", "")))
    return OwnImage(
        image_id=described["ImageId"],
        region=region,
        owner=str(described.get("OwnerId", "")),
        base=tags.get(f"{MARK}-base", ""),
        variant=tags.get(f"{MARK}-variant", ""),
        driver=tags.get(f"{MARK}-driver", ""),
        arch="aarch64" if arm else "x86_64",  # EC2's word: the tag may have been written by hand
        recipe=tags[MARK],
        version=tags.get(f"{MARK}-version", ""),
        source=tags.get(f"{MARK}-source", ""),
        made_at=made or 0.0,
        name=str(described.get("Name", "")),
        state=str(described.get("State", "")),
        size_gb=sum(int(one.get("VolumeSize", 0)) for one in disks),
        encrypted=any(one.get("Encrypted", False) for one in disks),
        public=bool(described.get("Public", False)),
        snapshots=tuple(one["SnapshotId"] for one in disks if one.get("SnapshotId")),
    )


def _moment(text: str) -> Seconds | None:
    """Seconds since 1970 of a time as EC2 and the tags have it."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()


def tags_of(record: ImageRecord) -> dict[str, str]:
    """What an image and its snapshots carry."""
    made = datetime.fromtimestamp(record.made_at, timezone.utc)
    told = {
        "base": record.base,
        "variant": record.variant,
        "driver": record.driver,
        "arch": record.arch,
        "version": record.version,
        "source": record.source,
        "made": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {MARK: record.recipe, **{f"{MARK}-{name}": value for name, value in told.items()}}


def newest_of_each(images: Sequence[OwnImage], now: Seconds) -> dict[tuple[str, str, str, str, str], str]:
    """Of each kind the image that a launch would take, by the kind."""
    found: dict[tuple[str, str, str, str, str], str] = {}
    for kind in {one.kind for one in images}:
        own = [one for one in images if one.kind == kind]
        chosen = choose(own, Wanted(kind[1], own[0].arch, kind[4] or None), now).image
        if chosen is not None:
            found[kind] = chosen.image_id
    return found
