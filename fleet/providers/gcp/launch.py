"""What a launch says to Compute Engine: pure.

One ``instances.insert`` makes the machine with its boot disk and, if the run has none yet, the run's new disk, all labelled
at once. Everything in it follows from the request alone, so that a repetition says the same under the same requestId.
"""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from fleet.model.base import Seconds
from fleet.model.cloud import ExistingVolume, LaunchRequest, Market, NewVolume, Offer
from fleet.model.setup import GcpRegion, GcpSetup
from fleet.providers import asked
from fleet.providers.gcp import names, shapes
from fleet.providers.gcp.errors import refusal
from fleet.providers.gcp.mapping import PROVIDER, when
from fleet.providers.gcp.session import SCOPE

BOOT_GB = 100
MOST_USER_DATA = 262_144
"""Compute Engine's limit of one metadata value, in bytes; it holds the user-data as base64."""
MARGIN: Seconds = 300
"""The cloud deletes a machine so long after its last possible lease, should nothing on it have powered it off by then."""
LONGEST: Seconds = 120 * 86_400
"""No time limit may be further away (https://cloud.google.com/compute/docs/instances/limit-vm-runtime); a lease that is
ends sooner by this one."""
ROUNDED: Seconds = 3_600
"""Slack of that limit: the cloud's clock may differ, and so may the time at which the request arrives."""


def check_request(request: LaunchRequest, setup: GcpSetup) -> GcpRegion:
    """Where it is to be launched. Raises ProviderError for what the cloud need not be asked."""
    wrong = asked.faults(request, PROVIDER, setup.fleet_id)
    if wrong:
        raise refusal("invalidArgument", wrong)
    region = request.offers[0].region
    if region not in setup.regions:
        raise refusal("invalidArgument", f"{region} is not set up: fleet init gcp --region {region}")
    if len(_user_data(request)) > MOST_USER_DATA:
        raise refusal("invalidArgument", f"user-data is limited to {MOST_USER_DATA} bytes, as base64")
    return setup.regions[region]


def wanted(request: LaunchRequest) -> tuple[Offer, ...]:
    """The offers that are asked for: those within the bid, and in the zone of the volume. Spot machines are sold at one
    price: only fleet can judge a bid."""
    volume, near = request.volume, asked.near(request)
    if isinstance(volume, ExistingVolume) and not near:
        raise refusal("invalidArgument", f"{volume.volume_id} is in {volume.zone}, no offer is")
    cheap = asked.within_bid(near, request)
    if not cheap:
        raise refusal("bidTooLow", "every offer costs more than the bid")
    return cheap


def alike(request: LaunchRequest, offers: tuple[Offer, ...]) -> tuple[Offer, ...]:
    """Those that boot as the request's first does: its user-data was written for one architecture, and a GPU or none."""
    first = _boots(request.offers[0])
    return tuple(offer for offer in offers if _boots(offer) == first)


def _boots(offer: Offer) -> tuple[str, bool]:
    return shapes.architecture(offer.instance_type), shapes.has_gpus(offer.instance_type)


def machine_name(request: LaunchRequest) -> str:
    """What the request's machine is called, in whatever zone."""
    return names.machine_name(names.label(request.run_name), request.attempt, request.token)


def new_disk_name(request: LaunchRequest) -> str:
    """What the request's new volume is called."""
    return names.disk_name(names.label(request.run_name), request.token)


def request_id(request: LaunchRequest, offer: Offer) -> str:
    """The requestId of asking for one offer: the same call gives the same operation, also one that failed."""
    return names.request_id(request.token, offer.zone, offer.instance_type)


class Boots(NamedTuple):
    """What a machine boots from."""

    image: str
    """``projects/P/global/images/NAME``."""
    least_gb: int
    """What its disk has at least."""


def machine(request: LaunchRequest, offer: Offer, setup: GcpSetup, image: Boots, now: Seconds) -> dict[str, Any]:
    """``instances.insert`` of one offer. ``now`` decides only whether a lease is further away than any limit may be."""
    machine_type, accelerator, count = shapes.parts(offer.instance_type)
    place = f"projects/{setup.project}/zones/{offer.zone}"
    put_in = {"acceleratorType": f"{place}/acceleratorTypes/{accelerator}", "acceleratorCount": count}
    body: dict[str, Any] = {
        "name": machine_name(request),
        "description": names.described(request.tags),
        "machineType": f"{place}/machineTypes/{machine_type}",
        "labels": {**names.labels(request.tags), names.REQUEST_LABEL: asked.digest(request)},
        "tags": {"items": [names.network_tag(setup.fleet_id)]},
        "scheduling": scheduling(request, offer, now),
        "disks": disks(request, offer, setup, image),
        "networkInterfaces": [_network(offer, setup)],
        "serviceAccounts": [{"email": setup.service_account, "scopes": [SCOPE]}],
        "metadata": {"items": [{"key": key, "value": value} for key, value in metadata(request, setup).items()]},
        "canIpForward": False,
        "deletionProtection": False,
    }
    if accelerator is not None:
        body["guestAccelerators"] = [put_in]
    if shapes.architecture(offer.instance_type) == "x86_64":
        body["shieldedInstanceConfig"] = shielded(offer)
    return body


def shielded(offer: Offer) -> dict[str, bool]:
    """Secure boot loads no kernel module that nobody known to the firmware signed, and NVIDIA's is compiled on the machine:
    with a GPU it is off."""
    return {
        "enableSecureBoot": not shapes.has_gpus(offer.instance_type),
        "enableVtpm": True,
        "enableIntegrityMonitoring": True,
    }


def scheduling(request: LaunchRequest, offer: Offer, now: Seconds) -> dict[str, Any]:
    """Whether the cloud may take it back, that it is gone then, and when it is gone at last."""
    spot = offer.market is Market.SPOT
    migrates = not spot and shapes.migrates(offer.instance_type)
    found: dict[str, Any] = {
        "provisioningModel": "SPOT" if spot else "STANDARD",
        "automaticRestart": False,
        "onHostMaintenance": "MIGRATE" if migrates else "TERMINATE",
    }
    ends_by = request.ends_by if request.ends_by is not None else request.lease_until
    if ends_by is not None and ends_by + MARGIN - now < LONGEST - ROUNDED:
        found["terminationTime"] = when(ends_by + MARGIN)
    elif ends_by is not None:
        found["maxRunDuration"] = {"seconds": str(int(LONGEST))}
    if spot or ends_by is not None:
        found["instanceTerminationAction"] = "DELETE"
    return found


def disks(request: LaunchRequest, offer: Offer, setup: GcpSetup, image: Boots) -> list[dict[str, Any]]:
    """The boot disk, which ends with the machine, and the run's new disk, which does not."""
    size = max(image.least_gb, request.disk_size_gb if request.disk_size_gb is not None else BOOT_GB)
    labels = names.labels(request.tags)
    boot = _disk(setup, offer, machine_name(request), size, labels)
    boot["initializeParams"]["sourceImage"] = image.image
    found = [{**boot, "boot": True, "autoDelete": True}]
    if isinstance(request.volume, NewVolume):
        tags = asked.volume_tags(request.tags)
        marked = {**names.labels(tags), names.TOKEN_LABEL: names.digest(request.token)}
        disk = _disk(setup, offer, new_disk_name(request), request.volume.size_gb, marked)
        disk["initializeParams"]["description"] = names.described(tags)
        found.append({**disk, "deviceName": new_disk_name(request), "boot": False, "autoDelete": False})
    return found


def _disk(setup: GcpSetup, offer: Offer, name: str, size: int, labels: dict[str, str]) -> dict[str, Any]:
    kind = shapes.disk_type(offer.instance_type)
    return {
        "type": "PERSISTENT",
        "mode": "READ_WRITE",
        "initializeParams": {
            "diskName": name,
            "diskSizeGb": str(max(size, shapes.LEAST_GB)),
            "diskType": f"projects/{setup.project}/zones/{offer.zone}/diskTypes/{kind}",
            "labels": labels,
        },
    }


def _network(offer: Offer, setup: GcpSetup) -> dict[str, Any]:
    subnetwork = setup.regions[offer.region].subnetwork
    found: dict[str, Any] = {"subnetwork": f"projects/{setup.project}/regions/{offer.region}/subnetworks/{subnetwork}"}
    if setup.public_ip:
        found["accessConfigs"] = [{"name": "External NAT", "type": "ONE_TO_ONE_NAT"}]
    return found


def metadata(request: LaunchRequest, setup: GcpSetup) -> dict[str, str]:
    """What the machine finds at its metadata server. Logging in is by the fleet's own key, and nobody else's."""
    found = {
        "user-data": _user_data(request).decode("ascii"),
        "user-data-encoding": "base64",
        "enable-oslogin": "FALSE",
        "block-project-ssh-keys": "TRUE",
        "enable-guest-attributes": "TRUE",  # the machine's host keys are told by them
        "serial-port-enable": "FALSE",  # no way in by the console; what it prints can be read all the same
    }
    if setup.ssh_key:
        found["ssh-keys"] = f"{setup.ssh_user}:{setup.ssh_key}"
    return found


def _user_data(request: LaunchRequest) -> bytes:
    return base64.b64encode(asked.raw_user_data(request))
