"""What there is to say of own images before a launch: old, gone, or only elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fleet.model.base import Seconds
from fleet.model.image import ImageRecord
from fleet.providers.aws.own_images import OwnImage, Wanted, choose, is_old, own_image, tags_of, why_unfit
from fleet.providers.aws.published import DEFAULT, OLDER, Arch

DAY: Seconds = 86_400


@dataclass(frozen=True, slots=True)
class Need:
    """What machines of one region need of an image."""

    region: str
    base: str
    arch: Arch
    driver: str | None = None


def notes(
    needs: Iterable[Need], images: Mapping[str, Sequence[OwnImage]], records: Collection[ImageRecord], now: Seconds
) -> list[str]:
    """A line each, none twice. ``images`` by region: a region that is not in it could not be asked, and is not spoken of."""
    told: dict[str, None] = {}
    for need in needs:
        if need.region in images:
            told |= dict.fromkeys(_notes(need, images[need.region], records, now))
    return list(told)


def _notes(need: Need, images: Sequence[OwnImage], records: Collection[ImageRecord], now: Seconds) -> Iterator[str]:
    wanted = Wanted(need.base, need.arch, need.driver)
    chosen = choose(images, wanted, now).image
    anew = build_command(need.region, need.base, "gpu" if need.driver else "cpu", need.driver or "", need.arch)
    if chosen is not None:
        if is_old(chosen, now):
            days = int((now - chosen.made_at) // DAY)
            yield (
                f"{need.region}: the prepared image {chosen.image_id} is {days} days old: its kernel and packages lack what "
                f"was mended since; a new one: {anew}"
            )
        return
    known = [one for one in records if not why_unfit(_as_image(one), wanted)]
    there = {one.image_id for one in images}
    gone = [one for one in known if one.region == need.region and one.image_id not in there]
    other = sorted({one.region for one in known} - {need.region})
    stock = "machines boot from a stock image, which takes minutes longer"
    if gone:
        last = max(gone, key=lambda one: one.made_at)
        yield f"{need.region}: the prepared image {last.image_id} is gone; {stock}; a new one: {anew}"
    elif other:
        where = f"a prepared image is only in {', '.join(other)}, and images belong to one region"
        yield f"{need.region}: {where}; {stock}; one here: {anew}"


def _as_image(record: ImageRecord) -> OwnImage:
    """As if it were there."""
    described = {
        "ImageId": record.image_id,
        "Architecture": "arm64" if record.arch == "aarch64" else "x86_64",
        "State": "available",
        "Tags": [{"Key": key, "Value": value} for key, value in tags_of(record).items()],
    }
    made = own_image(described, record.region)
    assert made is not None  # its tags are there
    return made


def build_command(region: str, base: str, variant: str, driver: str, arch: str) -> str:
    """What makes an image of a kind, with no more words than need be."""
    words = ["fleet ami build", f"--region {region}"]
    words += [f"--base {base}"] if base != OLDER.get(driver, DEFAULT) else []
    words += [f"--variant gpu --driver {driver}"] if variant == "gpu" else []
    words += [f"--arch {arch}"] if arch != "x86_64" else []
    return " ".join(words)
