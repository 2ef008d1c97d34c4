"""Whether an instance may be made as asked, and its JSON: what Compute Engine refuses at once, before any operation."""

from __future__ import annotations

import re
from typing import Any

from tests.gce.clock import rfc3339, seconds_of
from tests.gce.compute_data import MACHINE_TYPES, Shape
from tests.gce.compute_disks import MOST_ATTACHED
from tests.gce.compute_stock import Stock
from tests.gce.compute_world import World
from tests.gce.wire import Json, Refused

LONGEST = 120 * 86400
"""maxRunDuration: between 30 seconds and 120 days."""
_AS_GIVEN = (
    "instanceTerminationAction",
    "maxRunDuration",
    "terminationTime",
    "hostErrorTimeoutSeconds",
    "onInstanceStopAction",
)
ONLY_HYPERDISK = ("n4-", "c4-", "c4a-", "a4-")
NO_HYPERDISK = ("n1-", "e2-", "t2d-", "t2a-", "a2-", "g2-")


def invalid(field: str, value: Any, why: str) -> Refused:
    """Compute Engine's word for what cannot be."""
    return Refused(400, "invalid", f"Invalid value for field '{field}': '{value}'. {why}")


class Checked:
    """One request for an instance, looked through."""

    def __init__(self, world: World, stock: Stock, zone: str, wanted: Json) -> None:
        self.world, self.stock, self.zone, self.wanted = world, stock, zone, wanted
        self.kind = self._machine_type()
        self.shape: Shape = MACHINE_TYPES[self.kind]
        self.accelerators = self._accelerators()
        self.scheduling = self._scheduling()
        self._labels()
        self._metadata()
        self._disks()
        self.nics = [self._nic(index, each) for index, each in enumerate(wanted.get("networkInterfaces", []))]
        if not self.nics:
            raise invalid("resource.networkInterfaces", "", "At least one network interface is required.")

    @property
    def spot(self) -> bool:
        return bool(self.scheduling["provisioningModel"] == "SPOT")

    def _machine_type(self) -> str:
        given = str(self.wanted.get("machineType", ""))
        name, zone = given.rpartition("/")[2], (re.findall(r"zones/([^/]+)/", given) or [self.zone])[0]
        if zone != self.zone or name not in self.stock.machine_types(self.zone):
            why = f"Machine type with name '{name}' does not exist in zone '{zone}'."
            raise invalid("resource.machineType", given, why)
        return name

    def _accelerators(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for index, each in enumerate(self.wanted.get("guestAccelerators", [])):
            kind = str(each.get("acceleratorType", "")).rpartition("/")[2]
            if kind not in self.stock.accelerator_types(self.zone):
                short = self.world.short("acceleratorTypes", self.zone, kind)
                raise Refused(404, "notFound", f"The resource '{short}' was not found")
            if not self.kind.startswith("n1-"):
                why = f"Accelerators of type {kind} cannot be attached to machine type {self.kind}."
                raise invalid(f"resource.guestAccelerators[{index}].acceleratorType", kind, why)
            found[kind] = int(each.get("acceleratorCount", 0))
        if self.shape.accelerator:
            found[self.shape.accelerator] = self.shape.accelerators
        return found

    def _scheduling(self) -> Json:
        given = dict(self.wanted.get("scheduling", {}))
        spot = given.get("provisioningModel") == "SPOT" or bool(given.get("preemptible"))
        if spot and given.get("automaticRestart"):
            raise invalid(
                "resource.scheduling.automaticRestart", "true", "A preemptible instance must not restart automatically."
            )
        moves = "TERMINATE" if spot or self.accelerators else "MIGRATE"
        if given.get("onHostMaintenance", moves) == "MIGRATE" and moves == "TERMINATE":
            if spot:
                raise invalid(
                    "resource.scheduling.onHostMaintenance",
                    "MIGRATE",
                    "Preemptible instances do not support live migration.",
                )
            raise Refused(400, "badRequest", "Instances with guest accelerators do not support live migration.")
        limited = "maxRunDuration" in given or "terminationTime" in given
        if "instanceTerminationAction" in given and not (spot or limited):
            why = "It may be set only for Spot instances and for instances with a limited run time."
            raise invalid("resource.scheduling.instanceTerminationAction", given["instanceTerminationAction"], why)
        if limited and "instanceTerminationAction" not in given:
            why = "It must be set for instances with a limited run time."
            raise invalid("resource.scheduling.instanceTerminationAction", "", why)
        if "maxRunDuration" in given and "terminationTime" in given:
            why = "maxRunDuration and terminationTime cannot both be set."
            raise invalid("resource.scheduling", "", why)
        self._until(given)
        made = {
            "onHostMaintenance": given.get("onHostMaintenance", moves),
            "automaticRestart": given.get("automaticRestart", not spot),
            "preemptible": spot,
            "provisioningModel": "SPOT" if spot else "STANDARD",
        }
        if spot:
            made["instanceTerminationAction"] = "STOP"
        extra = (
            "instanceTerminationAction",
            "maxRunDuration",
            "terminationTime",
            "hostErrorTimeoutSeconds",
            "onInstanceStopAction",
        )
        return {**made, **{name: given[name] for name in extra if name in given}}

    def _until(self, given: Json) -> None:
        if "maxRunDuration" in given:
            seconds = int(given["maxRunDuration"].get("seconds", 0))
            if not 30 <= seconds <= LONGEST:
                why = "The value must be between 30 seconds and 120 days."
                raise invalid("resource.scheduling.maxRunDuration", seconds, why)
        if "terminationTime" in given:
            try:
                until = seconds_of(given["terminationTime"])
            except ValueError:
                raise invalid(
                    "resource.scheduling.terminationTime", given["terminationTime"], "It is no RFC 3339 time."
                ) from None
            if not 30 <= until - self.world.now() <= LONGEST:
                why = f"It must be between 30 seconds and 120 days after {rfc3339(self.world.now())}."
                raise invalid("resource.scheduling.terminationTime", given["terminationTime"], why)

    def _labels(self) -> None:
        self.stock.labels(self.wanted.get("labels", {}), "resource.labels")

    def _metadata(self) -> None:
        self.stock.metadata(self.wanted.get("metadata", {}), "resource.metadata")

    def _disks(self) -> None:
        disks = self.wanted.get("disks", [])
        if not disks or not disks[0].get("boot") or any(each.get("boot") for each in disks[1:]):
            raise invalid(
                "resource.disks", "", "Boot disk must be the first disk attached to the instance, and the only one."
            )
        if len(disks) > MOST_ATTACHED:
            raise invalid("resource.disks", len(disks), f"At most {MOST_ATTACHED} disks can be attached.")
        names = [each["deviceName"] for each in disks if each.get("deviceName")]
        if len(names) != len(set(names)):
            raise invalid("resource.disks", "", "Device names must be unique within an instance.")
        for index, each in enumerate(disks):
            self._disk(f"resource.disks[{index}]", each)

    def _disk(self, field: str, each: Json) -> None:
        if ("source" in each) == ("initializeParams" in each):
            raise invalid(field, "", "Exactly one of source and initializeParams must be given.")
        params = each.get("initializeParams", {})
        if each.get("boot") and "initializeParams" in each and not params.get("sourceImage"):
            raise invalid(f"{field}.initializeParams.sourceImage", "", "A boot disk needs an image.")
        self.stock.labels(params.get("labels", {}), f"{field}.initializeParams.labels")
        if each.get("type") == "SCRATCH":
            return
        self.fits_disk(field, str(params.get("diskType", "pd-standard")).rpartition("/")[2])

    def fits_disk(self, field: str, kind: str) -> None:
        """Raises Refused for a disk type that the machine type does not take."""
        hyper = kind.startswith("hyperdisk")
        if (hyper and self.kind.startswith(NO_HYPERDISK)) or (not hyper and self.kind.startswith(ONLY_HYPERDISK)):
            why = f"[{self.kind}] features are not compatible for creating instance with disk type {kind}."
            raise invalid(f"{field}.initializeParams.diskType", kind, why)

    def _nic(self, index: int, wanted: Json) -> Json:
        subnetwork = self.stock.subnetwork(wanted, self.zone, f"resource.networkInterfaces[{index}]")
        made: Json = {
            "kind": "compute#networkInterface",
            "name": f"nic{index}",
            "network": subnetwork["network"],
            "subnetwork": subnetwork["selfLink"],
            "stackType": "IPV4_ONLY",
            "fingerprint": self.stock.fingerprint(wanted),
        }
        if wanted.get("accessConfigs"):
            made["accessConfigs"] = [
                {
                    "kind": "compute#accessConfig",
                    "name": "External NAT",
                    "type": "ONE_TO_ONE_NAT",
                    "networkTier": "PREMIUM",
                    **each,
                }
                for each in wanted["accessConfigs"]
            ]
        return made

    def resource(self) -> Json:
        """What the API shows from now on; disks and addresses are still to come."""
        world, wanted = self.world, self.wanted
        data: Json = {
            "kind": "compute#instance",
            "name": wanted["name"],
            "zone": world.place(self.zone),
            "machineType": world.link("machineTypes", self.zone, self.kind),
            "status": "PROVISIONING",
            "networkInterfaces": self.nics,
            "disks": [],
            "metadata": {
                "kind": "compute#metadata",
                "fingerprint": self.stock.fingerprint(wanted.get("metadata", {})),
                "items": wanted.get("metadata", {}).get("items", []),
            },
            "tags": {
                "fingerprint": self.stock.fingerprint(wanted.get("tags", {})),
                **({"items": wanted["tags"]["items"]} if wanted.get("tags", {}).get("items") else {}),
            },
            "labelFingerprint": self.stock.fingerprint({"labels": wanted.get("labels", {})}),
            "scheduling": self.scheduling,
            "canIpForward": bool(wanted.get("canIpForward", False)),
            "deletionProtection": bool(wanted.get("deletionProtection", False)),
            "startRestricted": False,
            "cpuPlatform": "Unknown CPU Platform",
            "fingerprint": self.stock.fingerprint(wanted),
            "shieldedInstanceConfig": {
                "enableSecureBoot": False,
                "enableVtpm": True,
                "enableIntegrityMonitoring": True,
                **wanted.get("shieldedInstanceConfig", {}),
            },
            "shieldedInstanceIntegrityPolicy": {"updateAutoLearnPolicy": True},
        }
        data.update({name: wanted[name] for name in ("description", "labels", "hostname") if wanted.get(name)})
        if wanted.get("serviceAccounts"):
            data["serviceAccounts"] = wanted["serviceAccounts"]
        if self.accelerators:
            data["guestAccelerators"] = [
                {"acceleratorType": world.link("acceleratorTypes", self.zone, kind), "acceleratorCount": count}
                for kind, count in sorted(self.accelerators.items())
            ]
        if "maxRunDuration" in self.scheduling or "terminationTime" in self.scheduling:
            data["resourceStatus"] = {"scheduling": {}}
        return data
