"""A launch: found again by its token, or made.

EC2 keeps its word on tokens (``ClientToken``) for as long as it remembers them, and answers for what a launch became only
while it remembers the machine. So the machine is looked for first, by the token in its tags: a lost answer, another
controller, and a machine that has ended since are all found that way, at the price of one call that changes nothing.
What the look misses (tags show up a little late), the token catches: the same bytes are sent under it.

Each request that could make a machine is signed and sent only while the launch is in time: whatever came before it may have
taken an hour, if a lid was closed. One that sleeps on its way is EC2's to refuse (``RequestExpired``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from fleet.model.cloud import Instance, LaunchRequest, Market, NewVolume, Offer
from fleet.model.errors import ErrorClass, ProviderError, TooLateError
from fleet.model.setup import AwsRegion, AwsSetup
from fleet.providers import asked
from fleet.providers.aws import calls, launch, mapping
from fleet.providers.aws.errors import refusal
from fleet.providers.aws.images import GONE, Image, Images, needs_of
from fleet.providers.aws.vcpus import what_to_ask_for
from fleet.providers.aws.volumes import Volumes
from fleet.providers.base import InTime, always

NO_FLEETS = frozenset(
    {
        "UnauthorizedOperation",
        "AccessDenied",
        "AccessDeniedException",
        "MaxFleetCountExceeded",
        "UnsupportedOperation",
        "ParamValidationError",
    }
)
"""Codes by which ``CreateFleet`` cannot be had: a permission, a quota of zero (young accounts have it), or a boto3 that is
older than the user-data of fleets (2026)."""
NEXT = frozenset({ErrorClass.CAPACITY, ErrorClass.PRICE, ErrorClass.QUOTA, ErrorClass.UNAVAILABLE})
"""Refusals of one offer: the next may do."""
FORGOTTEN = 600.0
"""A fleet older than this whose machine EC2 does not know has had its day; a younger one is not visible yet."""


class Launcher:
    """Launches by one set-up."""

    def __init__(self, setup: AwsSetup, images: Images, volumes: Volumes) -> None:
        self._setup = setup
        self._images = images
        self._volumes = volumes
        self._reached: dict[str, int] = {}
        """How far a launch had come, offer by offer, when its answer was lost: by token."""

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Instance:
        """The machine of the request's token; see the contract."""
        setup = self._frozen(request)
        place = launch.check_request(request, setup)
        known = self._known(request, place.region)
        if known is None:
            try:
                known = self._made(request, setup, in_time)
            except ProviderError as error:
                if error.error_class is ErrorClass.QUOTA:
                    raise _told(error, request) from error
                if error.code in GONE and request.image_id:
                    self._images.is_gone(place.region, request.image_id)
                raise
        book = {offer.key: offer for offer in request.offers}
        return mapping.instance(self._whole(request, known), place.region, book)

    def _frozen(self, request: LaunchRequest) -> AwsSetup:
        """The set-up as the request was frozen with it; one that was frozen without is launched by today's."""
        if not request.setup:
            return self._setup
        try:
            return AwsSetup.model_validate_json(request.setup)
        except ValidationError:
            raise refusal("InvalidParameterValue", "the set-up in the request cannot be read") from None

    def _known(self, request: LaunchRequest, region: str) -> dict[str, Any] | None:
        """What the token became."""
        filters = calls.tagged(fleet=self._setup.fleet_id, token=request.token)
        found, _ = calls.instances(region, Filters=filters)
        if not found:
            return None
        first = min(found, key=lambda one: (mapping.moment(one["LaunchTime"]), one["InstanceId"]))
        if mapping.tag(first, mapping.REQUEST_TAG) not in (None, asked.digest(request)):
            raise refusal("IdempotentParameterMismatch", "this token was used for another request")
        return first

    def _made(self, request: LaunchRequest, setup: AwsSetup, in_time: InTime) -> dict[str, Any]:
        offers, region = launch.wanted(request), request.offers[0].region
        image = self._images.facts(region, request.image_id or self._images.target(offers, None).image_id)
        # One boot serves one architecture and one driver: those of the first, by which its user-data was written.
        first = needs_of(request.offers[0].instance_type, self._images.cache)
        needs = {offer.key: needs_of(offer.instance_type, self._images.cache) for offer in offers}
        fitting = [offer for offer in offers if needs[offer.key] == first and first[0] == image.arch]
        if not fitting:
            raise refusal("Unsupported", f"{image.image_id} is for {image.arch}: no machine that was offered is")
        try:
            if len(fitting) == 1:
                return self._one_by_one(request, fitting, image, setup, in_time)
            return self._fleet(request, fitting, image, setup, in_time)
        except ProviderError as error:
            if error.code != "IdempotentInstanceTerminated":
                raise
            known = self._known(request, region)
            if known is None:
                raise
            return known

    def _fleet(
        self, request: LaunchRequest, offers: Sequence[Offer], image: Image, setup: AwsSetup, in_time: InTime
    ) -> dict[str, Any]:
        """Let EC2 choose. Without the types that it says do not exist, if it says so: they would spoil the whole request."""
        place = setup.regions[offers[0].region]
        try:
            wanted = launch.fleet_request(request, offers, place, image)
            answer = _sent(request, in_time, place.region, "CreateFleet", wanted)
        except ProviderError as error:
            if error.code in NO_FLEETS:
                return self._one_by_one(request, offers, image, setup, in_time)
            unknown = {o.instance_type for o in offers if error.error_class is ErrorClass.UNAVAILABLE and _names(error, o)}
            rest = [offer for offer in offers if offer.instance_type not in unknown]
            if not unknown or not rest:
                raise
            return self._fleet(request, rest, image, setup, in_time)
        made = next((one for one in answer.get("Instances", []) if one.get("InstanceIds")), None)
        if made is None:
            raise launch.fleet_refusal(answer)
        instance_id = made["InstanceIds"][0]
        return calls.instance(place.region, instance_id) or self._unseen(request, place, answer, made)

    def _one_by_one(
        self, request: LaunchRequest, offers: Sequence[Offer], image: Image, setup: AwsSetup, in_time: InTime
    ) -> dict[str, Any]:
        """The first offer that can be had. An answer that was lost is asked for again before any other offer is."""
        alone, refusals = len(offers) == 1, []
        for index in range(self._reached.get(request.token, 0), len(offers)):
            wanted = launch.instance_request(request, offers[index], setup, image, alone=alone)
            self._reached[request.token] = index
            try:
                answer = _sent(request, in_time, offers[index].region, "RunInstances", wanted)
            except ProviderError as error:
                if error.error_class not in NEXT or error.code == "IdempotentInstanceTerminated":
                    raise
                refusals.append(error)
                continue
            self._reached.pop(request.token, None)
            made: dict[str, Any] = answer["Instances"][0]
            return made
        self._reached.pop(request.token, None)
        raise asked.most_hopeful(refusals)

    def _unseen(
        self, request: LaunchRequest, place: AwsRegion, answer: dict[str, Any], made: dict[str, Any]
    ) -> dict[str, Any]:
        """A machine that EC2 made, and does not know: not yet, or (the token was used long ago) not any more."""
        instance_id, now = made["InstanceIds"][0], calls.said_at(answer)
        found = calls.ec2(place.region, "DescribeFleets", FleetIds=[answer["FleetId"]]).get("Fleets", [])
        at = mapping.moment(found[0]["CreateTime"]) if found and "CreateTime" in found[0] else now
        if now - at > FORGOTTEN:
            raise refusal("IdempotentInstanceTerminated", f"{instance_id} was this token's machine, and ended long ago")
        override = made.get("LaunchTemplateAndOverrides", {}).get("Overrides", {})
        subnets = {subnet: zone for zone, subnet in place.subnets.items()}
        zone = made.get("AvailabilityZone") or override.get("AvailabilityZone") or subnets.get(override.get("SubnetId", ""))
        offers = [o for o in request.offers if o.instance_type == made.get("InstanceType") and zone in (None, o.zone)]
        offer = (offers or list(request.offers))[0]
        return {
            "InstanceId": instance_id,
            "InstanceType": offer.instance_type,
            "Placement": {"AvailabilityZone": offer.zone},
            "State": {"Name": "pending"},
            "LaunchTime": mapping.when(at),
            "Tags": [{"Key": key, "Value": value} for key, value in request.tags.items()],
            **({"InstanceLifecycle": "spot"} if offer.market is Market.SPOT else {}),
        }

    def _whole(self, request: LaunchRequest, made: dict[str, Any]) -> dict[str, Any]:
        """The machine with its new disk. EC2 makes both in one call; a look-alike that forgot the disk gets it made now.

        Only of a running machine is it certain that nothing is on its way to it.
        """
        volume, region = request.volume, request.offers[0].region
        if not isinstance(volume, NewVolume) or made["State"]["Name"] != "running":
            return made
        if any(one.get("DeviceName") == launch.DATA_DEVICE for one in made.get("BlockDeviceMappings", [])):
            return made
        instance_id, zone = made["InstanceId"], made["Placement"]["AvailabilityZone"]
        disk = self._volumes.create(
            region, zone, volume, f"{instance_id}{launch.DATA_DEVICE}", asked.volume_tags(request.tags)
        )
        self._volumes.attach(region, disk.volume_id, instance_id)
        return calls.instance(region, instance_id) or made


def _sent(request: LaunchRequest, in_time: InTime, region: str, operation: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """What EC2 answers to a request that may make a machine. Raises ProviderError."""
    if not in_time():
        raise TooLateError(f"the launch of run {request.run_id} #{request.attempt}")
    return calls.ec2(region, operation, **wanted)


def _told(error: ProviderError, request: LaunchRequest) -> ProviderError:
    """A quota's refusal says in the message itself what to ask for: that is what the journal keeps."""
    first = request.offers[0]
    advice = what_to_ask_for(first.region, first.instance_type, first.market)
    return ProviderError(error.error_class, error.code, f"{error.message}; {advice}", error.hint)


def _names(error: ProviderError, offer: Offer) -> bool:
    return offer.instance_type in error.message
