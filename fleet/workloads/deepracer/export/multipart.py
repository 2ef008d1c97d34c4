"""A large file in parts, which S3 keeps until it is whole: what breaks off is gone on with, by this process or the next.

No note is kept here: the bucket itself is asked which uploads of the key were begun, and which parts of them it has. A part
counts if its checksum is that of the bytes that belong there; every other one is sent.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fleet.model.errors import StoreError
from fleet.store.remote import MOST_PARTS, PART
from fleet.workloads.deepracer.export.patience import Patience, RefusedError
from fleet.workloads.deepracer.export.target import Tell

GONE = frozenset({"NoSuchUpload", "404", "NotFound"})
NOT_TOLD = frozenset({"AccessDenied", "NotImplemented", "MethodNotAllowed", "403", "501", "405", "AllAccessDisabled"})
"""A bucket that does not say which uploads there are: then the file is begun anew, and nothing worse comes of it."""


@dataclass
class Upload:
    """Of one key."""

    client: Any
    bucket: str
    key: str
    patience: Patience

    def send(self, path: Path, tell: Tell) -> None:
        """All of the file. Raises StoreError; the parts that got through stay."""
        upload, has = self._begun(path)
        if upload is None:
            upload = self._begin()
        try:
            self._finish(upload, self._parts(upload, has, path, tell), path)
        except RefusedError as error:
            if error.code not in GONE:
                raise
            # Somebody, or a rule of the bucket's, put an end to what was begun.
            upload = self._begin()
            self._finish(upload, self._parts(upload, {}, path, lambda _count: None), path)

    def _begun(self, path: Path) -> tuple[str | None, dict[int, str]]:
        """The newest upload of this very key whose parts are this file's, and their checksums by their numbers.

        One with a part of other bytes is another file's: it is left alone.
        """
        try:
            found = [one for one in self._pages("ListMultipartUploads") if one["Key"] == self.key]
            found.sort(key=lambda one: (str(one.get("Initiated", "")), one["UploadId"]), reverse=True)
            own = {n: _md5(piece).hexdigest() for n, piece in enumerate(parts_of(path), 1)} if found else {}
            for one in found:
                listed = self._pages("ListParts", one["UploadId"])
                parts = {int(part["PartNumber"]): str(part["ETag"]).strip('"') for part in listed}
                if parts and parts.items() <= own.items():
                    return str(one["UploadId"]), parts
        except RefusedError as error:
            if error.code not in NOT_TOLD | GONE:
                raise
        return None, {}

    def _pages(self, call: str, upload: str | None = None) -> Iterator[dict[str, Any]]:
        """Entries of a listing, page by page."""
        after: dict[str, Any] = {}
        while True:
            if upload is None:
                wish = {"Bucket": self.bucket, "Prefix": self.key, **after}
                answer = self.patience.until_done(call, partial(self.client.list_multipart_uploads, **wish))
                yield from answer.get("Uploads", ())
                after = {"KeyMarker": answer.get("NextKeyMarker"), "UploadIdMarker": answer.get("NextUploadIdMarker")}
            else:
                wish = {**self._at, "UploadId": upload, **after}
                answer = self.patience.until_done(call, partial(self.client.list_parts, **wish))
                yield from answer.get("Parts", ())
                after = {"PartNumberMarker": answer.get("NextPartNumberMarker")}
            if not answer.get("IsTruncated") or not all(after.values()):
                return

    def _begin(self) -> str:
        answer = self.patience.until_done("CreateMultipartUpload", partial(self.client.create_multipart_upload, **self._at))
        return str(answer["UploadId"])

    def _parts(self, upload: str, has: dict[int, str], path: Path, tell: Tell) -> list[dict[str, Any]]:
        """Each part sent that is not there; all of them with their checksums, as the end wants them."""
        done = []
        for number, piece in enumerate(parts_of(path), 1):
            tag = has.get(number)
            if tag is None:
                wish = {**self._at, "UploadId": upload, "PartNumber": number, "Body": piece,
                        "ContentMD5": base64.b64encode(_md5(piece).digest()).decode()}  # fmt: skip
                answer = self.patience.until_done(f"UploadPart {number}", partial(self.client.upload_part, **wish))
                tag = str(answer["ETag"]).strip('"')
            done.append({"PartNumber": number, "ETag": f'"{tag}"'})
            tell(len(piece))
        return done

    def _finish(self, upload: str, parts: list[dict[str, Any]], path: Path) -> None:
        """The file is there, whole, from now on. An end whose answer was lost is known by what lies there."""
        wish = {**self._at, "UploadId": upload, "MultipartUpload": {"Parts": parts}}
        try:
            self.patience.until_done("CompleteMultipartUpload", partial(self.client.complete_multipart_upload, **wish))
        except RefusedError as error:
            if error.code not in GONE or not self._lies_there(path):
                raise

    def _lies_there(self, path: Path) -> bool:
        try:
            answer = self.patience.until_done("HeadObject", partial(self.client.head_object, **self._at))
        except StoreError:
            return False
        return int(answer["ContentLength"]) == path.stat().st_size

    @property
    def _at(self) -> dict[str, Any]:
        return {"Bucket": self.bucket, "Key": self.key}


def part_size(size: int) -> int:
    """Bytes of a part of a file that has so many: the same for the same file, whoever sends it."""
    return max(PART, -(-size // MOST_PARTS))


def parts_of(path: Path) -> Iterator[bytes]:
    """The file's parts, in order; a file that is not larger than one is one."""
    size = part_size(path.stat().st_size)
    with path.open("rb") as file:
        while piece := file.read(size):
            yield piece


def _md5(data: bytes) -> hashlib._Hash:
    """S3's own checksum of what it is sent."""
    return hashlib.md5(data, usedforsecurity=False)
