"""``gs://``: where Cloud Storage is, and what requests to it carry.

The journal stands on ``x-goog-if-generation-match: 0``, which is how obstore creates. Requests carry what is handed over
here: on a user's computer the login that google-auth finds, on a machine what its cloud vouches for. Without that, obstore's
own reading of the Application Default Credentials has to do.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fleet.model.across import STORAGE, storage_endpoint
from fleet.store.clock import BucketClock, date_of

if TYPE_CHECKING:
    from obstore.store import GCSStore

LOGIN = "Log in: gcloud auth application-default login"


def open_gs(
    bucket: str, prefix: str, credentials: Callable[[], Any] | None = None
) -> tuple[GCSStore, Callable[[], float], Callable[[], str]]:
    """A store, its clock, and what to type when its credentials are refused.

    ``credentials`` gives what obstore calls a GCSCredential, and is called from threads of its own.
    """
    from obstore.store import GCSStore

    from fleet.store.remote import client_options, retry_config

    endpoint = storage_endpoint(os.environ)
    own: dict[str, Any] = {"base_url": endpoint} if endpoint != STORAGE else {}  # older obstores do not know the word
    store = GCSStore(
        bucket,
        prefix=prefix or None,
        **own,
        client_options=client_options(allow_http=endpoint.startswith("http://")),
        retry_config=retry_config(),
        credential_provider=credentials,
    )
    # A refusal tells the time as well: nobody signs this question.
    return store, BucketClock(lambda: date_of(f"{endpoint}/{bucket}")).now, lambda: LOGIN
