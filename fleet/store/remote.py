"""``s3://``, ``gs://`` and ``memory://`` through obstore, with short retries: a notice is not longer than they are."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

from fleet.model.errors import AlreadyExistsError, NotFoundError, StoreError, UnsuitableStoreError
from fleet.store.fileio import write_all
from fleet.store.objects import ObjectInfo

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

RETRIES = 3
RETRY_SECONDS = 8
CONNECT_SECONDS = 4
CALL_SECONDS = 60
"""A large part takes its time; a small call that hangs is the network's."""
PART = 5 << 20
"""Bytes that are sent in one request, S3's least. A file that is not larger goes whole, in one."""
PAGE = 1000
"""Objects that S3 lists in one answer."""
MOST_PARTS = 9_000
"""S3 takes 10,000 to a file; larger files have larger parts."""
PARTS_AT_ONCE = 2
LARGE_AT_ONCE = 4
"""Files sent in parts at the same time. Each holds up to four parts in memory: two on their way, one waiting, one being
read: 80 MiB. With the small files beside them, eight workers need 160 MiB at most, however many and however large the files
are (up to 44 GiB each: beyond that parts grow). tests/system/test_transfer.py holds it.
"""
M_MMAP_THRESHOLD = -3
"""glibc's number for it: malloc.h."""
OWN_PAGES = 1 << 20
"""Bytes from which on a buffer has pages of its own, which go back as soon as it is let go (``_give_back``)."""
GOT_AT_ONCE = 128 << 10
"""Bytes that a download takes from the stream at least: larger pieces cost more, as fresh memory does."""

CHECK = "Check the credentials, and what they may do there."
REFUSED = {
    "ExpiredToken": "have expired",
    "TokenRefreshRequired": "have expired",
    "InvalidToken": "are not valid",
    "InvalidAccessKeyId": "are not known",
    "SignatureDoesNotMatch": "do not belong together",
    "RequestTimeTooSkewed": "",
    "AuthenticationRequired": "are not accepted",
    "invalid_grant": "have expired, or were taken back",
}
"""S3's codes for requests whose signature it does not take, Cloud Storage's for a token that it does not take, and that of
Google's token server; and what they say of the credentials."""
_CODE = re.compile(r"<Code>(\w+)</Code>|\W(invalid_grant)\W")
_OURS = re.compile(r"External (?:AWS|GCP) credential provider: [\w.]+: ([^\n]+)\n?([^\n]*)")
"""How obstore passes on what credentials of ours raise, message and hint."""


def retry_config() -> RetryConfig:
    """obstore's own limits are ten retries in three minutes: longer than a notice."""
    return {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)}


def client_options(*, allow_http: bool) -> ClientConfig:
    """Time limits; plain HTTP only for an endpoint that says so itself."""
    return {
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "timeout": timedelta(seconds=CALL_SECONDS),
        "allow_http": allow_http,
    }


class RemoteObjects:
    """A bucket behind obstore."""

    def __init__(
        self,
        store: ObjectStore,
        url: str,
        now: Callable[[], float],
        *,
        pause: Callable[[], None] = lambda: None,
        login: Callable[[], str] = lambda: CHECK,
    ) -> None:
        """``pause`` is called before each part of an upload; it may wait (fleet/store/throttle.py). ``login`` tells what to
        do about credentials that are refused."""
        self._store = store
        self._url = url.rstrip("/")
        self._now = now
        self._pause = pause
        self._login = login
        self._large = threading.BoundedSemaphore(LARGE_AT_ONCE)

    @property
    def url(self) -> str:
        """As it was opened."""
        return self._url

    def now(self) -> float:
        """The time by the bucket's clock."""
        return self._now()

    def get(self, key: str) -> bytes:
        """The bytes under a key. Raises NotFoundError."""
        import obstore

        with translated(key, self._login):
            return bytes(obstore.get(self._store, key).bytes())

    def put(self, key: str, data: bytes) -> None:
        """Write, replacing what was there."""
        import obstore

        with translated(key, self._login):
            obstore.put(self._store, key, data, use_multipart=False)

    def create(self, key: str, data: bytes) -> None:
        """Write only if the key is absent (``If-None-Match: *``)."""
        import obstore

        with translated(key, self._login):
            obstore.put(self._store, key, data, mode="create", use_multipart=False)

    def upload(self, key: str, path: Path) -> str | None:
        """``put`` from a file, in parts if it is large; hashed as it is read, once."""
        import obstore

        _give_back()
        digest = hashlib.sha256()
        with translated(key, self._login), path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= PART:
                self._pause()
                data = file.read(size + 1)
                if len(data) <= PART:
                    file.close()  # its disk may have to go while the answer is waited for
                    digest.update(data)
                    obstore.put(self._store, key, data, use_multipart=False)
                    return digest.hexdigest()
                file.seek(0)  # it grew
            part = max(PART, -(-size // MOST_PARTS))
            with self._large:
                parts = self._parts(file, part, digest)
                obstore.put(self._store, key, parts, chunk_size=part, max_concurrency=PARTS_AT_ONCE, use_multipart=True)
        return digest.hexdigest()

    def _parts(self, file: IO[bytes], part: int, digest: hashlib._Hash) -> Iterator[bytes]:
        with file:  # one that is given up holds its disk no longer, whatever its parts are still waited for
            while data := file.read(part):
                self._pause()
                digest.update(data)
                yield data

    def download(self, key: str, path: Path) -> str | None:
        """``get`` into a file, hashed on its way."""
        import obstore

        digest = hashlib.sha256()
        with translated(key, self._login):
            answer = obstore.get(self._store, key)
            with path.open("wb", buffering=0) as sink:
                for piece in answer.stream(min_chunk_size=GOT_AT_ONCE):
                    digest.update(piece)
                    write_all(sink.fileno(), piece)
        return digest.hexdigest()

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        """Every object whose key begins with ``prefix``, sorted. obstore's own prefixes are whole folders."""
        import obstore

        folder = prefix.rpartition("/")[0]
        with translated(prefix, self._login):
            found = [meta for batch in obstore.list(self._store, folder or None) for meta in batch]
        infos = [
            ObjectInfo(
                key=meta["path"],
                size=meta["size"],
                version=f"{meta['e_tag']}-{meta['size']}-{meta['last_modified'].timestamp()}",
                modified=meta["last_modified"].timestamp(),
            )
            for meta in found
            if meta["path"].startswith(prefix)
        ]
        return sorted(infos, key=lambda info: info.key)

    def tally(self, after: str | None, go_on: Callable[[], bool]) -> tuple[int, int, str | None]:
        """Bytes and objects behind a key, page by page, as long as ``go_on`` says; and the last key, or None at the end."""
        import obstore

        size = count = 0
        with translated(after or "", self._login):
            for page in obstore.list(self._store, offset=after, chunk_size=PAGE):
                size, count = size + sum(meta["size"] for meta in page), count + len(page)
                if not go_on():
                    return size, count, max(meta["path"] for meta in page)
        return size, count, None

    def delete(self, keys: Iterable[str]) -> None:
        """Remove keys; absent ones are success."""
        import obstore

        for key in keys:
            with translated(key, self._login), contextlib.suppress(FileNotFoundError):
                obstore.delete(self._store, key)


@contextlib.contextmanager
def translated(key: str, login: Callable[[], str] = lambda: CHECK) -> Iterator[None]:
    """obstore's errors as ours."""
    from obstore import exceptions

    try:
        yield
    except (FileNotFoundError, exceptions.NotFoundError) as error:
        if "bucket does not exist" in str(error) or "NoSuchBucket" in str(error):
            raise _no_bucket(error) from None
        raise NotFoundError(f"there is no {key!r}") from None
    except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
        raise AlreadyExistsError(f"{key!r} exists already") from None
    except (exceptions.UnauthenticatedError, exceptions.PermissionDeniedError) as error:
        raise _no_credentials(error, login) or StoreError(
            f"{key!r}: access is denied: {_first_line(error)}", CHECK
        ) from None
    except (exceptions.BaseError, OSError, ValueError) as error:
        refused = _no_credentials(error, login)
        if refused is not None:
            raise refused from None
        if "NoSuchBucket" in str(error):  # the answer to a listing
            raise _no_bucket(error) from None
        hint = "Is the bucket's name right, and can it be reached?"
        raise StoreError(f"{repr(key) if key else 'the bucket'}: {_first_line(error)}", hint) from None


@functools.cache
def _give_back() -> None:
    """Have the parts of uploads returned to the system as soon as they are sent.

    glibc raises that threshold by itself to the size of what was let go, so that parts come from its arenas, one for each
    thread, and their holes doubled what eight workers held: 117 to 165 MiB measured, and 77 MiB, the same each time, with a
    threshold that is set. Other C libraries have no such function and no such habit.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, OWN_PAGES)


def _no_bucket(error: BaseException) -> UnsuitableStoreError:
    name = re.search(r"<BucketName>([^<]+)</BucketName>", str(error))
    told = f"there is no bucket {name[1]!r}" if name else "the bucket does not exist"
    return UnsuitableStoreError(told, "Make it first, or mend its name; is it in another account?")


def _no_credentials(error: BaseException, login: Callable[[], str]) -> StoreError | None:
    """None: it is not a matter of credentials."""
    ours = _OURS.search(str(error))
    if ours:
        return StoreError(ours[1], ours[2] or CHECK)
    found = _CODE.search(str(error))
    code = (found[1] or found[2]) if found else ""
    if code not in REFUSED:
        return None
    if code == "RequestTimeTooSkewed":
        return StoreError("this computer's clock is too far off for signed requests", "Set the clock.")
    return StoreError(f"the bucket's credentials {REFUSED[code]} ({code})", login())


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
