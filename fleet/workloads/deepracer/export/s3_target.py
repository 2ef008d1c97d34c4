"""A prefix in a bucket as a target: small files in one request, large ones in parts that outlive a broken connection."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fleet.model.errors import FleetError, NotFoundError, ProviderError
from fleet.store.remote import PART
from fleet.workloads.deepracer.export.contents import Taker
from fleet.workloads.deepracer.export.multipart import Upload, parts_of
from fleet.workloads.deepracer.export.patience import Patience, RefusedError
from fleet.workloads.deepracer.export.staging import Staged
from fleet.workloads.deepracer.export.target import Tell

MOST_STRANGE = 10_000
"""Objects that are listed at most: with so many there is something else for certain."""
GONE = frozenset({"404", "NoSuchKey", "NotFound"})
CONNECT_SECONDS, READ_SECONDS = 10, 60


@dataclass
class S3Target:
    """Everything below one prefix; keys that merely begin with the same letters are no part of it."""

    client: Any
    """botocore's, which tries nothing again by itself."""
    bucket: str
    prefix: str
    patience: Patience = field(default_factory=Patience)

    @property
    def where(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def sizes(self) -> dict[str, int]:
        """Everything below it, by its name relative to it."""
        found: dict[str, int] = {}
        within, after = self._key(""), ""
        while len(found) < MOST_STRANGE:
            wish = {"Bucket": self.bucket, "Prefix": within, **({"ContinuationToken": after} if after else {})}
            answer = self._ask("ListObjectsV2", wish)
            found |= {one["Key"][len(within) :]: int(one["Size"]) for one in answer.get("Contents", ())}
            after = answer.get("NextContinuationToken") or ""
            if not answer.get("IsTruncated") or not after:
                break
        return found

    def holds(self, one: Staged) -> bool:
        """By the bucket's own checksum, where it is one of the bytes; else they are read."""
        tag = str(self._ask("HeadObject", self._at(one.name)).get("ETag", "")).strip('"')
        if tag in _tags(one.path):
            return True
        return self.digest(one.name) == one.sha256

    def send(self, one: Staged, tell: Tell) -> None:
        """Whole or not at all; the parts of a large file that got through stay, for whoever goes on with it."""
        if one.size > PART:
            Upload(self.client, self.bucket, self._key(one.name), self.patience).send(one.path, tell)
            return
        data = one.path.read_bytes()
        self._ask("PutObject", {**self._at(one.name), "Body": data, "ContentMD5": _md5(data)})
        tell(len(data))

    def digest(self, name: str) -> str:
        """Read it back, part by part: one that breaks off is asked for again, and not what came before it."""
        digest = hashlib.sha256()
        for piece in self._pieces(name):
            digest.update(piece)
        return digest.hexdigest()

    def read(self, name: str) -> bytes:
        """Raises NotFoundError."""
        return b"".join(self._pieces(name))

    def _pieces(self, name: str) -> Iterator[bytes]:
        try:
            head = self._ask("HeadObject", self._at(name))
            size, tag = int(head["ContentLength"]), head.get("ETag", "")
            for start in range(0, size, PART):
                wish = {**self._at(name), "Range": f"bytes={start}-{min(size, start + PART) - 1}", "IfMatch": tag}
                yield self.patience.until_done(f"GetObject {name}", lambda wish=wish: _body(self.client, wish))  # type: ignore[misc]
        except RefusedError as error:
            if error.code in GONE:
                raise NotFoundError(f"{self.where} holds no {name!r}") from None
            raise

    def _ask(self, call: str, wish: Mapping[str, Any]) -> Any:
        method = getattr(self.client, _METHODS[call])
        return self.patience.until_done(f"{call} {wish.get('Key', self.where)}", lambda: method(**wish))

    def _at(self, name: str) -> dict[str, Any]:
        return {"Bucket": self.bucket, "Key": self._key(name)}

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name


_METHODS = {"ListObjectsV2": "list_objects_v2", "HeadObject": "head_object", "PutObject": "put_object"}


def _body(client: Any, wish: Mapping[str, Any]) -> bytes:
    data: bytes = client.get_object(**wish)["Body"].read()
    return data


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _tags(path: Path) -> set[str]:
    """What a bucket may call these bytes: their MD5, or that of their parts' MD5s, sent as fleet sends them."""
    whole, parts = hashlib.md5(usedforsecurity=False), []
    for piece in parts_of(path):
        whole.update(piece)
        parts.append(hashlib.md5(piece, usedforsecurity=False).digest())
    together = hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()
    return {whole.hexdigest(), f"{together}-{len(parts)}"}


def open_target(bucket: str, prefix: str, patience: Patience | None = None) -> S3Target:
    """A prefix that AWS's usual configuration leads to. Raises FleetError without boto3, or without a region."""
    from botocore.config import Config

    from fleet.providers.aws.session import aws_session
    from fleet.store.amazon import regions_of
    from fleet.store.awsconfig import read_config

    raise NotImplementedError
