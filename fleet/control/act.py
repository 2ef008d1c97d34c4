"""Effects: each action done once, idempotently, its outcome given back as events. No decision is made here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from fleet.boot.request import launch_request
from fleet.core import actions as do
from fleet.core.state import FleetState
from fleet.model import events as ev
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.cloud import LaunchRequest
from fleet.model.errors import AlreadyExistsError, ErrorClass, NotFoundError, ProviderError
from fleet.providers.base import Provider
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

Call = Literal["launch", "terminate", "attach", "detach", "delete-volume"]


IDENTITY = ("fleet", "run", "attempt", "try", "token")
"""The tags that say whose a machine is."""


def _refused(who: dict[str, Any], try_no: int, error: ProviderError) -> ev.LaunchFailed:
    told = {"error_class": error.error_class, "code": error.code, "message": error.message}
    return ev.LaunchFailed(**who, **told, try_no=try_no)


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
        request = self._frozen(key, rendered)
        now = self.objects.now()
        if now > action.not_after:
            return []
        who: dict[str, Any] = {"at": now, "run_id": run.run_id, "attempt": attempt.number}
        if request is None:
            told = {
                "error_class": ErrorClass.INVALID,
                "code": "InvalidRequest",
                "message": f"{key} was changed from outside",
            }
            return [ev.LaunchFailed(**who, **told, try_no=attempt.try_no)]
        try:
            instance = provider.launch(request)
        except ProviderError as error:
            if error.error_class in REFUSALS:
                return [_refused(who, attempt.try_no, error)]
            told = {"error_class": error.error_class, "code": error.code, "message": error.message}
            return [ev.CallFailed(**who, **told, call="launch")]
        return [ev.LaunchSucceeded(**who, try_no=attempt.try_no, instance=instance)]

    def _frozen(self, key: str, rendered: LaunchRequest) -> LaunchRequest | None:
        """The request as it was frozen first, by this controller or another; None if it is not of what was intended."""
        data = document_bytes(rendered)
        try:
            found = self.objects.get(key)
        except NotFoundError:
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
