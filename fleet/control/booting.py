"""What machines that boot from an image are told: the agent of this very version, and the document that it begins from."""

from __future__ import annotations

from fleet import __version__
from fleet.boot.userdata import render
from fleet.boot.wheelhouse import ensure_wheels
from fleet.model.cloud import BootTarget, LaunchRequest
from fleet.model.documents import BootDocument
from fleet.model.errors import ErrorClass, FleetError, ProviderError, StoreError
from fleet.model.job import Job
from fleet.store.objects import Objects


def user_data(objects: Objects, request: LaunchRequest, target: BootTarget, job: Job) -> str:
    """The user-data of a request, as its provider takes it; the agent is put into the bucket if it is not there yet.

    Raises ProviderError: ``transient`` if the agent cannot be packed here just now (a package index that does not answer
    must not stop a run for good), ``invalid`` if the job does not fit. StoreError is the caller's to handle.
    """
    boot = BootDocument.model_validate_json(request.user_data)
    try:
        wheels = ensure_wheels(objects, __version__, arches=(target.arch,))
    except StoreError:
        raise
    except FleetError as error:
        raise ProviderError(ErrorClass.TRANSIENT, "AgentNotPacked", error.message, error.hint) from error
    except OSError as error:
        raise ProviderError(ErrorClass.TRANSIENT, "AgentNotPacked", f"the agent could not be packed: {error}") from error
    try:
        return render(boot, target, wheels, keep_failed=job.keep_failed)
    except FleetError as error:
        raise ProviderError(ErrorClass.INVALID, type(error).__name__, error.message, error.hint) from error
