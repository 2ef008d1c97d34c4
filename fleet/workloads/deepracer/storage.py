"""The bucket of the S3 look-alike on the machine: made before anything starts that wants it."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.prefix import S3Place

if TYPE_CHECKING:
    from obstore.store import S3Credential

VALID = timedelta(minutes=5)
PAUSE = 0.1
ANSWER = 5.0
EXISTS = 409
"""The bucket is there already, on a volume that has come along."""
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""It is on this machine: no proxy knows it."""


def make_bucket(place: S3Place, within: float = 60, pause: Callable[[float], None] = time.sleep) -> None:
    """Make the bucket as soon as the look-alike answers. Raises FleetError saying what it says if it does not do so.

    ``place`` as seen from this machine. By a request to it, never as a folder below its data: MinIO refuses a disk on which
    it finds folders before its own.
    """
    url = _signed(place)
    until, told = time.monotonic() + within, "it says nothing"
    while time.monotonic() < until:
        try:
            with _DIRECT.open(urllib.request.Request(url, data=b"", method="PUT"), timeout=ANSWER):
                return
        except urllib.error.HTTPError as error:
            if error.code == EXISTS:
                return
            told = f"HTTP {error.code} {error.read(300).decode(errors='replace')}"
            if error.code < 500:  # an answer: no other will come
                break
        except (OSError, http.client.HTTPException) as error:
            told = str(getattr(error, "reason", None) or error)
        pause(PAUSE)
    raise FleetError(f"the S3 look-alike does not make the bucket {place.bucket}: {told}", "Look at its log: docker logs")


def _signed(place: S3Place) -> str:
    """A request that whoever has the URL may make for some minutes."""
    import obstore
    from obstore.store import S3Store

    store = S3Store(
        place.bucket,
        endpoint=place.endpoint,
        region=place.region,
        # As keys, obstore would take a token of the environment with them, which belongs to others.
        credential_provider=partial(_keys, place.key or "", place.secret or ""),
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    return obstore.sign(store, "PUT", "", VALID)


def _keys(key: str, secret: str) -> S3Credential:
    return {"access_key_id": key, "secret_access_key": secret, "token": None, "expires_at": None}
