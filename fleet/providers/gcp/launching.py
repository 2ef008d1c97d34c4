"""A launch: found again by its token, or made.

Three things keep a token from becoming two machines. The machine's name follows from the token, so that a zone refuses a
second one. Each offer is asked for under a requestId that follows from token, zone and type: whoever asks again, and whoever
asks at the same time, gets the same operation, also one that failed. So the offers are gone through in the order of the
request, and the next is asked for only after a failure that stands in such an operation, or that is always the same (there
is no such type in the zone): everybody who launches the token goes the same way. And before the first is asked for, the
token is looked for: by its label, and by the operations that its name left behind, which tell of a machine that is gone.

Each request that could make a machine is sent only while the launch is in time.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from fleet.model.base import Seconds
from fleet.model.cloud import BootTarget, ExistingVolume, Instance, InstanceState, LaunchRequest, NewVolume, Offer
from fleet.model.errors import ErrorClass, ProviderError, TooLateError
from fleet.model.setup import GcpSetup
from fleet.providers import asked
from fleet.providers.base import InTime, always
from fleet.providers.gcp import calls, launch, mapping, names, operations, quotas, shapes
from fleet.providers.gcp.errors import EXISTS, NOT_FOUND, operation_refusal, refusal
from fleet.providers.gcp.launch import Boots

log = logging.getLogger("fleet.gcp")
Json = dict[str, Any]
INSERT = "instances.insert"
END_OF_TRY = frozenset({ErrorClass.DENIED, ErrorClass.INVALID, ErrorClass.CREDENTIALS})
"""What an operation fails with that would befall every other offer too."""
REFUSING = frozenset(ErrorClass) - {ErrorClass.TRANSIENT, ErrorClass.THROTTLED, ErrorClass.CREDENTIALS, ErrorClass.NOT_YET}
"""Classes that may be taken for the end of a try, with nothing made."""


class Launcher:
    """Launches by one set-up."""

    def __init__(
        self,
        setup: GcpSetup,
        waiter: operations.Waiter,
        target: Callable[[Sequence[Offer], str | None], BootTarget],
        least_gb: Callable[[str, str], int],
        clock: Callable[[], Seconds],
    ) -> None:
        """``target`` tells what offers boot from, where the request does not say it; ``least_gb`` how large an image's disk
        is at least, for a machine type."""
        self._setup, self._waiter, self._target, self._least_gb = setup, waiter, target, least_gb
        self._clock = clock

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Instance:
        """The machine of the request's token; see the contract."""
        setup = self._frozen(request)
        launch.check_request(request, setup)
        known = self._known(request, setup)
        if known is not None:
            return known
        try:
            return self._made(request, setup, in_time)
        except ProviderError as error:
            if error.error_class is ErrorClass.QUOTA:
                raise _told(error, request, setup.project) from error
            raise

    def _frozen(self, request: LaunchRequest) -> GcpSetup:
        """The set-up as the request was frozen with it; one that was frozen without is launched by today's."""
        if not request.setup:
            return self._setup
        try:
            return GcpSetup.model_validate_json(request.setup)
        except ValidationError:
            raise refusal("invalidArgument", "the set-up in the request cannot be read") from None

    def _known(self, request: LaunchRequest, setup: GcpSetup) -> Instance | None:
        """What the token became: its machine, or what its operations tell of one that is gone."""
        label = f"{names.TOKEN_LABEL}={names.digest(request.token)}"
        found = calls.everywhere("instances.aggregatedList", "instances", project=setup.project, filter=f"labels.{label}")
        mine = [one for one in found.items if mapping.is_mine(one, setup.fleet_id)]
        there = [one for one in mine if mapping.is_made(one)]
        if there:
            return self._alive(request, min(there, key=lambda one: (one["creationTimestamp"], one["zone"])))
        zones = [offer.zone for offer in request.offers]
        found.check(zones)
        told = operations.of_name(setup.project, launch.machine_name(request), zones)
        made = operations.making(told)
        if made is None or made.get("status") != operations.DONE:
            return None  # what is under way is joined by its requestId: it may come to nothing, and another offer be next
        return self._of_operation(request, setup, made, told)

    def _made(self, request: LaunchRequest, setup: GcpSetup, in_time: InTime) -> Instance:
        offers = self._fitting(request, setup, launch.wanted(request))
        image_id = request.image_id or self._target(offers, None).image_id
        image = Boots(image_id, self._least_gb(image_id, offers[0].instance_type))
        refusals: list[ProviderError] = []
        until: Seconds | None = None
        for offer in offers:
            if not in_time():
                raise TooLateError(f"the launch of run {request.run_id} #{request.attempt}")
            until = until or self._waiter.deadline()
            try:
                return self._asked(request, offer, setup, image, until)
            except _Refused as refused:
                refusals.append(refused.error)
        raise asked.most_hopeful(refusals)

    def _fitting(self, request: LaunchRequest, setup: GcpSetup, offers: tuple[Offer, ...]) -> tuple[Offer, ...]:
        """Offers that boot as the first does, and that take the run's disk: what kind it is never changes."""
        found = launch.alike(request, offers)
        if isinstance(request.volume, ExistingVolume):
            name, zone = names.parts_of(request.volume.volume_id)
            disk = calls.found("disks.get", project=setup.project, zone=zone, disk=name)
            kind = names.last(disk["type"]) if disk is not None else ""
            found = tuple(o for o in found if not kind or shapes.takes(o.instance_type, kind))
            if not found:
                raise refusal(
                    "unsupportedOperation", f"{request.volume.volume_id} is a {kind}: no machine offered takes one"
                )
        if not found:
            raise refusal("unsupportedOperation", "no offer boots as the first one does")
        return found

    def _asked(self, request: LaunchRequest, offer: Offer, setup: GcpSetup, image: Boots, until: Seconds) -> Instance:
        """Ask for one offer. Raises _Refused where the next may do, ProviderError where the try is over, or not decided."""
        try:
            body = launch.machine(request, offer, setup, image, self._clock())
        except ValueError as error:
            raise _Refused(refusal("unsupportedOperation", str(error))) from None
        call = f"{INSERT} {offer.instance_type} in {offer.zone}"
        try:
            operation = calls.compute(
                INSERT, project=setup.project, zone=offer.zone, request_id=launch.request_id(request, offer), body=body
            )
        except ProviderError as error:
            if error.code in EXISTS:
                return self._there(request, setup, offer.zone, error)
            told = ProviderError(error.error_class, error.code, error.message.replace(INSERT, call, 1), error.hint)
            if error.error_class is ErrorClass.UNAVAILABLE:
                raise _Refused(told) from error
            raise told from error
        with _not_decided():
            operation = self._waiter.until_done(operation, until)
        failure = operation_refusal(call, operation)
        if failure is None or operations.came_to_be(operation):
            return self._of_operation(request, setup, operation, None)
        if failure.code in EXISTS:
            return self._there(request, setup, offer.zone, failure)
        self._clear(request, setup, offer.zone, operation)
        if failure.error_class in END_OF_TRY:
            raise failure
        raise _Refused(asked.ended_try(failure))

    def _there(self, request: LaunchRequest, setup: GcpSetup, zone: str, told: ProviderError) -> Instance:
        """A machine with the token's name is in the zone: somebody else was quicker. Or only its disk is, of a machine that
        came to nothing or is long gone: the same token would meet it for ever, so the try is over."""
        name = launch.machine_name(request)
        with _not_decided():
            found = calls.found("instances.get", project=setup.project, zone=zone, instance=name)
        if found is None and "/disks/" in told.message:
            raise refusal("tokenUsed", f"{told.message}: this token had a machine there before, which is gone")
        if found is None or not mapping.is_made(found):
            raise refusal("unreachable", f"{name} is in {zone}, and is not: it begins or ends just now")
        return self._alive(request, found)

    def _of_operation(self, request: LaunchRequest, setup: GcpSetup, made: Json, told: list[Json] | None) -> Instance:
        """The machine that an operation made, or makes; as it ended, if it is gone."""
        name, zone = launch.machine_name(request), names.last(made["zone"])
        with _not_decided():
            found = calls.found("instances.get", project=setup.project, zone=zone, instance=name)
        done = made.get("status") == operations.DONE
        if found is not None and (done or mapping.is_made(found)):
            return self._alive(request, found)
        if not done:
            raise refusal("operationRunning", f"{name} is being made in {zone}, and may still come to nothing")
        with _not_decided():
            end = operations.ended(told if told is not None else operations.of_machine(setup.project, zone, name))
        offers = [one for one in request.offers if one.zone == zone]
        exact = [one for one in offers if launch.request_id(request, one) == made.get("clientOperationId")]
        began = operations.began(made)
        return Instance(
            instance_id=names.id_of(name, zone),
            offer=(exact or offers or list(request.offers))[0],
            state=InstanceState.TERMINATED,
            launched_at=began,
            ended_at=max(began, end.at) if end is not None else None,
            ended_by=end.by if end is not None else "unknown",
            tags=request.tags,
        )

    def _alive(self, request: LaunchRequest, found: Json) -> Instance:
        """A machine that is there, if it is the one that was asked for."""
        if found.get("labels", {}).get(names.REQUEST_LABEL) not in (None, asked.digest(request)):
            raise refusal("tokenReused", "this token was used for another request")
        return mapping.instance(found, {offer.key: offer for offer in request.offers})

    def _clear(self, request: LaunchRequest, setup: GcpSetup, zone: str, failed: Json) -> None:
        """A machine that came to nothing may leave its new disk behind, which is nobody's then: its name is the token's.
        What cannot be deleted now is met as a stray by the sweep."""
        if not isinstance(request.volume, NewVolume):
            return
        where: Json = {"project": setup.project, "zone": zone, "disk": launch.new_disk_name(request)}
        try:
            disk = calls.found("disks.get", **where)
            if disk is not None and mapping.is_mine(disk, setup.fleet_id) and _came_to_nothing(disk, failed):
                calls.compute("disks.delete", **where)
        except ProviderError as error:
            if error.code not in NOT_FOUND:
                log.info("fleet: %s", error.message)


def _came_to_nothing(disk: Json, failed: Json) -> bool:
    """Whether a disk was made by an insertion that failed, and nothing had it since: whoever slept between the failure and
    now finds under the token's name what a later offer's machine, or the run's next one, has written to."""
    over = operations.over(failed)
    times = [disk[one] for one in ("creationTimestamp", "lastAttachTimestamp") if disk.get(one)]
    return not disk.get("users") and all(mapping.moment(one) <= over for one in times)


@contextlib.contextmanager
def _not_decided() -> Iterator[None]:
    """For looking at what a request that was accepted has come to: whatever keeps one from that (a permission that is
    missing), there may be a machine, so it is no refusal. The same launch asks again, and finds it."""
    try:
        yield
    except ProviderError as error:
        if error.error_class not in REFUSING:
            raise
        told = f"{error.message}: a machine may have been made, and cannot be looked at"
        raise ProviderError(ErrorClass.TRANSIENT, error.code, told, error.hint) from error


def _told(error: ProviderError, request: LaunchRequest, project: str) -> ProviderError:
    """A quota's refusal says in the message itself what to ask for: that is what the journal keeps."""
    first = request.offers[0]
    wish = quotas.advice(project, first.region, first.instance_type, first.accelerators, first.market, error.message)
    return ProviderError(error.error_class, error.code, f"{error.message}; {wish}", error.hint)


class _Refused(Exception):  # noqa: N818  # no failure yet: the next offer may do
    """One offer cannot be had."""

    def __init__(self, error: ProviderError) -> None:
        super().__init__(error.message)
        self.error = error
