"""Cloud Storage's XML interface, as far as obstore and fleet speak it: anything else breaks the test.

``PUT`` with ``x-goog-if-generation-match: 0`` creates; listings are of version 2, page by page; uploads in parts are those
of S3. Written after Google's reference of the XML API. ``fail`` and ``lose`` are a test's words for calls to come.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from tests.gce.buckets import Bucket, NoError, Stored, Upload
from tests.gce.jsonapi import Called, Cloud, Handler
from tests.gce.objects_xml import fields, listing, parts, refusal, uploads, xml
from tests.gce.wire import Answered, Asked, Json

LOST = 444
"""The server closes the connection without a word."""
KNOWN = {
    "GET": {"list-type", "prefix", "delimiter", "continuation-token", "start-after", "max-keys", "uploads", "max-uploads",
            "key-marker", "upload-id-marker", "uploadId", "part-number-marker"},
    "HEAD": set(),
    "PUT": {"partNumber", "uploadId"},
    "POST": {"uploads", "uploadId"},
    "DELETE": {"uploadId"},
}  # fmt: skip
PERMISSIONS = {"GET": "get", "HEAD": "get", "PUT": "create", "POST": "create", "DELETE": "delete"}


def buckets(cloud: Cloud) -> dict[str, Bucket]:
    """Every bucket there is, by its name; the JSON interface makes and deletes them."""
    found: dict[str, Bucket] = cloud.__dict__.setdefault("buckets", {})
    return found


def handlers(cloud: Cloud) -> dict[str, Handler]:
    """What answers below ``/objects``."""
    buckets(cloud).clear()
    return {"objects": Objects(cloud)}


@dataclass
class Trouble:
    """What happens to calls to come."""

    method: str
    match: str
    status: int
    times: int
    done: bool
    """The call is carried out, and only its answer is another."""


class Objects:
    """Answers for every bucket."""

    signs_in_itself = True
    """A refusal for want of a token is XML here."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.troubles: list[Trouble] = []

    def control(self, verb: str, told: Json) -> Any:
        """``make`` a bucket, ``keys`` and ``uploads`` of one; ``fail`` calls to come, or ``lose`` their answers."""
        if verb == "make":
            buckets(self.cloud).setdefault(told["name"], Bucket(told["name"]))
        elif verb == "keys":
            return sorted(buckets(self.cloud)[told["name"]].objects)
        elif verb == "uploads":
            return [one.key for one in buckets(self.cloud)[told["name"]].uploads.values()]
        elif verb in ("fail", "lose"):
            status = LOST if verb == "lose" else int(told.get("status", 503))
            times, match = int(told.get("times", 1)), str(told.get("match", ""))
            trouble = Trouble(told.get("method", "PUT"), match, status, times, verb == "lose")
            self.troubles.append(trouble)
        else:
            raise KeyError(verb)
        return None

    def handle(self, asked: Asked) -> Answered | None:
        """The answer, also the refusal."""
        name, _, key = asked.path.lstrip("/").partition("/")
        name, key = unquote(name), unquote(key)
        unknown = asked.query.keys() - KNOWN.get(asked.method, set())
        if unknown or asked.method not in KNOWN or "x-goog-copy-source" in asked.headers:
            return self.cloud.fault(f"objects: {asked.method} {asked.path} with {sorted(unknown)} is not spoken here")
        trouble = self._trouble(asked.method, key)
        if trouble is not None and not trouble.done:
            return refusal(NoError(trouble.status, "ServiceUnavailable", "Service unavailable. Please retry."))
        try:
            answered = self._answer(asked, name, key)
        except NoError as error:
            answered = refusal(error)
        params = {"bucket": name, "key": key, **{one: values[0] for one, values in asked.query.items()}}
        call = f"objects.{asked.method}"
        self.cloud.calls.append(Called(self.cloud.clock(), call, params, None, answered.status, asked.principal))
        return answered if trouble is None else Answered(trouble.status)

    def _trouble(self, method: str, key: str) -> Trouble | None:
        for one in self.troubles:
            if one.times > 0 and one.method == method and one.match in key:
                one.times -= 1
                return one
        return None

    def _answer(self, asked: Asked, name: str, key: str) -> Answered:
        if not asked.principal:
            raise NoError(401, "AuthenticationRequired", "Authentication required.")
        bucket = buckets(self.cloud).get(name)
        if bucket is None:
            raise NoError(404, "NoSuchBucket", "The specified bucket does not exist.")
        if not key:
            if asked.method != "GET":
                raise NoError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
            kind = "multipartUploads.list" if "uploads" in asked.query else "objects.list"
            _permit(bucket, asked.principal, kind, "")
            return uploads(bucket, asked) if "uploads" in asked.query else listing(bucket, asked)
        return self._object(bucket, key, asked)

    def _object(self, bucket: Bucket, key: str, asked: Asked) -> Answered:
        if asked.method != "DELETE" or "uploadId" not in asked.query:
            _permit(bucket, asked.principal, f"objects.{PERMISSIONS[asked.method]}", key)
        if asked.method == "GET" and "uploadId" in asked.query:
            return parts(_upload(bucket, key, asked), asked)
        if asked.method in ("GET", "HEAD"):
            return _got(_stored(bucket, key), asked.headers)
        if asked.method == "DELETE":
            return self._delete(bucket, key, asked)
        if asked.method == "POST":
            return self._post(bucket, key, asked)
        if "uploadId" in asked.query:
            etag = bucket.part(_upload(bucket, key, asked), int(asked.one("partNumber")), asked.body)
            return Answered(200, {"etag": etag})
        self._may_write(bucket, key, asked)
        stored = bucket.write(key, asked.body, self.cloud.clock(), asked.headers.get("content-type", ""))
        return Answered(200, {"etag": stored.etag, "x-goog-generation": str(stored.generation)})

    def _may_write(self, bucket: Bucket, key: str, asked: Asked) -> None:
        there = bucket.objects.get(key)
        wanted = asked.headers.get("x-goog-if-generation-match")
        if wanted is not None and int(wanted) != (there.generation if there else 0):
            told = "At least one of the pre-conditions you specified did not hold."
            raise NoError(412, "PreconditionFailed", told, "x-goog-if-generation-match")
        if there is not None:  # what replaces an object removes it as well
            _permit(bucket, asked.principal, "objects.delete", key)

    def _delete(self, bucket: Bucket, key: str, asked: Asked) -> Answered:
        if "uploadId" in asked.query:
            _permit(bucket, asked.principal, "multipartUploads.abort", key)
            del bucket.uploads[_upload(bucket, key, asked).upload_id]
        else:
            _stored(bucket, key)
            del bucket.objects[key]
        return Answered(204)

    def _post(self, bucket: Bucket, key: str, asked: Asked) -> Answered:
        _permit(bucket, asked.principal, "multipartUploads.create", key)
        if "uploads" in asked.query:
            begun = bucket.begin(key, self.cloud.clock(), asked.headers.get("content-type", ""))
            names = {"Bucket": bucket.name, "Key": key, "UploadId": begun.upload_id}
            return xml("InitiateMultipartUploadResult", fields(names))
        wanted = [
            (int(part.findtext("{*}PartNumber") or 0), part.findtext("{*}ETag") or "")
            for part in ElementTree.fromstring(asked.body).findall("{*}Part")
        ]
        upload = _upload(bucket, key, asked)
        if key in bucket.objects:
            _permit(bucket, asked.principal, "objects.delete", key)
        stored = bucket.complete(upload, wanted, self.cloud.clock())
        names = {"Location": f"/{bucket.name}/{key}", "Bucket": bucket.name, "Key": key, "ETag": stored.etag}
        answered = xml("CompleteMultipartUploadResult", fields(names))
        return Answered(200, {**answered.headers, "x-goog-generation": str(stored.generation)}, answered.body)


def _permit(bucket: Bucket, principal: str, permission: str, key: str) -> None:
    """Raises NoError as Google does: whoever may not list is not told what is absent either."""
    place = f"projects/_/buckets/{bucket.name}" + (f"/objects/{key}" if key else "")
    if not bucket.allowed(principal, f"storage.{permission}", place):
        told = f"{principal} does not have storage.{permission} access to the Google Cloud Storage object."
        raise NoError(403, "AccessDenied", "Access denied.", told)


def _stored(bucket: Bucket, key: str) -> Stored:
    if key not in bucket.objects:
        raise NoError(404, "NoSuchKey", "The specified key does not exist.", f"No such object: {bucket.name}/{key}")
    return bucket.objects[key]


def _upload(bucket: Bucket, key: str, asked: Asked) -> Upload:
    found = bucket.uploads.get(asked.one("uploadId"))
    if found is None or found.key != key:
        raise NoError(404, "NoSuchUpload", "The requested upload was not found.")
    return found


def _got(stored: Stored, headers: Mapping[str, str]) -> Answered:
    told = {
        "content-type": stored.content_type,
        "etag": stored.etag,
        "last-modified": formatdate(stored.at, usegmt=True),
        "x-goog-generation": str(stored.generation),
        "x-goog-hash": f"md5={stored.md5}",
        "x-goog-stored-content-length": str(len(stored.data)),
        "content-length": str(len(stored.data)),
    }
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("range", ""))
    if wanted is None:
        return Answered(200, told, stored.data)
    size = len(stored.data)
    first = int(wanted[1]) if wanted[1] else size - int(wanted[2])
    last = min(size - 1, int(wanted[2])) if wanted[1] and wanted[2] else size - 1
    piece = stored.data[first : last + 1]
    told |= {"content-range": f"bytes {first}-{last}/{size}", "content-length": str(len(piece))}
    return Answered(206, told, piece)
