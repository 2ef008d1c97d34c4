"""``fleet ami list``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleet.cli.output import emit
from fleet.cli.table import print_table
from fleet.cli.views import dollars
from fleet.control.home import open_home
from fleet.model.units import format_duration, format_money

if TYPE_CHECKING:
    from fleet.cli.objects import ImageObject
    from fleet.model.image import ImageRecord
    from fleet.providers.aws.own_images import OwnImage

HEAD = ("IMAGE", "REGION", "BASE", "VARIANT", "DRIVER", "ARCH", "AGE", "FLEET", "SIZE", "PER MONTH", "STATUS")
SPARE = ("FLEET", "SIZE", "ARCH")


def show(bucket: str | None, regions: Sequence[str], *, as_json: bool) -> int:
    """Every image, and what a launch makes of it."""
    from fleet.control.image_places import image_place
    from fleet.control.images import records
    from fleet.providers.aws import image_calls
    from fleet.providers.aws.image_left import left_over
    from fleet.providers.aws.own_images import newest_of_each

    place = image_place(open_home(), bucket, regions)
    found = [one for region in place.regions for one in image_calls.look(place.calls, region)]
    known = {one.image_id: one for one in records(place.objects)} if place.objects is not None else {}
    now = place.objects.now() if place.objects is not None else time.time()
    newest = set(newest_of_each(found, now).values())
    if as_json:
        emit([_object(one, known.get(one.image_id), now, newest=one.image_id in newest) for one in found])
        return 0
    there = {one.image_id for one in found}
    gone = [one for one in known.values() if one.image_id not in there and one.region in place.regions]
    if found:
        print_table([HEAD, *(_row(one, now, newest=one.image_id in newest) for one in found)], SPARE)
        print(f"\nTogether at most {format_money(sum(one.monthly for one in found))} a month. Fewer: fleet ami prune")
    else:
        print(f"No prepared images in {', '.join(place.regions)}: machines boot from stock ones. Make one: fleet ami build")
    for left in (one for region in place.regions for one in left_over(place.calls, region, now)):
        print(f"Left over: the {left.kind} {left.id} in {left.region}, {left.why}; `fleet ami prune` removes it.")
    for record in gone:
        print(f"Gone: {record.image_id} in {record.region}, made of {record.base}; `fleet ami prune` forgets it.")
    return 0


def status(one: OwnImage, now: float, *, newest: bool) -> str:
    """In words: ``taken``, ``taken, but old …``, or ``not taken: `` and why."""
    from fleet.providers.aws.own_images import is_old, why_useless

    useless = why_useless(one)
    if useless:
        return f"not taken: {useless}"
    if not newest:
        return "not taken: a newer one is there"
    return "taken, but old: build it anew" if is_old(one, now) else "taken"


def _row(one: OwnImage, now: float, *, newest: bool) -> tuple[str, ...]:
    size, age = f"{one.size_gb} GB", format_duration(max(0.0, now - one.made_at))
    what = (one.image_id, one.region, one.base or "-", one.variant or "-", one.driver or "-", one.arch, age)
    public = ", public" if one.public else ""
    return (*what, one.version or "-", size, format_money(one.monthly), status(one, now, newest=newest) + public)


def _object(one: OwnImage, record: ImageRecord | None, now: float, *, newest: bool) -> ImageObject:
    from fleet.providers.aws.own_images import is_old, why_useless

    return {
        "image": one.image_id,
        "region": one.region,
        "name": one.name,
        "base": one.base,
        "variant": one.variant,
        "driver": one.driver,
        "arch": one.arch,
        "recipe": one.recipe,
        "version": one.version,
        "source": one.source,
        "made_at": one.made_at,
        "state": one.state,
        "size_gb": one.size_gb,
        "usd_per_month": dollars(one.monthly),
        "encrypted": one.encrypted,
        "public": one.public,
        "fit": not why_useless(one),
        "taken": newest,
        "old": is_old(one, now),
        "told": status(one, now, newest=newest),
        "facts": dict(record.facts) if record is not None else None,
    }
