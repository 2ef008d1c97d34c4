"""How a machine of one cloud reaches a bucket of the other: what it is told, of which nothing is secret.

Its own cloud says who it is, and the bucket's cloud takes that word: no key lies anywhere.

- A machine of Compute Engine has an identity token of its service account from the metadata server, and takes on a role of
  AWS with it (AssumeRoleWithWebIdentity). The role trusts that one account, and the token is made out to that one role.
- A machine of EC2 signs the question "who am I" with the keys of its role, and has it answered at Google's Security Token
  Service (workload identity federation); then it acts as a service account for an hour at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleet.model.setup import AwsSetup, GcpSetup

BUCKET_REGION = "FLEET_BUCKET_REGION"
"""The region of a bucket on S3: a machine may run in another, or in another cloud."""
AWS_ROLE = "FLEET_AWS_ROLE"
"""The ARN of the role that a machine of Compute Engine takes on. Also what its identity token is made out to."""
GOOGLE_PROVIDER = "FLEET_GOOGLE_PROVIDER"
"""``projects/<number>/locations/global/workloadIdentityPools/<pool>/providers/<provider>``."""
GOOGLE_ACCOUNT = "FLEET_GOOGLE_ACCOUNT"
"""The address of the service account that a machine of EC2 acts as."""


STORAGE = "https://storage.googleapis.com"
ENDPOINTS = ("GOOGLE_BASE_URL", "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE")
"""Variables that say another address for Cloud Storage's objects, the first before the second: obstore's, and gcloud's."""


def storage_endpoint(env: Mapping[str, str]) -> str:
    """Where objects are: below it come the bucket's name and the key."""
    named = next((env[name] for name in ENDPOINTS if env.get(name)), STORAGE)
    return named.rstrip("/").removesuffix("/storage/v1").rstrip("/")  # gcloud's names the interface for JSON


OVERRIDE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"
"""How variables begin that say another address for one of Google's interfaces (gcloud's, by the interface's name)."""


def google_endpoints(env: Mapping[str, str]) -> dict[str, str]:
    """What of an environment a machine must be told to reach the same Google; empty: the standard one."""
    names = sorted(name for name in env if name.startswith(OVERRIDE) or name == ENDPOINTS[0])
    return {name: env[name] for name in names if env[name]}


def told_on_google(setup: GcpSetup) -> dict[str, str]:
    """For the environment of a machine of Compute Engine. Empty: its bucket is on Cloud Storage."""
    found = {AWS_ROLE: setup.aws_role, BUCKET_REGION: setup.aws_region}
    return {name: value for name, value in found.items() if value and setup.aws_role}


def told_on_amazon(setup: AwsSetup) -> dict[str, str]:
    """For the environment of a machine of EC2: where its bucket is, or how it gets into one on Cloud Storage."""
    if setup.google_provider:
        return {GOOGLE_PROVIDER: setup.google_provider, GOOGLE_ACCOUNT: setup.google_account}
    return {BUCKET_REGION: setup.bucket_region}
