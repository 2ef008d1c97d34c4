"""What IAM would be asked about a request as it comes over the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import unescape

from tests.aws.evaluator import Request
from tests.ec2.told import ACCOUNT

_METHODS = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject", "DELETE": "DeleteObject"}
_KEY = re.compile(rb"<Key>(.*?)</Key>", re.DOTALL)


def meant(method: str, target: str, headers: Mapping[str, str], body: bytes) -> list[Request]:
    """By S3's paths, or the operation that a header names. Raises KeyError for what nobody thought of."""
    operation = headers.get("x-amz-target")
    if operation is not None:
        return list(_call(operation, json.loads(body), headers["authorization"].split("/")[2]))
    path, _, query = target.partition("?")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    return list(_object(method, bucket, key, parse_qs(query, keep_blank_values=True), body))


def _call(operation: str, words: Mapping[str, object], region: str) -> Iterator[Request]:
    service, name = operation.split(".")
    if service == "AmazonSSM":
        names = words["Names"] if "Names" in words else [words["Name"]]
        assert isinstance(names, list)
        for one in names:
            yield Request(f"ssm:{name}", f"arn:aws:ssm:{region}:{ACCOUNT}:parameter{one}")
    elif service == "secretsmanager":
        yield Request(f"secretsmanager:{name}", f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{words['SecretId']}")
    else:
        raise KeyError(operation)


def _object(method: str, bucket: str, key: str, query: Mapping[str, list[str]], body: bytes) -> Iterator[Request]:
    root = f"arn:aws:s3:::{bucket}"
    if not key and "delete" in query:
        for found in _KEY.findall(body):
            yield Request("s3:DeleteObject", f"{root}/{unescape(found.decode())}")
    elif not key:
        if method not in ("GET", "HEAD"):
            raise KeyError(f"{method} of a bucket")
        prefix = query.get("prefix")
        yield Request("s3:ListBucket", root, {"s3:prefix": prefix[0]} if prefix else {})
    elif "uploadId" in query and method in ("GET", "DELETE"):
        yield Request(f"s3:{'ListMultipartUploadParts' if method == 'GET' else 'AbortMultipartUpload'}", f"{root}/{key}")
    else:
        yield Request(f"s3:{_METHODS[method]}", f"{root}/{key}")
