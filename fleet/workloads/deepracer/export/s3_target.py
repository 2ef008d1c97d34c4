"""A prefix in a bucket as a target: small files in one request, large ones in parts that outlive a broken connection."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fleet import __version__
from fleet.model.errors import FleetError, NotFoundError
from fleet.store.remote import PART
from fleet.workloads.deepracer.export.multipart import Upload, parts_of
from fleet.workloads.deepracer.export.patience import Patience, RefusedError
from fleet.workloads.deepracer.export.staging import Staged
from fleet.workloads.deepracer.export.target import MOST_STRANGE, Tell

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

    def sizes(self, only: Sequence[str] | None = None) -> dict[str, int]:
        """Of everything below it, or of some names, as far as they are there."""
        if only is not None:
            heads = {name: self._head(name) for name in only}
            return {name: int(head["ContentLength"]) for name, head in heads.items() if head is not None}
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
        head = self._head(one.name)
        if head is None:
            return False
        return str(head.get("ETag", "")).strip('"') in _tags(one.path) or self.digest(one.name) == one.sha256

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
        head = self._head(name)
        if head is None:
            raise NotFoundError(f"{self.where} holds no {name!r}")
        size = int(head["ContentLength"])
        for start in range(0, size, PART):
            wish = {**self._at(name), "Range": f"bytes={start}-{min(size, start + PART) - 1}", "IfMatch": head["ETag"]}
            yield self.patience.until_done(f"GetObject {name}", partial(_body, self.client, wish))

    def _head(self, name: str) -> Any | None:
        """What is told of an object; None: it is not there."""
        try:
            return self._ask("HeadObject", self._at(name))
        except RefusedError as error:
            if error.code in GONE:
                return None
            raise

    def _ask(self, call: str, wish: Mapping[str, Any]) -> Any:
        method = getattr(self.client, _METHODS[call])
        return self.patience.until_done(f"{call} {wish.get('Key', self.where)}", partial(method, **wish))

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
    """A prefix that AWS's usual configuration leads to. Raises FleetError without boto3, StoreError."""
    from fleet.store.amazon import open_s3, regions_of
    from fleet.store.awsconfig import read_config

    try:
        from botocore.config import Config

        from fleet.providers.aws.session import aws_session
    except ImportError:
        raise FleetError("sending to a bucket needs boto3, which is not installed", "pip install 'fleet[aws]'") from None
    open_s3(bucket, "")  # asks the bucket for its region
    endpoint = read_config(os.environ).endpoint
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": 1, "mode": "standard"},  # it is tried again here, with what is known of it
        s3={"addressing_style": "path" if endpoint is not None or "." in bucket else "virtual"},
        # Look-alikes know no checksums but MD5, which every request here carries.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra=f"fleet/{__version__}",
    )
    client = aws_session().client("s3", region_name=regions_of(bucket)[-1], endpoint_url=endpoint, config=config)
    return S3Target(client, bucket, prefix.strip("/"), patience or Patience())
