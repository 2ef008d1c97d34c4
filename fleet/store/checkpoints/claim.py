"""Exclusive creation of small documents, read back to learn whose they are: a lost reply is no answer."""

from __future__ import annotations

from typing import TypeVar

from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.documents import Base, Began, Manifest
from fleet.model.errors import AlreadyExistsError, NotFoundError, StoreError
from fleet.store.objects import Objects

TRIES = 4
Document = TypeVar("Document", Base, Began, Manifest)


def create_or_read(objects: Objects, key: str, document: Document) -> Document:
    """Create a document, or read the one that stands there: whoever was first, this is what holds. Raises StoreError."""
    failure: StoreError | None = None
    for _ in range(TRIES):
        try:
            objects.create(key, document_bytes(document))
            return document
        except AlreadyExistsError:
            pass
        except StoreError as error:
            failure = error  # it may stand there all the same
        try:
            return type(document).model_validate_json(objects.get(key))
        except NotFoundError:
            continue
        except StoreError as error:
            failure = error
    raise failure or StoreError(f"{key} can be neither created nor read", "Try again.")


def claim(objects: Objects, run_id: str, attempt: int, began: Began) -> bool:
    """An attempt's first durable act: create began.json. True if the attempt is this instance's, in whatever boot."""
    return create_or_read(objects, layout.began(run_id, attempt), began).instance_id == began.instance_id
