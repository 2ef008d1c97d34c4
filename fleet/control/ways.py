"""How the machines of each cloud are reached."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from fleet.boot.iap import HERE, Tunnel, standing
from fleet.boot.reach import usable
from fleet.control.controller import Controller
from fleet.control.home import open_home
from fleet.control.reaching import Machine, Place, Way
from fleet.control.setups import aws_setup, gcp_setup
from fleet.model import layout
from fleet.model.documents import HostKeys
from fleet.model.errors import FleetError
from fleet.model.setup import AwsSetup, GcpSetup
from fleet.providers.addresses import Address, caller_address

BY_PROXY = "iap"
"""What ``--from`` says for Google's Identity-Aware Proxy."""


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

    def keys(self, machine: Machine) -> HostKeys | None:
        """EC2 keeps none: they are in the bucket or nowhere."""
        return None

    def opened(self, machine: Machine, place: Place) -> AbstractContextManager[object]:
        """Port 22 for the caller, as that machine sees it."""
        from fleet.providers.aws.access import opened

        cidr = self.come_from or caller_address(Address(place.address, public=place.public))
        return opened(self.setup, machine.region, cidr, self.controller.objects.now)


@dataclass(slots=True)
class GcpWay:
    """Compute Engine's: the address from instances.get, port 22 opened by a rule of the firewall; or a tunnel through
    Identity-Aware Proxy, which reaches machines without a public address too."""

    controller: Controller
    setup: GcpSetup
    come_from: str | None = None
    """The caller's address or network; ``iap``: the tunnel; None: as it was set up."""
    _tunnels: dict[str, Tunnel] = field(default_factory=dict)

    def place(self, machine: Machine) -> Place | None:
        """Where it listens; None while it has no address."""
        from fleet.providers.gcp.access import machine_address

        found = machine_address(self.setup, machine.instance_id, inside=self._by_proxy)
        if found is None:
            return None
        if not self._by_proxy:
            return Place(found.text, public=found.public)
        return Place(HERE, self._tunnel(machine).port)

    def keys(self, machine: Machine) -> HostKeys | None:
        """What it says in its guest attributes, should it not have reached the bucket yet."""
        from fleet.providers.gcp.access import host_keys

        found = usable(host_keys(self.setup, machine.instance_id))
        if not found:
            return None
        now = self.controller.objects.now()
        return HostKeys(instance_id=machine.instance_id, keys=found, user=self.setup.ssh_user, at=now)

    @contextlib.contextmanager
    def opened(self, machine: Machine, place: Place) -> Iterator[None]:
        """Port 22 for the caller as that machine sees it: itself, or Google's proxy."""
        from fleet.providers.gcp.access import opened
        from fleet.providers.gcp.setup import IAP_RANGE

        with contextlib.ExitStack() as stack:
            if not self._by_proxy:
                cidr = self.come_from or caller_address(Address(place.address, public=place.public))
                stack.enter_context(opened(self.setup, machine.region, cidr, self.controller.objects.now))
            else:
                if not self.setup.iap:  # else the proxy is let in for good
                    stack.enter_context(opened(self.setup, machine.region, IAP_RANGE, self.controller.objects.now))
                stack.enter_context(standing(self._tunnel(machine)))
            yield

    @property
    def _by_proxy(self) -> bool:
        return self.come_from == BY_PROXY or (self.come_from is None and self.setup.iap)

    def _tunnel(self, machine: Machine) -> Tunnel:
        """One for each machine: its port is told before it stands."""
        from fleet.providers.gcp.names import parts_of

        known = self._tunnels.get(machine.instance_id)
        if known is None:
            name, zone = parts_of(machine.instance_id)
            known = self._tunnels[machine.instance_id] = Tunnel(self.setup.project, zone, name)
        return known


def way_to(controller: Controller, provider: str, come_from: str | None = None) -> Way:
    """The way to the machines of a cloud. Raises FleetError if it has none."""
    if provider == "gcp":
        return _to_gcp(controller, come_from)
    if provider != "aws":
        raise FleetError(f"machines of {provider} are not reached over SSH in this version of fleet (not yet)")
    setup = aws_setup(controller.objects)
    if setup is None:
        raise FleetError(f"there is no {layout.AWS_SETUP} in {controller.objects.url}", "fleet init aws")
    if come_from == BY_PROXY:
        raise FleetError("only machines of Google Cloud are reached through its proxy", "Leave out --from iap.")
    from fleet.providers.aws.session import by_default

    by_default(open_home().aws_profile(controller.objects.url))  # other fleets were looked through for the run
    return AwsWay(controller, setup, come_from)


def _to_gcp(controller: Controller, come_from: str | None) -> GcpWay:
    setup = gcp_setup(controller.objects)
    if setup is None:
        raise FleetError(f"there is no {layout.GCP_SETUP} in {controller.objects.url}", "fleet init gcp")
    if setup.ssh_key is None:
        raise FleetError("machines of this fleet know no key to log in with", "`fleet init gcp --ssh-key FILE` names one.")
    return GcpWay(controller, setup, come_from)
