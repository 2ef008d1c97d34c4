"""Workload identity federation from AWS, as Google's Security Token Service does it: strictly.

What a machine of EC2 sends is the question "who am I", signed for AWS. Here its signature is computed anew, by AWS's own
library, from the keys that a test said AWS had given out; then the provider's account, mapping and condition are applied. Of
expressions (CEL) it knows the two that fleet writes; any other is an error of the test.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.gce.jsonapi import Cloud
from tests.gce.wire import Json, Refused

SKEW = 900.0
"""Seconds that a signature is good for."""
BY_ROLE = (
    "assertion.arn.contains('assumed-role') ? assertion.arn.extract('{account_arn}assumed-role/') + 'assumed-role/' + "
    "assertion.arn.extract('assumed-role/{role_name}/') : assertion.arn"
)
_STARTS = re.compile(r"assertion\.arn\.startsWith\('([^']+)'\)")
_HOST = re.compile(r"sts\.([a-z0-9-]+)\.amazonaws\.com")


@dataclass(frozen=True)
class AwsSession:
    """What AWS knows of an access key."""

    access_key: str
    secret_key: str
    token: str
    account: str
    arn: str


@dataclass
class Federation:
    """What Google was told, and what AWS would say."""

    sessions: dict[str, AwsSession] = field(default_factory=dict)
    """By access key."""
    providers: dict[str, Json] = field(default_factory=dict)
    """The bodies that they were made with, by ``projects/<number>/…/providers/<id>``."""
    policies: dict[str, Json] = field(default_factory=dict)
    """Of service accounts, by address."""

    def asked_by(self, audience: str, subject_token: str, now: float) -> AwsSession:
        """Whose question that is. Raises Refused as Google does."""
        try:
            question = json.loads(unquote(subject_token))
            headers = {one["key"].lower(): one["value"] for one in question["headers"]}
            parts = urlsplit(question["url"])
        except (ValueError, LookupError, TypeError):
            raise _invalid("Unable to parse the subject token.") from None
        host = _HOST.fullmatch(parts.netloc)
        asked = parse_qs(parts.query)
        wanted = {"Action": ["GetCallerIdentity"], "Version": ["2011-06-15"]}
        if question["method"] != "POST" or host is None or parts.path not in ("", "/") or asked != wanted:
            raise _invalid("The subject token is no GetCallerIdentity request to a regional endpoint.")
        if headers.get("x-goog-cloud-target-resource") != audience:
            raise _invalid("The header x-goog-cloud-target-resource is not the audience.")
        return self._signed(question["url"], headers, host[1], now)

    def _signed(self, url: str, headers: dict[str, str], region: str, now: float) -> AwsSession:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        written = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/sts/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)",
            headers.get("authorization", ""),
        )
        session = self.sessions.get(written[1]) if written else None
        if written is None or session is None or written[3] != region:
            raise _invalid("Error connecting to the given credential's issuer.")
        at = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
        names = written[4].split(";")
        if not {"host", "x-amz-date", "x-amz-security-token", "x-goog-cloud-target-resource"} <= set(names):
            raise _invalid("Not every header that must be is signed.")
        request = AWSRequest("POST", url, {name: headers[name] for name in names}, b"")
        request.context["timestamp"] = headers["x-amz-date"]
        auth = SigV4Auth(Credentials(session.access_key, session.secret_key, session.token), "sts", region)
        right = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        if right != written[5] or abs(at.timestamp() - now) > SKEW or headers["x-amz-security-token"] != session.token:
            raise _invalid("Error connecting to the given credential's issuer.")
        return session

    def principal(self, audience: str, session: AwsSession) -> Json:
        """Who that is to Google. Raises Refused if the provider does not take it."""
        name = audience.removeprefix("//iam.googleapis.com/")
        body = self.providers.get(name)
        if body is None:
            raise Refused(400, "", f'Invalid value for "audience": {audience}.', "INVALID_ARGUMENT")
        if body["aws"]["accountId"] != session.account:
            raise _invalid("The account of the credential is not the provider's.")
        mapping = body.get("attributeMapping") or {"google.subject": "assertion.arn", "attribute.aws_role": BY_ROLE}
        if mapping != {"google.subject": "assertion.arn", "attribute.aws_role": BY_ROLE}:
            raise ValueError(f"an attribute mapping that the stand-in does not know: {mapping}")
        condition = body.get("attributeCondition")
        known = _STARTS.fullmatch(condition) if condition else None
        if condition and known is None:
            raise ValueError(f"an attribute condition that the stand-in does not know: {condition}")
        if known is not None and not session.arn.startswith(known[1]):
            raise Refused(403, "", "The given credential is rejected by the attribute condition.", "PERMISSION_DENIED")
        role = re.fullmatch(r"(.*assumed-role/[^/]+)/.*", session.arn)
        return {
            "pool": name.rpartition("/providers/")[0],
            "subject": session.arn,
            "aws_role": role[1] if role else session.arn,
        }

    def may_act_as(self, who: Json, account: str) -> bool:
        """By the account's policy."""
        pool = f"iam.googleapis.com/{who['pool']}"
        names = {
            f"principal://{pool}/subject/{who['subject']}",
            f"principalSet://{pool}/attribute.aws_role/{who['aws_role']}",
            f"principalSet://{pool}/*",
        }
        bindings = self.policies.get(account, {}).get("bindings", ())
        return any(
            names & set(one["members"]) and one["role"] == "roles/iam.workloadIdentityUser" and not one.get("condition")
            for one in bindings
        )


def _invalid(message: str) -> Refused:
    return Refused(400, "", message, "INVALID_ARGUMENT")


def federation(cloud: Cloud) -> Federation:
    """The cloud's one; what makes pools and policies writes there as well."""
    found: Any = cloud.__dict__.setdefault("federation", Federation())
    assert isinstance(found, Federation)
    return found
