"""Keeping the contract's word that nothing but ProviderError leaves a provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fleet.model.errors import ErrorClass, FleetError, ProviderError
from fleet.providers.wrap.around import Call, Wrapper

T = TypeVar("T")


class Guard(Wrapper):
    """What a provider did not foresee (a full disk, a record that cannot be read) becomes a class of error."""

    def around(self, call: Call, do: Callable[[], T]) -> T:
        """Make the call; translate what it raises."""
        try:
            return do()
        except ProviderError:
            raise
        except FleetError as error:
            raise ProviderError(ErrorClass.TRANSIENT, type(error).__name__, error.message, error.hint) from error
        except OSError as error:
            message = f"{error.filename or call.method}: {error.strerror or error}"
            raise ProviderError(ErrorClass.TRANSIENT, type(error).__name__, message) from error
        except (KeyError, TypeError, ValueError) as error:
            message = f"{call.method} met what it cannot read: {error!r}"
            raise ProviderError(ErrorClass.UNKNOWN, type(error).__name__, message) from error
        except Exception as error:  # an SDK's own: a cloud's trouble must not end whoever keeps the runs alive
            raise ProviderError(ErrorClass.UNKNOWN, type(error).__name__, f"{call.method}: {error}") from error
