"""Everything that fleet raises on purpose.

FleetError                      what happened, and what to do about it; shown without a traceback
├── JobError                    the job file is wrong (says where)
├── StoreError                  the bucket
│   ├── NotFoundError           no such key
│   ├── AlreadyExistsError      an exclusive creation found the key taken
│   └── UnsuitableStoreError    cannot hold a fleet (ignores exclusive creation, holds a newer layout, not writable)
├── JournalError                the journal cannot be believed (broken chain, torn entry)
├── NewerVersionError           written by a newer fleet: this one is read-only
├── CheckpointError             a checkpoint does not verify, or none can be had
└── ProviderError               a cloud refused; carries an ErrorClass
    └── TooLateError            nothing was sent: its time was over
"""

from __future__ import annotations

from enum import Enum


class ErrorClass(str, Enum):
    """What a refusal means for the plan (design.md, section 5). ``denied`` and ``invalid`` are permanent."""

    CAPACITY = "capacity"
    UNAVAILABLE = "unavailable"
    PRICE = "price"
    QUOTA = "quota"
    THROTTLED = "throttled"
    TRANSIENT = "transient"
    NOT_YET = "not-yet"
    CREDENTIALS = "credentials"
    DENIED = "denied"
    INVALID = "invalid"
    UNKNOWN = "unknown"


class FleetError(Exception):
    """What happened, in one line; ``hint`` says what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class JobError(FleetError):
    """The job file is wrong; the message says where."""


class StoreError(FleetError):
    """The bucket did not do what was asked. Trying again may help unless a subclass says otherwise."""


class NotFoundError(StoreError):
    """There is no such key."""


class AlreadyExistsError(StoreError):
    """An exclusive creation found the key taken (perhaps by this very call, its answer lost)."""


class UnsuitableStoreError(StoreError):
    """This bucket or folder cannot hold a fleet; trying again does not help."""


class JournalError(FleetError):
    """The journal cannot be believed as it stands."""


class NewerVersionError(FleetError):
    """Something was written by a newer fleet: this one may read, never act."""


class CheckpointError(FleetError):
    """A checkpoint does not verify, or none can be had."""


class ProviderError(FleetError):
    """A cloud refused a call. ``error_class`` says what that means, ``code`` is the cloud's own word for it."""

    def __init__(self, error_class: ErrorClass, code: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.error_class = error_class
        self.code = code


class TooLateError(ProviderError):
    """The cloud was not asked: by the time the call would have been sent, what it is for may have been decided otherwise."""

    def __init__(self, what: str) -> None:
        super().__init__(ErrorClass.TRANSIENT, "TooLate", f"{what} was not sent: its time was over before its turn came")
