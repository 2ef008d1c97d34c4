"""What Cloud Storage's XML interface answers: listings page by page, and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from xml.sax.saxutils import escape

from tests.gce.buckets import Bucket, NoError, Upload
from tests.gce.wire import Answered, Asked

PAGE = 1000
NAMESPACE = "http://doc.s3.amazonaws.com/2006-03-01"


def listing(bucket: Bucket, asked: Asked) -> Answered:
    if asked.one("list-type") != "2" or asked.one("delimiter", "/") != "/":
        raise NoError(400, "InvalidArgument", "Invalid argument.")
    prefix, most = asked.one("prefix"), min(PAGE, int(asked.one("max-keys", str(PAGE))))
    after = asked.one("continuation-token") or asked.one("start-after")
    entries: list[str] = []
    folders: list[str] = []
    last, more = "", False
    for key, stored in bucket.listed(prefix, after):
        rest = key[len(prefix) :]
        folder = prefix + rest.partition("/")[0] + "/" if "delimiter" in asked.query and "/" in rest else ""
        if folder and folder in folders:
            last = key
            continue
        if len(entries) + len(folders) == most:
            more = True
            break
        last = key
        if folder:
            folders.append(folder)
            continue
        names = {"Key": key, "Generation": stored.generation, "MetaGeneration": 1, "LastModified": zulu(stored.at),
                 "ETag": stored.etag, "Size": len(stored.data)}  # fmt: skip
        entries.append(f"<Contents>{fields(names)}</Contents>")
    head = {"Name": bucket.name, "Prefix": prefix, "KeyCount": len(entries) + len(folders), "IsTruncated": str(more).lower()}
    token = fields({"NextContinuationToken": last}) if more else ""
    common = "".join(f"<CommonPrefixes>{fields({'Prefix': one})}</CommonPrefixes>" for one in folders)
    return xml("ListBucketResult", fields(head) + token + "".join(entries) + common)


def uploads(bucket: Bucket, asked: Asked) -> Answered:
    prefix, most = asked.one("prefix"), min(PAGE, int(asked.one("max-uploads", str(PAGE))))
    begun = sorted((one.key, one.upload_id, one) for one in bucket.uploads.values() if one.key.startswith(prefix))
    marker = (asked.one("key-marker"), asked.one("upload-id-marker", "\U0010ffff"))
    left = [one for key, name, one in begun if not marker[0] or (key, name) > marker]
    page, more = left[:most], len(left) > most
    told = {"Bucket": bucket.name, "Prefix": prefix, "IsTruncated": str(more).lower()}
    if more:
        told |= {"NextKeyMarker": page[-1].key, "NextUploadIdMarker": page[-1].upload_id}
    each = ({"Key": one.key, "UploadId": one.upload_id, "Initiated": zulu(one.at)} for one in page)
    return xml("ListMultipartUploadsResult", fields(told) + "".join(f"<Upload>{fields(one)}</Upload>" for one in each))


def zulu(seconds: float) -> str:
    """As the XML interface writes times."""
    text = datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def fields(told: Mapping[str, object]) -> str:
    return "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in told.items())


def xml(name: str, inner: str, status: int = 200) -> Answered:
    text = f"<?xml version='1.0' encoding='UTF-8'?><{name} xmlns='{NAMESPACE}'>{inner}</{name}>"
    return Answered(status, {"content-type": "application/xml; charset=UTF-8"}, text.encode())


def refusal(error: NoError) -> Answered:
    told = {"Code": error.reason, "Message": error.message} | ({"Details": error.told} if error.told else {})
    text = f"<?xml version='1.0' encoding='UTF-8'?><Error>{fields(told)}</Error>"
    return Answered(error.status, {"content-type": "application/xml; charset=UTF-8"}, text.encode())


def parts(upload: Upload, asked: Asked) -> Answered:
    """The parts of an upload that are there."""
    after = int(asked.one("part-number-marker", "0"))
    left = [(number, *upload.parts[number]) for number in sorted(upload.parts) if number > after]
    page, more = left[:PAGE], len(left) > PAGE
    told = {"Key": upload.key, "UploadId": upload.upload_id, "IsTruncated": str(more).lower()}
    if more:
        told["NextPartNumberMarker"] = str(page[-1][0])
    each = ({"PartNumber": number, "ETag": etag, "Size": len(data)} for number, etag, data in page)
    return xml("ListPartsResult", fields(told) + "".join(f"<Part>{fields(one)}</Part>" for one in each))
