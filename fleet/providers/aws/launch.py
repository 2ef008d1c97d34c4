"""What a launch says to EC2: pure.

Several offers go into one ``CreateFleet`` of type instant: EC2 takes the one with the best price among those with capacity
to spare. It starts from the fleet's launch template, which holds what it cannot be told otherwise (network, instance
profile, IMDSv2, ending on shutdown). It cannot tag the spot request, which is one-time and found by its machine.

One offer leaves nothing to choose: ``RunInstances`` says everything itself, tags the spot request too, and answers with the
machine. It also serves, one offer after the other, where an account may not create fleets.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any, Literal

from fleet.model.base import Micros
from fleet.model.cloud import ExistingVolume, LaunchRequest, Market, NewVolume, Offer
from fleet.model.errors import ProviderError
from fleet.model.setup import AwsRegion, AwsSetup
from fleet.providers import asked
from fleet.providers.aws.errors import refusal
from fleet.providers.aws.images import Image
from fleet.providers.aws.mapping import REQUEST_TAG

DATA_DEVICE = "/dev/sdf"
"""The run's disk: on Nitro an NVMe device with the volume's id as its serial, on Xen /dev/xvdf."""
ROOT_GB = 100
MOST_USER_DATA = 16_384
"""EC2's limit."""


def check_request(request: LaunchRequest, setup: AwsSetup) -> AwsRegion:
    """Where it is to be launched. Raises ProviderError for what EC2 need not be asked."""
    wrong = asked.faults(request, "aws", setup.fleet_id)
    if wrong:
        raise refusal("InvalidParameterValue" if request.offers else "MissingParameter", wrong)
    first = request.offers[0]
    if first.region not in setup.regions:
        raise refusal("InvalidParameterValue", f"{first.region} is not set up: fleet init aws --region {first.region}")
    if len(asked.raw_user_data(request)) > MOST_USER_DATA:
        raise refusal("InvalidUserData.Malformed", f"user-data is limited to {MOST_USER_DATA} bytes")
    return setup.regions[first.region]


def wanted(request: LaunchRequest) -> tuple[Offer, ...]:
    """The offers that are asked for: those within the bid, and in the zone of the volume.

    EC2 judges the bid on spot by the price of the moment; on demand it takes no maximum, so that only fleet can.
    """
    volume, near = request.volume, asked.near(request)
    if isinstance(volume, ExistingVolume) and not near:
        raise refusal("InvalidVolume.ZoneMismatch", f"{volume.volume_id} is in {volume.zone}, no offer is")
    cheap = asked.within_bid(near, request)
    if not cheap:
        raise refusal("SpotMaxPriceTooLow", "every offer costs more than the bid")
    return cheap


def fleet_request(request: LaunchRequest, offers: Sequence[Offer], place: AwsRegion, image: Image) -> dict[str, Any]:
    """``CreateFleet``: one machine, now or not at all."""
    spot = offers[0].market is Market.SPOT
    template = {
        "LaunchTemplateId": place.launch_template,
        "Version": place.template_version,
        "LaunchTemplateSpecificationUserData": base64.b64encode(asked.raw_user_data(request)).decode("ascii"),
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
            _tagged("volume", asked.volume_tags(request.tags)),
        ],
    }


def instance_request(
    request: LaunchRequest, offer: Offer, setup: AwsSetup, image: Image, *, alone: bool = True
) -> dict[str, Any]:
    """``RunInstances`` of one offer. If it is not the only one, its token is its own: EC2 wants one for each wording."""
    place = setup.regions[offer.region]
    spot = offer.market is Market.SPOT
    tags = [_tagged("instance", _instance_tags(request)), _tagged("volume", asked.volume_tags(request.tags))]
    if spot:
        tags.append(_tagged("spot-instances-request", _instance_tags(request)))
    return {
        "ClientToken": request.token if alone else hashlib.sha256(f"{request.token}/{offer.key}".encode()).hexdigest(),
        "MinCount": 1,
        "MaxCount": 1,
        "ImageId": image.image_id,
        "InstanceType": offer.instance_type,
        "UserData": asked.raw_user_data(request),  # boto3 makes it text
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


def dollars(price: Micros) -> str:
    """A price per hour as EC2 writes it: ``0.526000``."""
    return f"{price // 1_000_000}.{price % 1_000_000:06d}"


def fleet_refusal(answer: dict[str, Any]) -> ProviderError:
    """Why an instant fleet came back empty.

    EC2 gives the same empty answer to the same token again, whatever the reason: what another cloud would have one repeat
    (an internal error, throttling) ends this try as well, as a lack of capacity.
    """
    found = [asked.ended_try(refusal(one.get("ErrorCode", "Unknown"), _where(one))) for one in answer.get("Errors", [])]
    return asked.most_hopeful(found or [refusal("UnfulfillableCapacity", "none of the offers can be had")])


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
    return {**request.tags, REQUEST_TAG: asked.digest(request)}


def _tagged(kind: Literal["fleet", "instance", "volume", "spot-instances-request"], tags: dict[str, str]) -> dict[str, Any]:
    return {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}
