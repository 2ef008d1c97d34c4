"""Which region a bucket of Amazon's is in: requests are signed for it, and a machine may run in another."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Mapping

BUCKET_REGION = "FLEET_BUCKET_REGION"
"""The variable that says it, on a machine."""
HEADER = "x-amz-bucket-region"


def amazon_domain(region: str) -> str:
    """Where a region's services are found."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def own_region(env: Mapping[str, str]) -> str:
    """The region that the environment names: on a machine, its own."""
    return env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1"


def bucket_region(bucket: str, env: Mapping[str, str] = os.environ, *, ask: str | None = None) -> str:
    """As the environment says. A machine that is told only its own region asks: every answer, a refusal too, names it.

    ``ask`` replaces the address, for tests.
    """
    here = own_region(env)
    if env.get(BUCKET_REGION):
        return env[BUCKET_REGION]
    if env.get("FLEET_MACHINE") != "ec2" or env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL"):
        return here
    request = urllib.request.Request(f"{ask or f'https://s3.{here}.{amazon_domain(here)}'}/{bucket}", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            named = answer.headers.get(HEADER)
    except urllib.error.HTTPError as error:
        with error:
            named = error.headers.get(HEADER)
    except OSError:
        named = None  # whoever opens the bucket next is told what is wrong
    return named or here
