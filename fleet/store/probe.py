"""Does this store honour exclusive creation? Found out by a race, since some ignore it silently (rclone serve s3)."""

from __future__ import annotations

import contextlib
import secrets
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from fleet.model.errors import AlreadyExistsError, StoreError, UnsuitableStoreError
from fleet.store.objects import Objects

WRITERS = 8
KEYS = 4


def check_exclusive_creation(objects: Objects) -> None:
    """Let several writers race for a few keys: each must have one winner, whose bytes stand.

    Raises UnsuitableStoreError with the reason, StoreError if the store cannot be written at all.
    """
    prefix = f"probe-{secrets.token_hex(8)}/"
    keys = [f"{prefix}{number}" for number in range(KEYS)]
    try:
        with ThreadPoolExecutor(max_workers=WRITERS) as pool:
            _write_first(objects, f"{prefix}first")
            for key in keys:
                barrier = Barrier(WRITERS)
                won = list(pool.map(lambda n, k=key, b=barrier: _race(objects, k, n, b), range(WRITERS)))
                _judge(objects, key, won)
    finally:
        with contextlib.suppress(StoreError):  # it says less than what came before it
            objects.delete([*keys, f"{prefix}first"])


def _write_first(objects: Objects, key: str) -> None:
    """Can anything be written at all? Raises StoreError that names the bucket."""
    try:
        objects.put(key, b"")
    except UnsuitableStoreError:
        raise
    except StoreError as error:
        reason = error.message.removeprefix(f"{key!r}: ")
        raise StoreError(f"{objects.url} cannot be written: {reason}", error.hint) from None


def _race(objects: Objects, key: str, writer: int, barrier: Barrier) -> bool:
    barrier.wait(timeout=30)
    try:
        objects.create(key, b"%d" % writer)
    except AlreadyExistsError:
        return False
    return True


def _judge(objects: Objects, key: str, won: list[bool]) -> None:
    winners = [writer for writer, one in enumerate(won) if one]
    holder = int(objects.get(key))
    # No winner at all is a lost answer: somebody's bytes stand, and nobody was told so.
    if len(winners) > 1 or (winners and holder != winners[0]):
        raise UnsuitableStoreError(
            f"{objects.url} ignores exclusive creation: {len(winners)} of {len(won)} writers of one key were told that "
            "they were first",
            "fleet cannot keep its journal there. Use a local folder, AWS S3, Google Cloud Storage or MinIO.",
        )
