"""How the machines of each cloud are reached."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from fleet.control.controller import Controller
from fleet.control.home import open_home
from fleet.control.reaching import Machine, Place, Way
from fleet.control.setups import aws_setup
from fleet.model import layout
from fleet.model.errors import FleetError
from fleet.model.setup import AwsSetup


@dataclass(frozen=True, slots=True)
class AwsWay:
    """EC2's: the address from DescribeInstances, port 22 opened for the caller alone."""

    controller: Controller
    setup: AwsSetup
    come_from: str | None = None
    """The caller's address or network; None: found out."""

    def place(self, machine: Machine) -> Place | None:
        """Where it listens; None while it has no address."""
        from fleet.providers.aws.addresses import machine_address

        found = machine_address(machine.instance_id, machine.region)
        return Place(found.text, public=found.public) if found is not None else None

    def opened(self, machine: Machine, place: Place) -> AbstractContextManager[object]:
        """Port 22 for the caller, as that machine sees it."""
        from fleet.providers.aws.access import opened
        from fleet.providers.addresses import Address, caller_address

        cidr = self.come_from or caller_address(Address(place.address, public=place.public))
        return opened(self.setup, machine.region, cidr, self.controller.objects.now)


def way_to(controller: Controller, provider: str, come_from: str | None = None) -> Way:
    """The way to the machines of a cloud. Raises FleetError if it has none."""
    if provider != "aws":
        raise FleetError(f"machines of {provider} are not reached over SSH in this version of fleet (not yet)")
    setup = aws_setup(controller.objects)
    if setup is None:
        raise FleetError(f"there is no {layout.AWS_SETUP} in {controller.objects.url}", "fleet init aws")
    from fleet.providers.aws.session import by_default

    by_default(open_home().aws_profile(controller.objects.url))  # other fleets were looked through for the run
    return AwsWay(controller, setup, come_from)
