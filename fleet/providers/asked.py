"""What a launch asks of any cloud: pure, and the same for each."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable

from fleet.model.base import canonical_json
from fleet.model.cloud import ExistingVolume, LaunchRequest, Offer
from fleet.model.errors import ErrorClass, ProviderError

MOST_TOKEN = 64
TAGS = ("fleet", "run", "attempt", "try", "token")
"""Every machine has them, from the launching call on."""
VOLUME_TAGS = ("fleet", "run", "volume")
"""A volume outlives the attempt it was made for."""
_HOPE = (
    ErrorClass.CAPACITY,
    ErrorClass.PRICE,
    ErrorClass.QUOTA,
    ErrorClass.UNAVAILABLE,
    ErrorClass.UNKNOWN,
    ErrorClass.INVALID,
    ErrorClass.DENIED,
    ErrorClass.CREDENTIALS,
)
"""The most hopeful refusal is the one told."""


def faults(request: LaunchRequest, provider: str, fleet_id: str) -> str:
    """What no cloud need be asked about, in words; empty: nothing is wrong with it."""
    if not request.offers:
        return "the request names no offer"
    if len({(o.provider, o.region, o.market) for o in request.offers}) > 1 or request.offers[0].provider != provider:
        return "the offers are of several regions or markets, or of another cloud"
    if not request.token.isascii() or not 1 <= len(request.token) <= MOST_TOKEN:
        return f"a token has 1 to {MOST_TOKEN} ASCII characters"
    missing = [name for name in TAGS if not request.tags.get(name)]
    if missing or request.tags["fleet"] != fleet_id or request.tags["token"] != request.token:
        return f"the machine's tags do not say whose it is ({', '.join(missing) or 'wrong'})"
    return ""


def near(request: LaunchRequest) -> tuple[Offer, ...]:
    """The offers in the zone of the volume, if there is one."""
    volume = request.volume
    return tuple(o for o in request.offers if not isinstance(volume, ExistingVolume) or o.zone == volume.zone)


def within_bid(offers: Iterable[Offer], request: LaunchRequest) -> tuple[Offer, ...]:
    """Those that do not cost more than the bid."""
    return tuple(o for o in offers if request.max_price is None or o.price <= request.max_price)


def digest(request: LaunchRequest) -> str:
    """Names what was asked for: the same token with another request is found out by it, also after the machine's end."""
    said = request.model_dump(
        mode="json", include={"token", "max_price", "volume", "image_id", "disk_size_gb", "user_data", "tags"}
    )
    return hashlib.sha256(canonical_json([said, [offer.key for offer in request.offers]])).hexdigest()[:32]


def raw_user_data(request: LaunchRequest) -> bytes:
    """The bytes that the machine finds. Requests hold them as base64; what is none is taken as it stands."""
    try:
        return base64.b64decode(request.user_data, validate=True)
    except (binascii.Error, ValueError):
        return request.user_data.encode()


def volume_tags(tags: dict[str, str]) -> dict[str, str]:
    """Those of a machine's tags that its volume has too."""
    return {key: value for key, value in tags.items() if key in VOLUME_TAGS}


def most_hopeful(refusals: Iterable[ProviderError]) -> ProviderError:
    """Of the offers' refusals the one that says most of what another try may bring."""
    return min(refusals, key=lambda one: _HOPE.index(one.error_class) if one.error_class in _HOPE else len(_HOPE))


def ended_try(error: ProviderError) -> ProviderError:
    """A failure that the cloud gives again and again to the same token: what one would repeat elsewhere (an internal error,
    throttling) ends this try as well, as a lack of capacity."""
    if error.error_class not in (ErrorClass.TRANSIENT, ErrorClass.THROTTLED, ErrorClass.NOT_YET):
        return error
    return ProviderError(ErrorClass.CAPACITY, error.code, error.message, error.hint)
