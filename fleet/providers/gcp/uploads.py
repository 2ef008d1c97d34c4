"""Uploads in parts that nobody finished: their parts are stored, and charged, until somebody gives them up.

A bucket of fleet's has a rule for that (``AbortIncompleteMultipartUpload``); ``fleet gc`` looks and removes before that.
Only the XML interface knows of them: https://cloud.google.com/storage/docs/multipart-uploads.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.etree import ElementTree

from fleet.model.across import storage_endpoint
from fleet.model.base import Seconds
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp import session

if TYPE_CHECKING:
    from requests import Response


@dataclass(frozen=True, slots=True)
class Unfinished:
    """One upload."""

    key: str
    upload_id: str
    begun_at: Seconds
    size: int
    """Bytes of the parts that are there."""


def unfinished(bucket: str, prefix: str = "") -> list[Unfinished]:
    """Every one below a prefix. Raises ProviderError."""
    found, after = [], {"prefix": prefix}
    while True:
        page = _tree(_ask("GET", _url(bucket), {"uploads": "", **after}))
        for one in page.findall("{*}Upload"):
            key, name = one.findtext("{*}Key") or "", one.findtext("{*}UploadId") or ""
            begun = datetime.fromisoformat((one.findtext("{*}Initiated") or "").replace("Z", "+00:00"))
            found.append(Unfinished(key, name, begun.timestamp(), _size(bucket, key, name)))
        if page.findtext("{*}IsTruncated") != "true":
            return found
        after |= {
            "key-marker": page.findtext("{*}NextKeyMarker") or "",
            "upload-id-marker": page.findtext("{*}NextUploadIdMarker") or "",
        }


def abort(bucket: str, upload: Unfinished) -> None:
    """Give it up: its parts are gone. One that is gone already is success. Raises ProviderError."""
    try:
        _ask("DELETE", _url(bucket, upload.key), {"uploadId": upload.upload_id})
    except ProviderError as error:
        if error.code != "NoSuchUpload":
            raise


def _size(bucket: str, key: str, upload_id: str) -> int:
    size, after = 0, "0"
    while True:
        try:
            page = _tree(_ask("GET", _url(bucket, key), {"uploadId": upload_id, "part-number-marker": after}))
        except ProviderError as error:
            if error.code == "NoSuchUpload":  # it was finished meanwhile
                return 0
            raise
        size += sum(int(part.findtext("{*}Size") or 0) for part in page.findall("{*}Part"))
        after = page.findtext("{*}NextPartNumberMarker") or ""
        if page.findtext("{*}IsTruncated") != "true" or not after:
            return size


def _url(bucket: str, key: str = "") -> str:
    base = storage_endpoint(os.environ)
    return f"{base}/{bucket}/{quote(key, safe='')}" if key else f"{base}/{bucket}"


def _ask(method: str, url: str, query: dict[str, str]) -> Response:
    import requests
    from google.auth.exceptions import GoogleAuthError

    timeout = (session.CONNECT_SECONDS, session.READ_SECONDS)
    try:
        answer: Response = session.authorized().request(method, url, params=query, timeout=timeout)
    except GoogleAuthError as error:
        told = f"no Google credentials: {error}"
        raise ProviderError(ErrorClass.CREDENTIALS, "RefreshError", told, f"Log in: {session.LOGIN}") from None
    except requests.RequestException as error:
        raise ProviderError(ErrorClass.TRANSIENT, type(error).__name__, f"{url} does not answer: {error}") from None
    if answer.status_code < 300:
        return answer
    code = _tree(answer).findtext("Code") or str(answer.status_code)
    raise ProviderError(_class(answer.status_code), code, f"{method} {url}: {code}")


def _class(status: int) -> ErrorClass:
    known = {401: ErrorClass.CREDENTIALS, 403: ErrorClass.DENIED, 404: ErrorClass.INVALID, 429: ErrorClass.THROTTLED}
    return known.get(status, ErrorClass.TRANSIENT if status >= 500 else ErrorClass.UNKNOWN)


def _tree(answer: Response) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(answer.content)  # noqa: S314  # Google's own answer
    except ElementTree.ParseError:
        return ElementTree.Element("nothing")
