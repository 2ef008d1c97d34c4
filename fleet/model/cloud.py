"""Offers, instances and volumes: what a provider sells and what it has made."""

from __future__ import annotations

from enum import Enum
from typing import Literal

from pydantic import Field

from fleet.model.base import Frozen, Micros, Seconds


class Market(str, Enum):
    """How an instance is paid for, and whether the cloud may take it back."""

    SPOT = "spot"
    ON_DEMAND = "on-demand"


class Offer(Frozen):
    """Something that can be launched: provider + region + zone + instance type + market, at a price."""

    provider: str
    region: str
    zone: str
    instance_type: str
    market: Market
    price: Micros
    """Micro-dollars per hour, now."""
    on_demand_price: Micros
    """What the same instance costs on demand, micro-dollars per hour: every screen shows the comparison."""
    accelerators: tuple[str, ...] = ()
    """Accelerator names, one per device, for example ``("K80",)``."""

    @property
    def key(self) -> str:
        """The offer's name, without its price: ``local/here/here-a/small/spot``."""
        return f"{self.provider}/{self.region}/{self.zone}/{self.instance_type}/{self.market.value}"


class InstanceState(str, Enum):
    """EC2's words for the life of a machine."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"


class PriceSince(Frozen):
    """A price in force from a time on, until the next one."""

    at: Seconds
    price: Micros
    """Micro-dollars per hour."""


LIVE_STATES = frozenset({InstanceState.PENDING, InstanceState.RUNNING, InstanceState.STOPPING, InstanceState.SHUTTING_DOWN})
"""States in which the machine may still run code or be charged for."""

GONE_STATES = frozenset({InstanceState.STOPPED, InstanceState.TERMINATED})
"""States in which it is certain that nothing on the machine runs any more."""

EndedBy = Literal["cloud", "fleet", "itself", "unknown"]
"""Who ended an instance: the cloud took it back, fleet terminated it, it shut itself down, or nobody saw."""


class Instance(Frozen):
    """A machine as the cloud sees it."""

    instance_id: str
    offer: Offer
    """The offer that it became; ``offer.price`` is the price that is charged now."""
    state: InstanceState
    launched_at: Seconds
    ended_at: Seconds | None = None
    ended_by: EndedBy | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    """``fleet``, ``run``, ``attempt``, ``try`` and ``token``, set in the launching call itself."""
    volume_ids: tuple[str, ...] = ()
    """Volumes attached now, those made in the launching call among them."""


class VolumeState(str, Enum):
    """EC2's words for the life of a persistent disk, attachment included."""

    CREATING = "creating"
    AVAILABLE = "available"
    ATTACHING = "attaching"
    IN_USE = "in-use"
    DETACHING = "detaching"
    DELETING = "deleting"


class Volume(Frozen):
    """A persistent disk. Bound to its zone; attached to one instance at most."""

    volume_id: str
    region: str
    zone: str
    size_gb: int
    state: VolumeState
    attached_to: str | None = None
    created_at: Seconds
    price: Micros
    """Micro-dollars per GB and month (of 730 hours)."""
    tags: dict[str, str] = Field(default_factory=dict)
    """``fleet``, ``run``, and ``volume`` if it has a name."""


class NewVolume(Frozen):
    """A volume to be made in the launching call itself: tagged there, kept when the instance ends."""

    kind: Literal["new"] = "new"
    size_gb: int


class ExistingVolume(Frozen):
    """A volume that exists; it is attached after the launch, once its former user let go of it."""

    kind: Literal["existing"] = "existing"
    volume_id: str
    zone: str


VolumeChoice = NewVolume | ExistingVolume
"""How an attempt comes by its disk."""


class LaunchRequest(Frozen):
    """Everything that a launch says to the cloud, frozen with the intention: a retry sends these very bytes again."""

    token: str
    """hash(fleet, run id, attempt, try), at most 64 characters; same token, same instance."""
    fleet_id: str
    run_id: str
    run_name: str
    attempt: int
    try_no: int
    offers: tuple[Offer, ...]
    """In order of preference, all of one region and market; the first that can be had is taken."""
    max_price: Micros | None = None
    """The bid in micro-dollars per hour; the instance is never launched above it. None means on-demand's price."""
    volume: NewVolume | ExistingVolume | None = Field(default=None, discriminator="kind")
    image_id: str | None = None
    disk_size_gb: int | None = None
    user_data: str = ""
    """What the instance finds as its user-data; for ``local`` and ``sim`` a BootDocument as JSON. Holds no secret."""
    setup: str = ""
    """What the provider launches by (EC2: the region's part of its set-up, as JSON), as it was when this was frozen: a
    set-up that is mended meanwhile must not make another request of the same token."""
    lease_until: Seconds | None = None
    """Absolute time at which the machine powers itself off whatever happens."""
    ends_by: Seconds | None = None
    """Absolute time by which the cloud is to end the machine, however its lease is renewed; None: it cannot."""
    tags: dict[str, str] = Field(default_factory=dict)


class BootTarget(Frozen):
    """What the machines of an offer boot from: what the writer of their user-data must know."""

    image_id: str
    """The cloud's id (``ami-…``), looked up once and then frozen in the request."""
    image: str
    """As it was asked for, or as fleet chose it: ``ubuntu-24.04``, ``debian-12``, ``ami-…``."""
    arch: Literal["x86_64", "aarch64"] = "x86_64"
    driver: str | None = None
    """NVIDIA's driver branch that the types need (``570-server``); None: no GPU, or the image brings one."""
    environment: dict[str, str] = Field(default_factory=dict)
    """What agent and scripts need to reach the cloud (``AWS_REGION``, ``AWS_ENDPOINT_URL``, …). No secret."""
    setup: str = ""
    """What the provider launches by, for it alone to read."""
    user_data_limit: int = 16_384
    """Bytes that the cloud takes, before it is made text."""


class Listing(Frozen):
    """One answer of a region: every instance and volume with this fleet's tag. It may lag behind what was done."""

    region: str
    at: Seconds
    instances: tuple[Instance, ...] = ()
    volumes: tuple[Volume, ...] = ()


class AccessRule(Frozen):
    """One address range that may reach port 22 of this fleet's machines in a region, for a while."""

    region: str
    group_id: str
    rule_id: str
    cidr: str
    fleet_id: str
    until: int
    """By the bucket's clock, in seconds since 1970. Whoever is connected moves it on."""


class Billing(Frozen):
    """How a provider charges, as parameters of the ledger (clouds.md: EC2 Linux by the second, one minute at least)."""

    minimum_seconds: int = 0
    free_if_interrupted_within: int = 0
    """An instance that the cloud takes back within so many seconds costs nothing (EC2: 3600)."""
    price_holds_seconds: int = 0
    """The price in force as each stretch of so many seconds of an instance begins holds for all of it; 0: each price counts
    from its change on. AWS's own texts differ (3600, or 0); what it bills today is per second."""


class Capabilities(Frozen):
    """What a provider can do, as data."""

    spot: bool = True
    notice_seconds: float
    """How long before the end the notice comes (EC2 120, GCE 30)."""
    volumes: bool = True
    visible_within: float
    """Grace: so many seconds after a launch, absence from a listing means nothing."""
    billing: Billing = Billing()
    price_history: bool = False
    """Whether it tells what a spot instance was charged in the past."""
    images: bool = False
    """Whether machines boot from an image, and cloud-init brings the agent: else they find it there."""
    images_gone: tuple[str, ...] = ()
    """Codes by which it refuses a launch because the image is not there (any more)."""
    console: bool = False
    """Whether it tells what a machine printed while it booted."""
    access_rules: bool = False
    """Whether its machines lie behind a firewall that is opened for the user's address for a while."""
    growing: bool = False
    """Whether a volume can be enlarged."""
    volume_price: Micros
    """Micro-dollars per GB and month."""
    volume_prices: dict[str, Micros] = Field(default_factory=dict)
    """The same by region, where a region asks something else."""
    address_price: Micros = 0
    """Micro-dollars per hour of the public address that each machine gets."""

    def volume_price_in(self, region: str) -> Micros:
        """Micro-dollars per GB and month of a disk in a region."""
        return self.volume_prices.get(region, self.volume_price)
