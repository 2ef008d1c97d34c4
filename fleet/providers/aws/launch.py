"""What a launch says to EC2: pure.

Several offers go into one ``CreateFleet`` of type instant: EC2 takes the one with the best price among those with capacity
to spare. It starts from the fleet's launch template, which holds what it cannot be told otherwise (network, instance
profile, IMDSv2, ending on shutdown). It cannot tag the spot request, which is one-time and found by its machine.

One offer leaves nothing to choose: ``RunInstances`` says everything itself, tags the spot request too, and answers with the
machine. It also serves, one offer after the other, where an account may not create fleets.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from fleet.model.base import Micros, canonical_json
from fleet.model.cloud import ExistingVolume, LaunchRequest, Market, NewVolume, Offer
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.setup import AwsRegion, AwsSetup
from fleet.providers.aws.errors import refusal
from fleet.providers.aws.images import Image
from fleet.providers.aws.mapping import REQUEST_TAG

DATA_DEVICE = "/dev/sdf"
"""The run's disk: on Nitro an NVMe device with the volume's id as its serial, on Xen /dev/xvdf."""
ROOT_GB = 100
MOST_TOKEN = 64
MOST_USER_DATA = 16_384
"""EC2's limits."""
TAGS = ("fleet", "run", "attempt", "try", "token")
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


def check_request(request: LaunchRequest, setup: AwsSetup) -> AwsRegion:
    """Where it is to be launched. Raises ProviderError for what EC2 need not be asked."""
    if not request.offers:
        raise refusal("MissingParameter", "the request names no offer")
    first = request.offers[0]
    if len({(o.provider, o.region, o.market) for o in request.offers}) > 1 or first.provider != "aws":
        raise refusal("InvalidParameterValue", "the offers are of several regions or markets, or of another cloud")
    if first.region not in setup.regions:
        raise refusal("InvalidParameterValue", f"{first.region} is not set up: fleet init aws --region {first.region}")
    if not request.token.isascii() or not 1 <= len(request.token) <= MOST_TOKEN:
        raise refusal("InvalidParameterValue", f"a token has 1 to {MOST_TOKEN} ASCII characters")
    if len(raw_user_data(request)) > MOST_USER_DATA:
        raise refusal("InvalidUserData.Malformed", f"user-data is limited to {MOST_USER_DATA} bytes")
    missing = [name for name in TAGS if not request.tags.get(name)]
    if missing or request.tags["fleet"] != setup.fleet_id or request.tags["token"] != request.token:
        raise refusal(
            "InvalidParameterValue", f"the machine's tags do not say whose it is ({', '.join(missing) or 'wrong'})"
        )
    return setup.regions[first.region]


def wanted(request: LaunchRequest) -> tuple[Offer, ...]:
    """The offers that are asked for: those within the bid, and in the zone of the volume.

    EC2 judges the bid on spot by the price of the moment; on demand it takes no maximum, so that only fleet can.
    """
    volume, bid = request.volume, request.max_price
    near = [o for o in request.offers if not isinstance(volume, ExistingVolume) or o.zone == volume.zone]
    if isinstance(volume, ExistingVolume) and not near:
        raise refusal("InvalidVolume.ZoneMismatch", f"{volume.volume_id} is in {volume.zone}, no offer is")
    cheap = tuple(o for o in near if bid is None or o.price <= bid)
    if not cheap:
        raise refusal("SpotMaxPriceTooLow", "every offer costs more than the bid")
    return cheap


def digest(request: LaunchRequest) -> str:
    """Names what was asked for: the same token with another request is found out by it, also after the machine's end."""
    said = request.model_dump(
        mode="json", include={"token", "max_price", "volume", "image_id", "disk_size_gb", "user_data", "tags"}
    )
    return hashlib.sha256(canonical_json([said, [offer.key for offer in request.offers]])).hexdigest()[:32]


def fleet_request(request: LaunchRequest, offers: Sequence[Offer], place: AwsRegion, image: Image) -> dict[str, Any]:
    """``CreateFleet``: one machine, now or not at all."""
    spot = offers[0].market is Market.SPOT
    template = {
        "LaunchTemplateId": place.launch_template,
        "Version": place.template_version,
        "LaunchTemplateSpecificationUserData": base64.b64encode(raw_user_data(request)).decode("ascii"),
    }
    overrides = [_override(request, offer, order, place, image) for order, offer in enumerate(offers)]
    return {
        "Type": "instant",
        "ClientToken": request.token,
        "TargetCapacitySpecification": {
            "TotalTargetCapacity": 1,
            "DefaultTargetCapacityType": "spot" if spot else "on-demand",
        },
        **(
            {"SpotOptions": {"AllocationStrategy": "price-capacity-optimized", "InstanceInterruptionBehavior": "terminate"}}
            if spot
            else {"OnDemandOptions": {"AllocationStrategy": "prioritized"}}
        ),
        "LaunchTemplateConfigs": [{"LaunchTemplateSpecification": template, "Overrides": overrides}],
        "TagSpecifications": [
            _tagged("fleet", {"fleet": request.fleet_id}),
            _tagged("instance", _instance_tags(request)),
            _tagged("volume", volume_tags(request.tags)),
        ],
    }


def instance_request(
    request: LaunchRequest, offer: Offer, setup: AwsSetup, image: Image, *, alone: bool = True
) -> dict[str, Any]:
    """``RunInstances`` of one offer. If it is not the only one, its token is its own: EC2 wants one for each wording."""
    place = setup.regions[offer.region]
    spot = offer.market is Market.SPOT
    tags = [_tagged("instance", _instance_tags(request)), _tagged("volume", volume_tags(request.tags))]
    if spot:
        tags.append(_tagged("spot-instances-request", _instance_tags(request)))
    return {
        "ClientToken": request.token if alone else hashlib.sha256(f"{request.token}/{offer.key}".encode()).hexdigest(),
        "MinCount": 1,
        "MaxCount": 1,
        "ImageId": image.image_id,
        "InstanceType": offer.instance_type,
        "UserData": raw_user_data(request),  # boto3 makes it text
        "BlockDeviceMappings": disks(request, image),
        "IamInstanceProfile": {"Name": setup.instance_profile},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        **({"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": _spot(request, offer)}} if spot else {}),
        **({"KeyName": place.key_name} if place.key_name is not None else {}),
        **_network(offer, place, public_ip=setup.public_ip),
        "TagSpecifications": tags,
    }


def disks(request: LaunchRequest, image: Image) -> list[dict[str, Any]]:
    """The root disk, which ends with the machine, and the run's new disk, which does not."""
    asked = request.disk_size_gb if request.disk_size_gb is not None else ROOT_GB
    found = [_disk(image.root_device, max(asked, image.disk_gb), kept=False)]
    if isinstance(request.volume, NewVolume):
        found.append(_disk(DATA_DEVICE, request.volume.size_gb, kept=True))
    return found


def raw_user_data(request: LaunchRequest) -> bytes:
    """The bytes that the machine finds. Requests hold them as base64; what is none is taken as it stands."""
    try:
        return base64.b64decode(request.user_data, validate=True)
    except (binascii.Error, ValueError):
        return request.user_data.encode()


def volume_tags(tags: dict[str, str]) -> dict[str, str]:
    """Those of a machine's tags that its volume has too."""
    return {key: value for key, value in tags.items() if key in VOLUME_TAGS}


def dollars(price: Micros) -> str:
    """A price per hour as EC2 writes it: ``0.526000``."""
    return f"{price // 1_000_000}.{price % 1_000_000:06d}"


def most_hopeful(refusals: Iterable[ProviderError]) -> ProviderError:
    """Of the offers' refusals the one that says most of what another try may bring."""
    return min(refusals, key=lambda one: _HOPE.index(one.error_class) if one.error_class in _HOPE else len(_HOPE))


def fleet_refusal(answer: dict[str, Any]) -> ProviderError:
    """Why an instant fleet came back empty.

    EC2 gives the same empty answer to the same token again, whatever the reason: what another cloud would have one repeat
    (an internal error, throttling) ends this try as well, as a lack of capacity.
    """
    found = [_ended_try(refusal(one.get("ErrorCode", "Unknown"), _where(one))) for one in answer.get("Errors", [])]
    return most_hopeful(found or [refusal("UnfulfillableCapacity", "none of the offers can be had")])


def _ended_try(error: ProviderError) -> ProviderError:
    if error.error_class not in (ErrorClass.TRANSIENT, ErrorClass.THROTTLED, ErrorClass.NOT_YET):
        return error
    return ProviderError(ErrorClass.CAPACITY, error.code, error.message, error.hint)


def _where(error: dict[str, Any]) -> str:
    override = error.get("LaunchTemplateAndOverrides", {}).get("Overrides", {})
    place = override.get("AvailabilityZone") or override.get("SubnetId") or "?"
    return f"{override.get('InstanceType', '?')} in {place}: {error.get('ErrorMessage', '')}"


def _override(request: LaunchRequest, offer: Offer, order: int, place: AwsRegion, image: Image) -> dict[str, Any]:
    subnet = place.subnets.get(offer.zone)
    spot = offer.market is Market.SPOT
    return {
        "InstanceType": offer.instance_type,
        **({"SubnetId": subnet} if subnet is not None else {"AvailabilityZone": offer.zone}),
        **({"MaxPrice": _spot(request, offer)["MaxPrice"]} if spot else {"Priority": float(order)}),
        "ImageId": image.image_id,
        "BlockDeviceMappings": disks(request, image),
    }


def _spot(request: LaunchRequest, offer: Offer) -> dict[str, Any]:
    """One-time: a persistent request would launch again, by itself and untagged."""
    bid = request.max_price if request.max_price is not None else max(offer.on_demand_price, offer.price)
    return {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate", "MaxPrice": dollars(bid)}


def _network(offer: Offer, place: AwsRegion, *, public_ip: bool) -> dict[str, Any]:
    subnet = place.subnets.get(offer.zone)
    if subnet is None:
        return {"Placement": {"AvailabilityZone": offer.zone}, "SecurityGroupIds": [place.security_group]}
    card = {"DeviceIndex": 0, "SubnetId": subnet, "AssociatePublicIpAddress": public_ip, "Groups": [place.security_group]}
    return {"NetworkInterfaces": [{**card, "DeleteOnTermination": True}]}


def _disk(device: str, size: int, *, kept: bool) -> dict[str, Any]:
    disk = {"VolumeSize": size, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": not kept}
    return {"DeviceName": device, "Ebs": disk}


def _instance_tags(request: LaunchRequest) -> dict[str, str]:
    return {**request.tags, REQUEST_TAG: digest(request)}


def _tagged(kind: Literal["fleet", "instance", "volume", "spot-instances-request"], tags: dict[str, str]) -> dict[str, Any]:
    return {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}
