"""How often EC2 takes machines of a type back: the Spot Instance Advisor's bands.

The advisor is a public file without a promise: one JSON document over all regions, renewed every few hours. What is kept of
it are the Linux figures. Its band is the share of a type's machines that were interrupted in the last month, over the
whole region, whatever their price: a hint, no forecast.

``FLEET_SPOT_ADVISOR_URL`` names another address of the file, or ``off``. With a custom endpoint (``AWS_ENDPOINT_URL``)
nothing is fetched unless that variable says from where: Amazon's figures say nothing of another cloud.
"""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path
from typing import Any

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.pricecache import endpoint
from fleet.providers.pricecache import PriceCache
from fleet.providers.priced import Band

URL = "https://spot-bid-advisor.s3.amazonaws.com/spot-advisor-data.json"
SECONDS = 10.0
MOST_BYTES = 32_000_000
USUAL_LABELS = ["<5%", "5-10%", "10-15%", "15-20%", ">20%"]


class Bands:
    """The advisor's word on every type, as far as it is known."""

    def __init__(self, data: Any) -> None:
        self._labels: list[str] = data["labels"]
        self._regions: dict[str, dict[str, list[int]]] = data["regions"]

    def of(self, region: str, instance_type: str) -> Band | None:
        """None: it says nothing of this one."""
        found = self._regions.get(region, {}).get(instance_type)
        if found is None or not 0 <= found[0] < len(self._labels):
            return None
        return Band(self._labels[found[0]], found[0], found[1])


def known_bands(cache: Path) -> tuple[Bands | None, float | None]:
    """What is kept, and of when it is; no call is made."""
    part = PriceCache(cache).read("bands")
    try:
        return (Bands(part.data), part.at) if part is not None else (None, None)
    except (KeyError, TypeError):
        return None, None


def refresh_bands(cache: Path, now: float, *, force: bool = False) -> str:
    """Fetch the advisor's file if the one that is kept is old. Returns why it could not be had; empty: all is well.

    A failure is remembered for an hour: a network that does not let it through must not make every command slow.
    """
    kept = PriceCache(cache)
    part, failed = kept.read("bands"), kept.read("bands-failed")
    if not force and part is not None and part.fresh("bands", now):
        return ""
    if not force and failed is not None and failed.fresh("bands-failed", now):
        return str(failed.data)
    url = address()
    if url is None:
        return "not asked for: FLEET_SPOT_ADVISOR_URL says off, or AWS_ENDPOINT_URL leads to another cloud"
    try:
        kept.write("bands", shrunk(_fetched(url)), now)
    except ProviderError as error:
        kept.write("bands-failed", error.message, now)
        return error.message
    return ""


def address() -> str | None:
    """Where the file is fetched from; None: nowhere."""
    given = os.environ.get("FLEET_SPOT_ADVISOR_URL", "")
    if given:
        return None if given == "off" else given
    return None if endpoint() else URL


def _fetched(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            data: bytes = answer.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise ProviderError(
            ErrorClass.TRANSIENT, "SpotAdvisor", f"the Spot Instance Advisor's file could not be fetched: {reason}"
        ) from None
    if len(data) > MOST_BYTES:
        raise ProviderError(ErrorClass.UNKNOWN, "SpotAdvisor", "the Spot Instance Advisor's file is not what it was")
    return data


def shrunk(document: bytes) -> dict[str, Any]:
    """What is kept of the advisor's file: ``ranges`` by their labels, and ``r`` (band) and ``s`` (saving) of Linux types.

    Raises ProviderError if it is not such a file.
    """
    try:
        found = json.loads(document)
        labels = {int(one["index"]): str(one["label"]) for one in found.get("ranges", [])}
        regions = {
            region: {name: [int(one["r"]), int(one["s"])] for name, one in systems.get("Linux", {}).items()}
            for region, systems in found["spot_advisor"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ProviderError(
            ErrorClass.UNKNOWN, "SpotAdvisor", "the Spot Instance Advisor's file has another form than fleet knows"
        ) from None
    ordered = [labels[index] for index in sorted(labels)] if sorted(labels) == list(range(len(labels))) else []
    return {"labels": ordered or USUAL_LABELS, "regions": regions}
