"""Effects: each action done once, idempotently, its outcome given back as events. No decision is made here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from fleet.boot.request import launch_request
from fleet.core import actions as do
from fleet.core.allowed import image_wish
from fleet.core.state import FleetState, RunState
from fleet.model import events as ev
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.cloud import LaunchRequest
from fleet.model.errors import AlreadyExistsError, ErrorClass, NotFoundError, ProviderError, StoreError, TooLateError
from fleet.providers.base import Provider
from fleet.providers.local.elsewhere import ANOTHER
from fleet.store.objects import Objects

REFUSALS = frozenset(
    {
        ErrorClass.CAPACITY,
        ErrorClass.UNAVAILABLE,
        ErrorClass.PRICE,
        ErrorClass.QUOTA,
        ErrorClass.DENIED,
        ErrorClass.INVALID,
    }
)
"""A launch refused so made nothing: its try is over. After anything else the same request is sent again."""

TAIL_LINES = 12
"""So much of a failed boot stands in the journal; the rest lies beside it."""

log = logging.getLogger("fleet.control")

Call = Literal["launch", "terminate", "attach", "detach", "delete-volume"]


IDENTITY = ("fleet", "run", "attempt", "try", "token")
"""The tags that say whose a machine is."""


def _not_launched(who: dict[str, Any], try_no: int, error: ProviderError) -> ev.LaunchFailed | ev.CallFailed:
    told = {"error_class": error.error_class, "code": error.code, "message": error.message}
    if error.error_class in REFUSALS:
        return ev.LaunchFailed(**who, **told, try_no=try_no)
    return ev.CallFailed(**who, **told, call="launch")


def _without_image(who: dict[str, Any], try_no: int, error: ProviderError) -> ev.LaunchFailed:
    """The image that the provider chose is gone since the request was frozen with it. Nothing was made, so the try is over;
    the next one is rendered anew, with another image. (One that the job itself names stays wrong, and stops it.)
    """
    told = {"error_class": ErrorClass.TRANSIENT, "code": error.code, "message": error.message}
    return ev.LaunchFailed(**who, **told, try_no=try_no)


def _tail(text: str) -> str:
    """The last lines, as they may be shown."""
    shown = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    return "\n".join(line.rstrip()[:300] for line in shown.splitlines()[-TAIL_LINES:])


def _is_of(intended: LaunchRequest, found: LaunchRequest) -> bool:
    """Made for the same try of the same run: another's must not be launched, nor tagged, in its place."""
    same = ("token", "fleet_id", "run_id", "attempt", "try_no")
    tags = all(found.tags.get(name) == intended.tags[name] for name in IDENTITY)  # another version may add others
    return tags and all(getattr(found, name) == getattr(intended, name) for name in same)


@dataclass
class Effects:
    """Does what the plan wants."""

    objects: Objects
    providers: Mapping[str, Provider]
    told: set[tuple[str, str]] = field(default_factory=set)
    """Failures of what no attempt is about, each said once."""

    def perform(self, action: do.Action, state: FleetState) -> list[ev.Event]:
        """Do one action. What a provider refuses becomes an event; StoreError is the caller's to handle."""
        if isinstance(action, do.Launch):
            return self._launch(action, state)
        if isinstance(action, do.WriteDesired):
            data = document_bytes(action.desired.model_copy(update={"journal": state.head}))
            self.objects.put(layout.desired(action.run_id), data)
            return []
        if isinstance(action, do.ForgetBeat):
            self.objects.delete([layout.heartbeat(action.run_id, action.attempt)])
            return []
        if isinstance(action, do.ExamineBoot):
            return self._examine(action, state)
        if isinstance(action, do.GrowVolume):
            return self._grow(action)
        if isinstance(action, do.CloseAccess):
            self._close(action)
            return []
        if isinstance(action, (do.Terminate, do.Attach, do.Detach, do.DeleteVolume)):
            return self._call(action, state)
        return []

    def _launch(self, action: do.Launch, state: FleetState) -> list[ev.Event]:
        run = state.runs[action.run_id]
        attempt = run.attempts[action.attempt]
        if attempt.phase != "intended" or attempt.try_no != action.try_no:
            return []  # decided otherwise since
        provider = self.providers.get(attempt.offers[0].provider)
        if provider is None:
            return []  # intended where it is set up; there it is launched
        key = layout.launch(run.run_id, attempt.number, attempt.try_no)
        rendered = launch_request(state.fleet_id, self.objects.url, run, attempt)
        who: dict[str, Any] = {"at": self.objects.now(), "run_id": run.run_id, "attempt": attempt.number}
        try:
            request = self._frozen(key, rendered, lambda: self._complete(provider, rendered, run))
        except ProviderError as error:
            return [] if error.code == ANOTHER else [_not_launched(who, attempt.try_no, error)]
        now = self.objects.now()
        if now > action.not_after:
            return []
        who["at"] = now
        if request is None:
            told = {
                "error_class": ErrorClass.INVALID,
                "code": "InvalidRequest",
                "message": f"{key} was changed from outside",
            }
            return [ev.LaunchFailed(**who, **told, try_no=attempt.try_no)]
        try:
            instance = provider.launch(request, lambda: self.objects.now() <= action.not_after)
        except TooLateError:
            return []  # the next tick decides anew, by what others have made of it meanwhile
        except ProviderError as error:
            if error.code == ANOTHER:
                return []  # whoever intended it sends it: a failure of ours would pause the run for them
            if error.code in provider.capabilities.images_gone and request.image_id != rendered.image_id:
                return [_without_image(who, attempt.try_no, error)]
            return [_not_launched(who, attempt.try_no, error)]
        return [ev.LaunchSucceeded(**who, try_no=attempt.try_no, instance=instance)]

    def _complete(self, provider: Provider, request: LaunchRequest, run: RunState) -> LaunchRequest:
        """The request with what its provider's machines boot from: an image, and user-data that brings the agent."""
        if not provider.capabilities.images:
            return request
        target = provider.boot_target(request.offers, image_wish(run.job.resources, run.boot_failures))
        if target is None:
            return request
        from fleet.control.booting import user_data

        told = user_data(self.objects, request, target, run.job)
        return request.model_copy(update={"image_id": target.image_id, "setup": target.setup, "user_data": told})

    def _frozen(self, key: str, rendered: LaunchRequest, complete: Callable[[], LaunchRequest]) -> LaunchRequest | None:
        """The request as it was frozen first, by this controller or another; None if it is not of what was intended."""
        try:
            found = self.objects.get(key)
        except NotFoundError:
            data = document_bytes(complete())
            try:
                self.objects.create(key, data)
                found = data
            except AlreadyExistsError:
                found = self.objects.get(key)
        try:
            request = LaunchRequest.model_validate_json(found)
        except ValidationError:
            return None
        return request if _is_of(rendered, request) else None

    def _examine(self, action: do.ExamineBoot, state: FleetState) -> list[ev.Event]:
        """Keep the console; nothing is told while there is nothing to tell and the machine may still say something."""
        provider = self.providers.get(action.provider)
        if provider is None:
            return []
        try:
            console = provider.console(action.region, action.instance_id)
        except ProviderError:
            return []
        try:
            log = self.objects.get(layout.boot_log(action.run_id, action.attempt)).decode(errors="replace")
        except NotFoundError:
            log = ""
        except StoreError:
            return []  # looking into a boot must never stand before the end of its machine
        gone = state.runs[action.run_id].attempts[action.attempt].phase == "gone"
        if not (console or log) and not gone:
            return []
        try:
            if console:
                self.objects.put(layout.console(action.run_id, action.attempt), console.encode())
        except StoreError:
            return []
        return [
            ev.BootExamined(
                at=self.objects.now(),
                run_id=action.run_id,
                attempt=action.attempt,
                console=bool(console),
                boot_log=bool(log),
                tail=_tail(log or console),
            )
        ]

    def _grow(self, action: do.GrowVolume) -> list[ev.Event]:
        """Ask for it; that it is larger is seen in the listing."""
        provider = self.providers.get(action.provider)
        if provider is None:
            return []
        try:
            provider.grow_volume(action.region, action.volume_id, action.size_gb)
        except ProviderError as error:
            return [
                ev.VolumeGrowFailed(
                    at=self.objects.now(),
                    run_id=action.run_id,
                    volume_id=action.volume_id,
                    error_class=error.error_class,
                    code=error.code,
                    message=error.message,
                )
            ]
        return []

    def _close(self, action: do.CloseAccess) -> None:
        """One that cannot be closed is met again in the next sweep, and said aloud by then too."""
        provider = self.providers.get(action.provider)
        if provider is None:
            return
        try:
            provider.close_access(action.rule)
        except ProviderError as error:
            told = f"{action.rule.cidr} may still reach {action.rule.group_id} in {action.rule.region}"
            log.warning("fleet: %s: %s; the next sweep tries again, as does `fleet gc --delete`", told, error.message)

    def _call(self, action: do.Terminate | do.Attach | do.Detach | do.DeleteVolume, state: FleetState) -> list[ev.Event]:
        provider = self.providers.get(action.provider)
        if provider is None:
            return []
        call: Call = "terminate"
        try:
            if isinstance(action, do.Terminate):
                provider.terminate(action.region, action.instance_id)
            elif isinstance(action, do.Attach):
                call = "attach"
                provider.attach(action.region, action.volume_id, action.instance_id)
            elif isinstance(action, do.Detach):
                call = "detach"
                provider.detach(action.region, action.volume_id, action.instance_id)
            else:
                call = "delete-volume"
                provider.delete_volume(action.region, action.volume_id)
                return [ev.VolumeDeleted(at=self.objects.now(), run_id=action.run_id, volume_id=action.volume_id)]
        except ProviderError as error:
            return self._failed(action, call, error, state)
        return []

    def _failed(
        self,
        action: do.Terminate | do.Attach | do.Detach | do.DeleteVolume,
        call: Call,
        error: ProviderError,
        state: FleetState,
    ) -> list[ev.Event]:
        """A failure worth recording: once per attempt and message, since the call is repeated until it succeeds."""
        run = state.runs.get(action.run_id)
        number = getattr(action, "attempt", 0)
        attempt = run.attempts.get(number) if run is not None else None
        told = f"{call}: {error.code}: {error.message}"
        passing = error.error_class in (ErrorClass.NOT_YET, ErrorClass.THROTTLED, ErrorClass.TRANSIENT)
        if attempt is None and not passing and (action.key, told) not in self.told:
            self.told.add((action.key, told))
            log.warning("fleet: %s: %s; it is tried again and again", action.key, error.message)
        if attempt is None or attempt.error == told or error.error_class is ErrorClass.NOT_YET:
            return []
        return [
            ev.CallFailed(
                at=self.objects.now(),
                run_id=action.run_id,
                attempt=number,
                call=call,
                error_class=error.error_class,
                code=error.code,
                message=error.message,
            )
        ]
