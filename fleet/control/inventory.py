"""What exists in the clouds with this fleet's tag, whose it is, and what it costs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.control.account import account_of
from fleet.control.controller import Controller
from fleet.control.home import open_home
from fleet.control.names import nearest
from fleet.control.setups import gcp_setup
from fleet.core.costs import HOURS_PER_MONTH
from fleet.core.state import FleetState, RunState
from fleet.model.base import Micros
from fleet.model.cloud import GONE_STATES, Instance, InstanceState, Volume, VolumeState
from fleet.model.errors import FleetError, ProviderError
from fleet.model.events import VolumeDeleted, VolumeDeleteIntended, VolumeMade
from fleet.providers.strays import Kind, Owned, Stray

if TYPE_CHECKING:
    from fleet.model.setup import GcpSetup
    from fleet.providers.aws.sweeping import Account

log = logging.getLogger("fleet.control")


@dataclass(frozen=True, slots=True)
class KeptVolume:
    """A disk, and the run that it belongs to."""

    provider: str
    volume: Volume
    run: str | None
    """The run's id; None: no run of this fleet owns it."""
    live: bool
    """Its run goes on, and uses it."""

    @property
    def monthly(self) -> Micros:
        """Micro-dollars per month."""
        return self.volume.size_gb * self.volume.price


@dataclass(frozen=True, slots=True)
class Unowned:
    """Something that costs money and that no run owns."""

    kind: Kind
    provider: str
    region: str
    id: str
    why: str
    monthly: Micros
    of: str = ""
    """What it is part of, where its id alone does not find it."""


def volumes(controller: Controller) -> list[KeptVolume]:
    """Every disk with this fleet's tag. Raises ProviderError if a cloud cannot be asked."""
    found = []
    for name, provider in controller.observer.providers.items():
        for region in provider.regions():
            for volume in provider.list(region).volumes:
                run = _run_of(controller.state, volume)
                found.append(KeptVolume(name, volume, run.run_id if run else None, _uses(run, volume)))
    return sorted(found, key=lambda kept: kept.volume.created_at)


def _uses(run: RunState | None, volume: Volume) -> bool:
    """Whether a run goes on with a disk; one that the journal does not know yet was made for its next machine."""
    if run is None or run.ended_at is not None:
        return False
    return run.volume_id == volume.volume_id or volume.volume_id not in run.volumes


def _run_of(state: FleetState, volume: Volume) -> RunState | None:
    """The run that answers for a disk: the one that holds it now, else the one that it was made for."""
    holders = (run for run in state.runs.values() if volume.volume_id in run.volumes and run.volumes[volume.volume_id].held)
    return next(holders, state.runs.get(volume.tags.get("run", "")))


def find_volume(controllers: Iterable[Controller], volume_id: str) -> tuple[Controller, KeptVolume]:
    """A disk by its id, and the fleet that it is in. Raises FleetError if there is none, ProviderError."""
    known, looked = [], []
    for controller in controllers:
        looked.append(controller)
        for kept in volumes(controller):
            if kept.volume.volume_id == volume_id:
                return controller, kept
            known.append(kept.volume.volume_id)
    for controller in looked:
        lost = _written_off(controller, volume_id)
        if lost is not None:
            return controller, lost
    raise FleetError(f"there is no volume {volume_id}; {nearest(volume_id, known)}", "`fleet volumes list` shows them.")


def delete_volume(controller: Controller, volume_id: str) -> KeptVolume:
    """Delete a disk for good. Raises FleetError while a run uses it, or a machine holds it."""
    kept = find_volume([controller], volume_id)[1]
    if kept.live:
        raise FleetError(f"run {kept.run} goes on, and uses {volume_id}", f"`fleet stop {kept.run}` ends it first.")
    if kept.volume.attached_to is not None:
        raise FleetError(f"{volume_id} is attached to {kept.volume.attached_to}", "It can be deleted once that has ended.")
    now, provider = controller.objects.now(), controller.observer.providers[kept.provider]
    if kept.run is not None:
        if volume_id not in controller.state.runs[kept.run].volumes:
            # Nobody had seen its making: the end of what the journal does not know would be no news either.
            controller.record([VolumeMade(at=now, run_id=kept.run, provider=kept.provider, volume=kept.volume)])
        why = "the user said so"
        controller.record([VolumeDeleteIntended(at=now, run_id=kept.run, volume_id=volume_id, reason=why)])
    try:
        provider.delete_volume(kept.volume.region, volume_id)
    except ProviderError as error:
        raise FleetError(f"{volume_id} could not be deleted: {error.message}", "Any controller tries again.") from None
    if kept.run is not None:
        controller.record([VolumeDeleted(at=controller.objects.now(), run_id=kept.run, volume_id=volume_id)])
    return kept


def _written_off(controller: Controller, volume_id: str) -> KeptVolume | None:
    """A disk that the journal has and no listing shows: deleted by hand, or lost. What is left of it can be removed.

    To delete what a cloud does not know is no error, so that its word is asked for by id.
    """
    run = next((r for r in controller.state.runs.values() if volume_id in r.volumes and r.volumes[volume_id].held), None)
    if run is None or run.volumes[volume_id].provider not in controller.observer.providers:
        return None  # where a cloud's set-up was undone, nobody can ask it
    record = run.volumes[volume_id]
    seen = Volume(
        volume_id=volume_id,
        region=record.region,
        zone=record.zone,
        size_gb=record.size_gb,
        state=VolumeState.AVAILABLE,
        created_at=record.created_at,
        price=record.price,
    )
    return KeptVolume(record.provider, seen, run.run_id, _uses(run, seen))


def unowned(controller: Controller, *, whole: bool = True) -> list[Unowned]:
    """What carries this fleet's tag and no run owns. Raises ProviderError if a cloud cannot be asked.

    Where an account was set up, every region of it is looked through, and for more than machines and disks; not ``whole``:
    machines and disks alone, where runs are launched, as who may ask for no more can.
    """
    found: list[Unowned] = []
    account = account_of(controller) if whole else None
    if account is not None:
        found.extend(_unowned_in(account, controller))
    google = gcp_setup(controller.objects) if whole and "gcp" in controller.observer.providers else None
    if google is not None:
        found.extend(_unowned_in_project(google, controller))
    for name, provider in controller.observer.providers.items():
        if (name == "aws" and account is not None) or (name == "gcp" and google is not None):
            continue
        for region in provider.regions():
            listing = provider.list(region)
            found.extend(_machines(controller.state, name, listing.instances))
            for volume in listing.volumes:
                if volume.tags.get("run", "") not in controller.state.runs:
                    price = volume.size_gb * volume.price
                    found.append(Unowned("volume", name, region, volume.volume_id, "no run of this fleet made it", price))
    return found


def _unowned_in(account: Account, controller: Controller) -> Iterator[Unowned]:
    from fleet.providers.aws.sweeping import sweep

    swept = sweep(account, _owned(controller.state), controller.objects.now())
    return _told("aws", swept.strays, swept.troubles)


def _unowned_in_project(setup: GcpSetup, controller: Controller) -> Iterator[Unowned]:
    from fleet.providers.gcp.sweeping import sweep

    cache = open_home().cache / "gcp"
    return _told("gcp", *sweep(setup, _owned(controller.state), controller.objects.now(), cache))


def _owned(state: FleetState) -> Owned:
    attempts = [attempt for run in state.runs.values() for attempt in run.attempts.values()]
    return Owned(
        frozenset(state.runs),
        frozenset(a.instance_id for a in attempts if a.instance_id is not None),
        frozenset(a.token for a in attempts if a.instance_id is None),
    )


def _told(provider: str, strays: Iterable[Stray], troubles: Mapping[str, ProviderError]) -> Iterator[Unowned]:
    for where, trouble in troubles.items():
        log.warning("fleet: %s, %s is left out: %s", provider, where, trouble.message)
    yield from (Unowned(s.kind, provider, s.region, s.id, s.why, s.monthly, s.of) for s in strays)


def _machines(state: FleetState, provider: str, instances: tuple[Instance, ...]) -> Iterator[Unowned]:
    for instance in instances:
        if instance.state in GONE_STATES or instance.state is InstanceState.SHUTTING_DOWN:
            continue
        run = state.runs.get(instance.tags.get("run", ""))
        owned = run is not None and any(
            a.instance_id == instance.instance_id or (a.instance_id is None and a.token == instance.tags.get("token"))
            for a in run.attempts.values()
        )
        if not owned:
            price = instance.offer.price * HOURS_PER_MONTH
            yield Unowned(
                "machine", provider, instance.offer.region, instance.instance_id, "no attempt of this fleet owns it", price
            )


def collect(controller: Controller, one: Unowned) -> None:
    """End or delete what nobody owns. Raises ProviderError."""
    stray = Stray(one.kind, one.region, one.id, one.why, one.monthly, one.of)
    account = account_of(controller) if one.provider == "aws" else None
    google = gcp_setup(controller.objects) if one.provider == "gcp" else None
    if account is not None:
        from fleet.providers.aws import sweeping as amazon

        amazon.remove(account, stray)
        return
    provider = controller.observer.providers[one.provider]
    if google is not None:
        from fleet.providers.gcp import sweeping as project

        project.remove(google, provider, stray)
        return
    if one.kind == "machine":
        provider.terminate(one.region, one.id)
    else:
        provider.delete_volume(one.region, one.id)
