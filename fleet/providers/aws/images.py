"""What machines boot from: an image by its id, the newest own image that fits, or the newest of a publisher's name.
Looked up once a day and region.

The publishers keep the newest id in a public parameter of Systems Manager; where a region (or a look-alike) has none, the
newest image of the publisher's name is asked of EC2.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fleet.core.allowed import STOCK
from fleet.model.cloud import BootTarget, Offer
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.endpoints import custom_endpoints
from fleet.providers.aws.errors import translated
from fleet.providers.aws.offers import facts_of
from fleet.providers.aws.own_images import BASES, MARK, Choice, OwnImage, Wanted, choose, own_image
from fleet.providers.aws.published import DEFAULT, NAMES, OLDER, Arch, Published, newest
from fleet.providers.aws.session import aws_client
from fleet.providers.image_cache import ImageCache

GONE = ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable")
"""EC2's words for an image that is not there (any more)."""


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

    def __init__(self, cache: Path, *, account: str | None = None, clock: Callable[[], float] = time.time) -> None:
        """``account``: whose own images are taken; None: whosever the credentials are."""
        self.cache = cache
        self._account = account
        self._clock = clock
        self._kept = ImageCache(cache / "images", clock)

    def target(self, offers: Sequence[Offer], image_id: str | None) -> BootTarget:
        """What machines of the offers boot from; see the contract."""
        if not offers:
            raise ProviderError(ErrorClass.INVALID, "MissingParameter", "no offer says for which machine the image is")
        region = offers[0].region
        arch, driver = needs_of(offers[0].instance_type, self.cache)
        stock = image_id == STOCK
        wish = OLDER.get(driver or "", DEFAULT) if stock or not image_id else image_id
        published = NAMES.get(wish)
        self._check(offers[0], wish, published, driver)
        own = None if stock else self.own_choice(region, wish, arch, driver).image
        if own is not None:
            try:
                image, found = f"{wish}, prepared {own.made_on}", self.facts(region, own.image_id)
            except ProviderError as error:
                if error.code not in GONE:
                    raise
                self.is_gone(region, own.image_id)
                return self.target(offers, image_id)
        else:
            image = wish
            found = self.facts(region, wish if published is None else self._newest(region, wish, published, arch))
        # An own image brings its driver, too; gpu.sh asks it all the same, once, and heals what does not come up.
        brings = own is None and published is not None and published.brings_driver
        return BootTarget(
            image_id=found.image_id,
            image=image,
            arch=found.arch,
            driver=None if brings else driver,
            environment=environment(region),
        )

    def _check(self, offer: Offer, wish: str, published: Published | None, driver: str | None) -> None:
        """Raises ProviderError for what the image cannot run."""
        if published is None and not wish.startswith("ami-"):
            names = ", ".join([*NAMES, STOCK])
            raise ProviderError(ErrorClass.INVALID, "InvalidAMIID.Malformed", f"image_id {wish!r} is none of {names}, ami-…")
        brings = published is None or published.brings_driver
        facts = facts_of(offer.instance_type, self.cache)
        if facts is not None and facts.fabric_manager and not brings:
            raise ProviderError(
                ErrorClass.UNAVAILABLE,
                "Unsupported",
                f"{offer.instance_type} needs NVIDIA's fabric manager, which {wish} has not",
                "Take the image that has it: resources.image_id: dlami",
            )
        if wish == "debian-12" and driver is not None and not driver.startswith("470"):
            raise ProviderError(
                ErrorClass.INVALID,
                "Unsupported",
                f"Debian 12 has no driver {driver} for {offer.instance_type}",
                "Take another image: resources.image_id: ubuntu-24.04, or dlami",
            )

    def own_choice(self, region: str, base: str, arch: Arch, driver: str | None) -> Choice:
        """The own image to boot from. What may not be known of own images stops no launch: then there is none."""
        if base not in BASES:
            return Choice(None)
        wanted = Wanted(base, arch, driver, self._account)
        there = [one for one in self.own(region) if not self._kept.is_refused(region, one.image_id)]
        return choose(there, wanted, self._clock())

    def own(self, region: str) -> list[OwnImage]:
        """The account's own images of a region. If nobody answers, yesterday's will do.

        Raises ProviderError if there are none of yesterday, and asking again in a moment may help: a process that has just
        begun would have the machine prepare itself, for minutes, because one answer was late.
        """
        kept = self._kept.read(self._own_key(region))
        try:
            return self._asked(region)
        except ProviderError as error:
            if kept is None and error.error_class in (ErrorClass.THROTTLED, ErrorClass.TRANSIENT):
                raise
            return _images(kept)

    def known(self, region: str, *, anew: bool = False) -> list[OwnImage] | None:
        """The same, asked once a day (``anew``: now); None: nobody answers."""
        try:
            return self._asked(region, anew=anew)
        except ProviderError:
            return None

    def _asked(self, region: str, *, anew: bool = False) -> list[OwnImage]:
        """The same. Raises ProviderError if nobody answers."""
        key = self._own_key(region)
        kept = self._kept.read(key)
        if kept is None or anew or not self._kept.is_young(kept) or _is_unsettled(kept):
            with translated("DescribeImages"):
                answer = aws_client("ec2", region).describe_images(
                    Owners=["self"], Filters=[{"Name": "tag-key", "Values": [MARK]}]
                )
            for described in answer["Images"]:
                if described.get("State") == "available":  # the same answer says what a launch must know of it
                    found = image_of(described)
                    self._kept.write(f"{region}.{found.image_id}", {"image": asdict(found)})
            owned = [own_image(described, region) for described in answer["Images"]]
            kept = {"at": self._clock(), "images": [asdict(one) for one in owned if one is not None]}
            self._kept.write(key, kept)
        return _images(kept)

    def forget(self, region: str) -> None:
        """Something was made or removed there: ask anew."""
        self._kept.forget(self._own_key(region))

    def _own_key(self, region: str) -> str:
        """Accounts that share a computer have lists of their own."""
        return f"{region}.{self._account}.own" if self._account else f"{region}.own"

    def is_gone(self, region: str, image_id: str) -> None:
        """A launch was told that there is no such image: the next one chooses anew, and another."""
        self._kept.refuse(region, image_id)
        self.forget(region)

    def facts(self, region: str, image_id: str) -> Image:
        """What EC2 says of an image; asked once, since an image never changes."""
        kept = self._kept.read(f"{region}.{image_id}")
        if kept is not None:
            return Image(**kept["image"])
        with translated("DescribeImages"):
            answer = aws_client("ec2", region).describe_images(ImageIds=[image_id])
        if not answer["Images"]:
            raise ProviderError(ErrorClass.INVALID, "InvalidAMIID.NotFound", f"there is no image {image_id} in {region}")
        found = image_of(answer["Images"][0])
        self._kept.write(f"{region}.{image_id}", {"image": asdict(found)})
        return found

    def _newest(self, region: str, name: str, published: Published, arch: Arch) -> str:
        """The newest image of a name. If nobody answers, yesterday's will do."""
        key = f"{region}.{name}.{arch}"
        kept = self._kept.read(key)
        if kept is not None and self._kept.is_young(kept) and not self._kept.is_refused(region, str(kept["image_id"])):
            return str(kept["image_id"])
        try:
            found = newest(region, published, arch)
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
        self._kept.write(key, {"image_id": found, "at": self._clock()})
        return found


def _is_unsettled(kept: dict[str, Any]) -> bool:
    """One of them was just being made."""
    return any(one.state == "pending" for one in _images(kept))


def _images(kept: dict[str, Any] | None) -> list[OwnImage]:
    """As they were kept; what another version kept in another form is nothing."""
    try:
        return [OwnImage(**{**one, "snapshots": tuple(one["snapshots"])}) for one in (kept or {}).get("images", ())]
    except (TypeError, KeyError):
        return []


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
