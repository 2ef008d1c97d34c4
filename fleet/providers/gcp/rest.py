"""Looking at Google's interfaces by plain REST: one page, or all of them. Nothing is changed here, and no call repeated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp import session

MOST_PAGES = 1000
"""A list that goes on after so many goes round in circles."""


def get(api: str, path: str, call: str, **params: str | int) -> dict[str, Any]:
    """One answer of an interface (``compute``). ``call`` is what a refusal calls it by. Raises ProviderError."""
    from fleet.providers.gcp.errors import answer_refusal, translated

    with translated(call):
        answer = session.authorized().get(
            f"{session.endpoint(api)}{path}",
            params={name: str(value) for name, value in params.items()},
            timeout=(session.CONNECT_SECONDS, session.READ_SECONDS),
        )
    if answer.status_code >= 400:
        raise answer_refusal(call, answer.status_code, answer.text)
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ProviderError(ErrorClass.TRANSIENT, "NoJson", f"{call}: the answer is none of the service's")
    return found


def rows(api: str, path: str, call: str, field: str = "items", **params: str | int) -> Iterator[dict[str, Any]]:
    """Every row of a list, page after page. Raises ProviderError."""
    token: dict[str, str | int] = {}
    for _ in range(MOST_PAGES):
        page = get(api, path, call, **params, **token)
        yield from page.get(field, ())
        if not page.get("nextPageToken"):
            return
        token = {"pageToken": str(page["nextPageToken"])}
    raise ProviderError(ErrorClass.TRANSIENT, "TooManyPages", f"{call}: the list has no end")
