#!/usr/bin/env python3
"""Objects below the fleet's root in its bucket: bucket.py get KEY FILE [--sha256 HASH] | put FILE KEY.

With what every image's Python has, on a machine of EC2 or of Compute Engine, the bucket being on either cloud. The machine's
own cloud says who it is, and the bucket's takes that word; nothing secret is written anywhere.
"""

import argparse
import datetime
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

TRIES = 6
EMPTY = hashlib.sha256(b"").hexdigest()


class RefusedError(Exception):
    """Asking again would not help."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A request that is sent on would have to be signed anew."""

    def redirect_request(self, *_):
        """Never."""


def opener(*handlers):
    """Asks without a proxy: neither the metadata nor a bucket's endpoint inside the network is behind one."""
    return urllib.request.build_opener(NoRedirect, *handlers)


def environment():
    """What the machine was told of its cloud, this process's own environment first."""
    found = {}
    for line in Path(os.environ.get("FLEET_ROOT", "") + "/etc/fleet/environment").read_text().splitlines():
        name, equals, value = line.strip().partition("=")
        if equals:
            found[name] = value
    return {**found, **os.environ}


def ask(url, body=None, method=None, *, direct=False, **headers):
    """An answer's text; ``direct``: of the metadata, which no proxy has."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    through = opener(urllib.request.ProxyHandler({})) if direct else opener()
    try:
        with through.open(request, timeout=5 if direct else 30) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        raise OSError(f"{url.partition('?')[0]}: {error.code} {error.read(2000).decode(errors='replace')}") from None


def metadata(env):
    """Where both clouds tell a machine of itself."""
    return env.get("FLEET_METADATA_URL", "http://169.254.169.254").rstrip("/")


def role_keys(env):
    """EC2: the role's keys, from the metadata service, version 2."""
    base, lives = metadata(env), {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
    token = ask(base + "/latest/api/token", None, "PUT", direct=True, **lives)
    known = {"X-aws-ec2-metadata-token": token}
    place = base + "/latest/meta-data/iam/security-credentials/"
    role = ask(place, direct=True, **known).split()[0]
    return json.loads(ask(place + role, direct=True, **known))


def across():
    """What says who this machine is to the other cloud; there only where it is needed: user-data are small."""
    sys.path.insert(0, str(Path(__file__).parent))
    sys.dont_write_bytecode = True
    import vouched

    return vouched


def keys(env):
    """For S3: the role's own, or on Compute Engine those of the role that trusts the machine's account."""
    return across().keys(env, ask, metadata(env)) if env.get("FLEET_MACHINE") == "gce" else role_keys(env)


def token(env):
    """For Cloud Storage: the account's own, or on EC2 that of the account that trusts the machine's role."""
    if env.get("FLEET_MACHINE") == "gce":
        return across().own_token(ask, metadata(env))
    return across().token(
        env,
        ask,
        lambda host, query, headers, region: signed(
            "POST", "/", query, {"host": host, **headers}, EMPTY, role_keys(env), region, "sts"
        ),
    )


def signed(method, path, query, headers, digest, known, region, service):
    """The headers with Amazon's signature, version 4."""
    at = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {**headers, "x-amz-date": at, "x-amz-security-token": known["Token"]}
    names = ";".join(sorted(headers))
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    asked = "\n".join([method, path, query, *lines, "", names, digest])
    scope = f"{at[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256(asked.encode()).hexdigest()])
    secret = ("AWS4" + known["SecretAccessKey"]).encode()
    for part in [*scope.split("/"), text]:
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    who = f"AWS4-HMAC-SHA256 Credential={known['AccessKeyId']}/{scope}"
    return {**headers, "authorization": f"{who}, SignedHeaders={names}, Signature={secret.hex()}"}


class Bucket:
    """The fleet's bucket, as boot.json names it."""

    def __init__(self, env):
        boot = json.loads(Path(env.get("FLEET_ROOT", "") + "/etc/fleet/boot.json").read_text())
        url = urllib.parse.urlsplit(boot["root"])
        if url.scheme not in ("s3", "gs"):
            raise RefusedError(f"{url.geturl()} is no bucket of S3 or Cloud Storage")
        self.scheme, self.name, self.prefix = url.scheme, url.netloc, url.path.strip("/")
        self.env = env
        named = (env.get(name) for name in ("FLEET_BUCKET_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"))
        self.region = next(filter(None, named), "us-east-1")

    def base(self):
        """Scheme, host and the path before the key: the bucket's own host, unless there is an endpoint or a dot."""
        if self.scheme == "gs":
            endpoint = self.env.get("GOOGLE_BASE_URL") or self.env.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE")
            endpoint = endpoint or "https://storage.googleapis.com"
        else:
            endpoint = self.env.get("AWS_ENDPOINT_URL_S3") or self.env.get("AWS_ENDPOINT_URL")
        if endpoint:
            url = urllib.parse.urlsplit(endpoint)
            return url.scheme, url.netloc, url.path.rstrip("/").removesuffix("/storage/v1") + "/" + self.name
        host = f"s3.{self.region}.amazonaws.com" + (".cn" if self.region.startswith("cn-") else "")
        return ("https", host, "/" + self.name) if "." in self.name else ("https", f"{self.name}.{host}", "")

    def request(self, method, key, body=None):
        """A request that says who asks."""
        scheme, host, before = self.base()
        path = urllib.parse.quote("/".join(part for part in (before, self.prefix, key) if part))
        path = "/" + path.lstrip("/")
        headers = {} if body is None else {"content-type": "application/octet-stream"}
        if self.scheme == "gs":
            headers["authorization"] = "Bearer " + token(self.env)
        else:
            digest = hashlib.sha256(body).hexdigest() if body else EMPTY
            headers |= {"host": host, "x-amz-content-sha256": digest}
            headers = signed(method, path, "", headers, digest, keys(self.env), self.region, "s3")
        return urllib.request.Request(f"{scheme}://{host}{path}", data=body, method=method, headers=headers)

    def send(self, method, key, body=None):
        """The answer. A bucket of another region says which, and is asked there."""
        for _ in range(2):
            try:
                return opener().open(self.request(method, key, body), timeout=60)
            except urllib.error.HTTPError as error:
                region = error.headers.get("x-amz-bucket-region")
                if region and region != self.region:
                    self.region = region
                    continue
                told = error.read(2000).decode(errors="replace")
                kind = RefusedError if error.code == 404 else OSError  # new permissions take a while to be known
                raise kind(f"{method} {self.scheme}://{self.name}/{key}: {error.code} {told}") from None
        raise OSError(f"s3://{self.name} is in no region")


def get(bucket, key, file, sha256):
    """Into a file that is there only once it is whole."""
    digest, part = hashlib.sha256(), Path(file + ".part")
    with bucket.send("GET", key) as answer, part.open("wb") as whole:
        while piece := answer.read(1 << 20):
            digest.update(piece)
            whole.write(piece)
    if sha256 and digest.hexdigest() != sha256:
        raise OSError(f"{key} holds {digest.hexdigest()}, not {sha256}")
    part.replace(file)


def put(bucket, file, key):
    """A file's bytes under a key."""
    bucket.send("PUT", key, Path(file).read_bytes()).close()


def main():
    """Try, and try again."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    getting = commands.add_parser("get")
    getting.add_argument("key")
    getting.add_argument("file")
    getting.add_argument("--sha256")
    putting = commands.add_parser("put")
    putting.add_argument("file")
    putting.add_argument("key")
    words = vars(parser.parse_args())
    act = {"get": get, "put": put}[words.pop("command")]
    for left in reversed(range(TRIES)):
        try:
            act(Bucket(environment()), **words)
            return
        except RefusedError as error:
            sys.exit(f"bucket.py: {error}")
        except (OSError, ValueError, LookupError, AttributeError) as error:
            print(f"bucket.py: {error}", file=sys.stderr)
            if left:
                time.sleep(2 ** (TRIES - left) * float(os.environ.get("FLEET_PACE", "1")) / 2)
    sys.exit(1)


if __name__ == "__main__":
    main()
