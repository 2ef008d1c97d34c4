"""The provider ``local``: keeps nothing in memory, so that any number of controllers share one home."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet.model.base import document_bytes
from fleet.model.cloud import (
    AccessRule,
    BootTarget,
    Capabilities,
    Instance,
    LaunchRequest,
    Listing,
    Market,
    NewVolume,
    Offer,
    PriceSince,
    Volume,
)
from fleet.model.errors import ErrorClass, ProviderError, TooLateError
from fleet.providers.base import InTime, always
from fleet.providers.local import folder as files
from fleet.providers.local.containers import remove_containers, try_again
from fleet.providers.local.folder import REGION
from fleet.providers.local.volumes import LocalVolumes

if TYPE_CHECKING:
    from fleet.providers.local.market import MarketSpec

START_GRACE = 10.0
"""A supervisor that was just started may not hold its lock yet."""
FIRST_DEAD_MAN = 900.0
"""Armed before anything else; the agent renews it."""
CAPABILITIES = Capabilities(notice_seconds=2.0, visible_within=0.0, growing=True, volume_price=80_000)
"""Volumes cost what gp3 does: about $0.08 per GB and month (clouds.md)."""


class LocalProvider:
    """Instances are sessions of processes on this computer, below ``home``."""

    name = "local"
    capabilities = CAPABILITIES

    def __init__(
        self,
        home: Path,
        fleet_id: str,
        *,
        clock: Callable[[], float] = time.time,
        agent_command: Sequence[str] = (),
    ) -> None:
        self._home = home
        self._fleet_id = fleet_id
        self._clock = clock
        self._agent = list(agent_command) or [sys.executable, "-m", "fleet.agent"]
        self._volumes = LocalVolumes(home, fleet_id, clock)

    def regions(self) -> Sequence[str]:
        """One: this computer."""
        return (REGION,)

    def offers(self, region: str | None = None) -> Sequence[Offer]:
        """Every declared type in every zone, on spot and on demand."""
        from fleet.providers.local import market as markets

        return markets.offers(markets.read_market(self._home)) if region in (None, REGION) else ()

    def price_history(self, offer: Offer, since: float, until: float) -> Sequence[PriceSince]:
        """None is kept: a machine's price is what its listing says."""
        return ()

    def boot_target(self, offers: Sequence[Offer], image_id: str | None) -> BootTarget | None:
        """None: its machines boot from no image."""
        return None

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Instance:
        """Start a machine; see the contract."""
        digest = hashlib.sha256(document_bytes(request)).hexdigest()
        with files.locked(self._home):
            known = self._by_token(request.token)
            if known is None:
                if not in_time():
                    raise TooLateError(f"the launch of run {request.run_id} #{request.attempt}")
                offer = self._choose(request)
                known = self._make(request, digest, offer)
            elif known["request"] != digest:
                raise ProviderError(
                    ErrorClass.INVALID, "IdempotentParameterMismatch", "this token was used for another request"
                )
            folder = self._folder(known["instance_id"])
            if known["state"] == "pending" and not files.supervised(folder):
                self._power_on(folder)
        return self._seen(known, self._volumes.all())

    def list(self, region: str) -> Listing:
        """Everything with this fleet's tag; what died unseen is found out here."""
        if region != REGION:
            return Listing(region=region, at=self._clock())
        records = [files.read_json(path) for path in (self._home / "instances").glob(f"*/{files.INSTANCE}")]
        mine = [r for r in records if r is not None and r["tags"].get("fleet") == self._fleet_id]
        now = [self._looked_after(record) for record in mine]
        volumes = self._volumes.all()  # once for all: a home keeps a record of every machine and disk that it ever had
        instances = sorted((self._seen(record, volumes) for record in now), key=lambda i: i.launched_at)
        return Listing(region=region, at=self._clock(), instances=tuple(instances), volumes=tuple(volumes))

    def get(self, region: str, instance_id: str) -> Instance | None:
        """One machine by id."""
        record = self._record(instance_id) if region == REGION else None
        return self._seen(self._looked_after(record), self._volumes.all()) if record is not None else None

    def console(self, region: str, instance_id: str) -> str:
        """Not asked for: it lies in the machine's folder."""
        return ""

    def terminate(self, region: str, instance_id: str) -> None:
        """Tell the supervisor to end the machine; do it here if it has none."""
        record = self._record(instance_id) if region == REGION else None
        if record is None or record["state"] == "terminated":
            return
        folder = self._folder(instance_id)
        (folder / files.TERMINATE).touch()
        with files.locked(self._home):
            now = files.read_json(folder / files.INSTANCE)
            if now is not None and now["state"] in ("pending", "running"):
                files.write_json(folder / files.INSTANCE, {**now, "state": "shutting-down"})
        self._looked_after(record)

    def create_volume(self, region: str, zone: str, volume: NewVolume, token: str, tags: dict[str, str]) -> Volume:
        """Make a volume outside a launch."""
        with files.locked(self._home):
            return self._volumes.create(region, zone, volume.size_gb, token, tags)

    def attach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Attach a volume; see the contract."""
        with files.locked(self._home):
            self._volumes.attach(volume_id, self._record(instance_id), self._folder(instance_id))

    def detach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Take a volume off; see the contract."""
        with files.locked(self._home):
            self._volumes.detach(volume_id, instance_id, self._folder(instance_id))

    def grow_volume(self, region: str, volume_id: str, size_gb: int) -> None:
        """A folder takes what the disk has; its record says what was asked for."""
        with files.locked(self._home):
            self._volumes.grow(volume_id, size_gb)

    def delete_volume(self, region: str, volume_id: str) -> None:
        """Delete a volume and what is on it."""
        with files.locked(self._home):
            self._volumes.delete(volume_id)

    def access_rules(self, region: str) -> Sequence[AccessRule]:
        """Nobody has to be let in."""
        return ()

    def close_access(self, rule: AccessRule) -> None:
        """Nobody is."""

    def _folder(self, instance_id: str) -> Path:
        return self._home / "instances" / Path(instance_id).name

    def _record(self, instance_id: str) -> dict[str, Any] | None:
        record = files.read_json(self._folder(instance_id) / files.INSTANCE)
        return record if record is not None and record["tags"].get("fleet") == self._fleet_id else None

    def _by_token(self, token: str) -> dict[str, Any] | None:
        # The id is made from the token, so that a launch that died half-way is found again by it.
        return files.read_json(self._folder(_instance_id(token)) / files.INSTANCE)

    def _choose(self, request: LaunchRequest) -> Offer:
        """The first offer that can be had. Raises the most hopeful refusal."""
        from fleet.providers.local import market as markets

        market, now = markets.read_market(self._home), self._clock()
        priced = {offer.key: offer for offer in markets.offers(market)}
        refusals: list[ProviderError] = []
        for wanted in request.offers:
            offer = priced.get(wanted.key)
            if offer is None:
                refusals.append(ProviderError(ErrorClass.UNAVAILABLE, "Unsupported", f"{wanted.key} is not offered"))
            elif request.max_price is not None and offer.price > request.max_price:
                refusals.append(
                    ProviderError(ErrorClass.PRICE, "SpotMaxPriceTooLow", f"{offer.key} costs more than the bid")
                )
            elif offer.market is Market.SPOT and not self._has_capacity(market, offer.zone, now):
                refusals.append(
                    ProviderError(ErrorClass.CAPACITY, "InsufficientInstanceCapacity", f"no capacity for {offer.key}")
                )
            else:
                return offer
        hope = [ErrorClass.CAPACITY, ErrorClass.PRICE, ErrorClass.UNAVAILABLE]
        none = ProviderError(ErrorClass.INVALID, "MissingParameter", "the request names no offer")
        raise min(refusals, key=lambda refusal: hope.index(refusal.error_class), default=none)

    def _has_capacity(self, market: MarketSpec, zone: str, now: float) -> bool:
        from fleet.providers.local.market import capacity

        outage = files.read_json(self._home / "outages" / zone)
        return (outage is None or now >= float(outage["until"])) and capacity(market, zone, now)

    def _make(self, request: LaunchRequest, digest: str, offer: Offer) -> dict[str, Any]:
        """The machine's folder, its dead-man switch armed before anything runs. The record comes last."""
        instance_id, now = _instance_id(request.token), self._clock()
        folder = self._folder(instance_id)
        shutil.rmtree(folder, ignore_errors=True)  # what a launch that died half-way left
        for part in ("root", "dev"):
            (folder / part).mkdir(parents=True)
        (folder / files.USER_DATA).write_text(request.user_data, encoding="utf-8")
        (folder / files.BOOT_ID).write_text(secrets.token_hex(16), encoding="utf-8")
        power_off = min(now + FIRST_DEAD_MAN, request.lease_until or float("inf"))
        files.write_json(folder / files.DEAD_MAN, {"power_off_at": power_off})
        record = {
            "instance_id": instance_id,
            "request": digest,
            "offer": json.loads(document_bytes(offer)),
            "state": "pending",
            "launched_at": now,
            "ended_at": None,
            "ended_by": None,
            "tags": dict(request.tags),
            "agent_command": self._agent,
            "fate": self._fate(offer, now),
        }
        if isinstance(request.volume, NewVolume):
            tags = {key: value for key, value in request.tags.items() if key in ("fleet", "run", "volume")}
            made = self._volumes.create(offer.region, offer.zone, request.volume.size_gb, request.token, tags)
            self._volumes.hold(made.volume_id, instance_id, folder)
        files.write_json(folder / files.INSTANCE, record)
        return record

    def _fate(self, offer: Offer, now: float) -> dict[str, Any] | None:
        if offer.market is not Market.SPOT:
            return None
        records = [files.read_json(path) for path in (self._home / "instances").glob(f"*/{files.INSTANCE}")]
        before = sum(1 for r in records if r is not None and r["offer"]["market"] == Market.SPOT.value)
        from fleet.providers.local import market as markets

        return markets.fate(markets.read_market(self._home), offer.zone, before, now)

    def _power_on(self, folder: Path) -> None:
        """Start the supervisor; it detaches itself, so what is started here ends at once and leaves no zombie."""
        import subprocess

        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", "")}
        with (folder / "console.log").open("ab") as console:
            subprocess.run(
                [sys.executable, "-m", "fleet.providers.local.supervisor", str(folder)],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                check=False,
                cwd=folder,
            )

    def _looked_after(self, record: dict[str, Any]) -> dict[str, Any]:
        """A machine whose supervisor is gone is dead: kill what is left of it, and say that nobody saw its end."""
        folder = self._folder(record["instance_id"])
        if record["state"] == "terminated":
            try_again(folder)
            return record
        if files.supervised(folder):
            return record
        if record["state"] == "pending" and self._clock() - record["launched_at"] < START_GRACE:
            return record
        from fleet.providers.local.processes import kill_machine, living_session

        kill_machine(record["instance_id"], living_session(folder))
        remove_containers(folder)
        by = "fleet" if (folder / files.TERMINATE).exists() else "unknown"
        seen = files.last_sign(folder) if by == "unknown" else None  # it may have died long before anybody looked
        files.end_instance(self._home, folder, by, seen if seen is not None else self._clock())
        return files.read_json(folder / files.INSTANCE) or record

    def _seen(self, record: dict[str, Any], volumes: Sequence[Volume]) -> Instance:
        offer = Offer.model_validate(record["offer"])
        held = [volume.volume_id for volume in volumes if volume.attached_to == record["instance_id"]]
        return Instance(
            instance_id=record["instance_id"],
            offer=offer,
            state=record["state"],
            launched_at=record["launched_at"],
            ended_at=record["ended_at"],
            ended_by=record["ended_by"],
            tags=record["tags"],
            volume_ids=tuple(held),
        )


def _instance_id(token: str) -> str:
    return f"i-{hashlib.sha256(token.encode()).hexdigest()[:17]}"


def stop_everything(home: Path) -> None:
    """End every machine of a home, whosever it is: no process and no port is left afterwards."""
    from fleet.providers.local.processes import kill_machine, living_session

    for path in sorted((home / "instances").glob(f"*/{files.INSTANCE}")):
        record = files.read_json(path)
        if record is None or record["state"] == "terminated":
            continue
        (path.parent / files.TERMINATE).touch()
        deadline = time.monotonic() + 5
        while files.supervised(path.parent) and time.monotonic() < deadline:
            time.sleep(0.02)
        kill_machine(record["instance_id"], living_session(path.parent))
        remove_containers(path.parent)
        with contextlib.suppress(OSError):
            files.end_instance(home, path.parent, "fleet", time.time())
