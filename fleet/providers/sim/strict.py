"""What a launch may be refused for, in the order in which EC2 looks."""

from __future__ import annotations

from fleet.model.cloud import InstanceState, LaunchRequest, Market, NewVolume, Offer
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.sim.cloud import SimCloud
from fleet.providers.sim.errors import refusal

MOST_TOKEN = 64
MOST_USER_DATA = 16_384
"""EC2's limits."""
TAGS = ("fleet", "run", "attempt", "try", "token")
LIVE = (InstanceState.PENDING, InstanceState.RUNNING)
_HOPE = (ErrorClass.CAPACITY, ErrorClass.PRICE, ErrorClass.INVALID, ErrorClass.UNAVAILABLE)
"""The most hopeful refusal is the one told."""


def check_request(request: LaunchRequest, fleet_id: str, provider: str) -> str:
    """The request's region. Raises ProviderError for what no cloud would take."""
    if not request.offers:
        raise refusal("MissingParameter", "the request names no offer")
    places = {(o.provider, o.region, o.market) for o in request.offers}
    if len(places) > 1 or request.offers[0].provider != provider:
        raise refusal("InvalidParameterValue", "the offers are of several regions or markets, or of another cloud")
    if not request.token.isascii() or not 1 <= len(request.token) <= MOST_TOKEN:
        raise refusal("InvalidParameterValue", f"a token has 1 to {MOST_TOKEN} ASCII characters")
    if len(request.user_data.encode()) > MOST_USER_DATA:
        raise refusal("InvalidUserData.Malformed", f"user-data is limited to {MOST_USER_DATA} bytes")
    missing = [tag for tag in TAGS if not request.tags.get(tag)]
    if missing or request.tags["fleet"] != fleet_id or request.tags["token"] != request.token:
        told = ", ".join(missing) or "wrong"
        raise refusal("UnauthorizedOperation", f"the policy wants every machine tagged ({told})")
    return request.offers[0].region


def choose(cloud: SimCloud, request: LaunchRequest) -> Offer:
    """The first offer that can be had. Raises ProviderError, the most hopeful of the refusals."""
    region, market = request.offers[0].region, request.offers[0].market
    _check_quota(cloud, region, market)
    priced = {offer.key: offer for offer in cloud.offers(region)}
    refusals = []
    for wanted in request.offers:
        offer = priced.get(wanted.key)
        error = _refused(cloud, offer, request) if offer else refusal("Unsupported", f"{wanted.key} is not offered")
        if offer is not None and error is None:
            return offer
        if error is not None:
            refusals.append(error)
    raise min(refusals, key=lambda one: _HOPE.index(one.error_class))


def _refused(cloud: SimCloud, offer: Offer, request: LaunchRequest) -> ProviderError | None:
    now, market, volume = cloud.clock(), cloud.market, request.volume
    if volume is not None and not isinstance(volume, NewVolume) and volume.zone != offer.zone:
        return refusal("InvalidVolume.ZoneMismatch", f"{volume.volume_id} is in {volume.zone}")
    spot = offer.market is Market.SPOT
    if spot and request.max_price is not None and offer.price > request.max_price:
        return refusal("SpotMaxPriceTooLow", f"{offer.key} costs more than the bid")
    no_spot = spot and not market.has_spot(offer.zone, offer.instance_type, now)
    if no_spot or market.zone_is_out(offer.zone, now):
        return refusal("InsufficientInstanceCapacity", f"no capacity for {offer.key}")
    return None


def _check_quota(cloud: SimCloud, region: str, market: Market) -> None:
    now, manners = cloud.clock(), cloud.manners
    alive = [i for i in cloud.listed.values() if i.offer.region == region and i.state.at(now) in LIVE]
    used = sum(1 for i in alive if i.offer.market is market)
    if market is Market.SPOT and used >= manners.spot_quota:
        raise refusal("MaxSpotInstanceCountExceeded", f"{used} spot instances run in {region}")
    if market is Market.ON_DEMAND and used >= manners.on_demand_quota:
        raise refusal("VcpuLimitExceeded", f"{used} instances run in {region}")
