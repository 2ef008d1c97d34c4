"""Where a machine of EC2's is, as its caller sees it."""

from __future__ import annotations

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.addresses import Address
from fleet.providers.aws.calling import DENIED_CONTROLLER, Calls
from fleet.providers.aws.calls import NOWHERE


def machine_address(instance_id: str, region: str) -> Address | None:
    """The public IPv4 address, else IPv6, else the private one; None while the machine has none yet.

    Raises ProviderError, also if the machine has ended.
    """
    told = Calls(denied=DENIED_CONTROLLER).unless(NOWHERE, "ec2", region, "describe_instances", InstanceIds=[instance_id])
    found = [one for reservation in (told or {"Reservations": ()})["Reservations"] for one in reservation["Instances"]]
    if not found:
        return None  # what was launched a moment ago EC2 may not show yet
    state = found[0]["State"]["Name"]
    if state not in ("pending", "running"):
        raise ProviderError(ErrorClass.NOT_YET, "NotRunning", f"{instance_id} is {state}", "`fleet status RUN`")
    public = found[0].get("PublicIpAddress") or found[0].get("Ipv6Address")
    if public:
        return Address(public, public=True)
    private = found[0].get("PrivateIpAddress")
    return Address(private, public=False) if private and state == "running" else None
