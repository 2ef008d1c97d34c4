"""Asking Google's interfaces by plain REST: one answer, or all pages of a list. No call is repeated here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp import session

MOST_PAGES = 1000
"""A list that goes on after so many goes round in circles."""


def get(api: str, path: str, call: str, **params: str | int) -> dict[str, Any]:
    """One answer of an interface (``compute``). ``call`` is what a refusal calls it by. Raises ProviderError."""
    return request("GET", api, path, call, params=params)[0]


def request(
    method: str, api: str, path: str, call: str, *, body: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None, wait: float = session.READ_SECONDS,
) -> tuple[dict[str, Any], Mapping[str, str]]:  # fmt: skip
    """One request: what was answered ({} for nothing), and the answer's headers. ``wait``: seconds. Raises ProviderError."""
    from fleet.providers.gcp.errors import answer_refusal, translated

    with translated(call):
        answer = session.authorized().request(
            method,
            f"{session.endpoint(api)}{path}",
            json=body,
            params=params,
            timeout=(session.CONNECT_SECONDS, wait),
        )
    if answer.status_code >= 300:
        raise answer_refusal(call, answer.status_code, answer.text)
    try:
        found = answer.json() if answer.content else {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ProviderError(ErrorClass.TRANSIENT, "NoJson", f"{call}: the answer is none of the service's")
    return found, answer.headers


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
