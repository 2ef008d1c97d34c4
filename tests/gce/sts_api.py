"""Google's Security Token Service and the credentials of service accounts: one thing for another."""

from __future__ import annotations

import json
from typing import Any

from tests.gce.federation import AwsSession, Federation, federation
from tests.gce.jsonapi import Call, Cloud, Handler, JsonApi
from tests.gce.wire import Answered, Asked, Json, Refused, told

FEDERATED = "federated:"
"""What the principal of a federated token begins with; the rest is JSON."""
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
AWS_REQUEST = "urn:ietf:params:aws:token-type:aws4_request"
TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # the name of a kind
LIVES = 3600


def handlers(cloud: Cloud) -> dict[str, Handler]:
    """What answers below ``/sts`` and ``/iamcredentials``."""
    cloud.__dict__["federation"] = Federation()
    return {"sts": Sts(cloud), "iamcredentials": Credentials(cloud)}


class Sts(JsonApi):
    """``POST /v1/token``. Nobody signs in for that: what is exchanged says who asks."""

    name = "sts"
    signs_in_itself = True

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.methods = {"token": self._token}
        self.verbs = {"session": self._session, "provider": self._provider}

    def handle(self, asked: Asked) -> Answered | None:
        """The errors are OAuth's, not those of Google's other interfaces."""
        if "authorization" in asked.headers:
            return self.cloud.fault("sts: a request with an Authorization header")
        answered = super().handle(asked)
        if answered is None or answered.status not in (400, 403):
            return answered
        message = answered.json()["error"]["message"]
        return told({"error": "invalid_grant", "error_description": message}, answered.status)

    def _token(self, call: Call) -> Json:
        body: Json = call.body
        fixed = {"grantType": EXCHANGE, "subjectTokenType": AWS_REQUEST, "requestedTokenType": TOKEN, "scope": SCOPE}
        for name, value in fixed.items():
            if body.get(name) != value:
                raise Refused(400, "", f"Invalid value for {name}: {body.get(name)}", "INVALID_ARGUMENT")
        known = federation(self.cloud)
        session = known.asked_by(body["audience"], body["subjectToken"], self.cloud.clock.base())
        token = self.cloud.login.issue(FEDERATED + json.dumps(known.principal(body["audience"], session)), LIVES)
        return {"access_token": token, "issued_token_type": TOKEN, "token_type": "Bearer", "expires_in": LIVES}

    def _session(self, words: Json) -> Any:
        """What AWS gave out: an access key with its secret, its token, its account and its ARN."""
        session = AwsSession(**words)
        federation(self.cloud).sessions[session.access_key] = session

    def _provider(self, words: Json) -> Any:
        """A provider as if it had been made: its ``name`` and its ``body``."""
        federation(self.cloud).providers[words["name"]] = words["body"]


class Credentials(JsonApi):
    """Acting as a service account."""

    name = "iamcredentials"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.methods = {"projects.serviceAccounts.generateAccessToken": self._token}
        self.verbs = {"policy": self._policy}

    def _token(self, call: Call) -> Json:
        account = call.params["name"].rpartition("/")[2]
        holder = call.asked.principal
        allowed = holder.startswith(FEDERATED) and federation(self.cloud).may_act_as(
            json.loads(holder.removeprefix(FEDERATED)), account
        )
        if not allowed:
            told = "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
            raise Refused(403, "forbidden", told, "PERMISSION_DENIED")
        lives = float(str(call.body.get("lifetime", "3600s")).removesuffix("s"))
        if call.body.get("scope") != [SCOPE] or not 0 < lives <= LIVES:
            raise Refused(400, "badRequest", "Request contains an invalid argument.", "INVALID_ARGUMENT")
        until = self.cloud.clock.base() + lives
        return {"accessToken": self.cloud.login.issue(account, lives), "expireTime": _zulu(until)}

    def _policy(self, words: Json) -> Any:
        """A service account's, as if it had been set."""
        federation(self.cloud).policies[words["account"]] = words["policy"]


def _zulu(seconds: float) -> str:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
