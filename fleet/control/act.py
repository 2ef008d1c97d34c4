"""Effects: each action done once, idempotently, its outcome given back as events. No decision is made here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from fleet.boot.request import launch_request
from fleet.core import actions as do
from fleet.core.state import FleetState
from fleet.model import events as ev
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.cloud import LaunchRequest
from fleet.model.errors import AlreadyExistsError, ErrorClass, NotFoundError, ProviderError, StoreError
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
        key = layout.launch(run.run_id, attempt.number, attempt.try_no)
        request = self._frozen(key, document_bytes(launch_request(state.fleet_id, self.objects.url, run, attempt)))
        now = self.objects.now()
        if now > action.not_after:
            return []
        who = {"at": now, "run_id": run.run_id, "attempt": attempt.number}
        try:
            instance = self.providers[attempt.offers[0].provider].launch(request)
        except ProviderError as error:
            told = {**who, "error_class": error.error_class, "code": error.code, "message": error.message}
            if error.error_class in REFUSALS:
                return [ev.LaunchFailed(**told, try_no=attempt.try_no)]
            return [ev.CallFailed(**told, call="launch")]
        return [ev.LaunchSucceeded(**who, try_no=attempt.try_no, instance=instance)]

    def _frozen(self, key: str, rendered: bytes) -> LaunchRequest:
        """The request as it was frozen first, by this controller or another."""
        try:
            data = self.objects.get(key)
        except NotFoundError:
            try:
                self.objects.create(key, rendered)
                data = rendered
            except AlreadyExistsError:
                data = self.objects.get(key)
        try:
            return LaunchRequest.model_validate_json(data)
        except ValidationError as error:
            raise StoreError(f"{key} does not hold a launch request: {error}") from None

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
