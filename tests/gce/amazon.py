"""AWS's Security Token Service for whoever comes with a token of Google's: it reads the role's own trust policy.

The token's signature is checked against Google's key, then its claims against the policy's conditions, by the names that AWS
gives them (IAM's reference, "Available keys for AWS web identity federation"): ``aud`` is the token's ``azp`` if it has one,
``oaud`` its ``aud``.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

GOOGLE = "accounts.google.com"
ANSWER = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><AssumedRoleUser><Arn>{arn}</Arn></AssumedRoleUser><Credentials>
<SessionToken>{token}</SessionToken><SecretAccessKey>{secret}</SecretAccessKey><Expiration>{until}</Expiration>
<AccessKeyId>{key}</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""
REFUSAL = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>{code}</Code>
<Message>{message}</Message></Error></ErrorResponse>"""


@dataclass
class AmazonSts:
    """One role and whom it trusts."""

    arn: str
    trust: dict[str, Any]
    key: rsa.RSAPublicKey
    """Google's."""
    clock: Callable[[], float] = time.time
    given: list[str] = field(default_factory=list)
    """Access keys that were given out."""
    asked: int = 0
    broken: int | None = None
    """The status that everything is answered with."""
    url: str = ""

    def answer(self, form: dict[str, str]) -> tuple[int, str]:
        """What STS says."""
        self.asked += 1
        if self.broken is not None:
            return self.broken, REFUSAL.format(code="ServiceUnavailable", message="try again")
        if form.get("Action") != "AssumeRoleWithWebIdentity" or form.get("Version") != "2011-06-15":
            return 400, REFUSAL.format(code="InvalidAction", message=f"no such action: {form.get('Action')}")
        claims = self._claims(form.get("WebIdentityToken", ""))
        if claims is None or claims["exp"] < self.clock():
            return 400, REFUSAL.format(code="InvalidIdentityToken", message="The ID Token provided is not a valid JWT.")
        if form.get("RoleArn") != self.arn or not form.get("RoleSessionName") or not self._trusted(claims):
            told = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
            return 403, REFUSAL.format(code="AccessDenied", message=told)
        self.given.append(f"ASIA{len(self.given):012d}")
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.clock() + 3600))
        return 200, ANSWER.format(arn=self.arn, token="session", secret="hush", until=until, key=self.given[-1])

    def _trusted(self, claims: dict[str, Any]) -> bool:
        known = {"aud": claims.get("azp", claims["aud"]), "oaud": claims["aud"], "sub": claims["sub"]}
        return any(
            one["Effect"] == "Allow"
            and one["Principal"] == {"Federated": GOOGLE}
            and one["Action"] == "sts:AssumeRoleWithWebIdentity"
            and one["Condition"].keys() == {"StringEquals"}
            and all(
                known.get(name.removeprefix(f"{GOOGLE}:")) == value
                for name, value in one["Condition"]["StringEquals"].items()
            )
            for one in self.trust["Statement"]
        )

    def _claims(self, token: str) -> dict[str, Any] | None:
        head, _, signature = token.rpartition(".")
        try:
            self.key.verify(_bytes(signature), head.encode(), padding.PKCS1v15(), SHA256())
            found: dict[str, Any] = json.loads(_bytes(head.partition(".")[2]))
        except (InvalidSignature, ValueError):
            return None
        return found if found.get("iss") == f"https://{GOOGLE}" else None


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@contextlib.contextmanager
def serving(sts: AmazonSts) -> Iterator[AmazonSts]:
    """Over HTTP, while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, text = sts.answer({name: values[0] for name, values in parse_qs(body).items()})
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sts.url = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield sts
    finally:
        server.shutdown()
        server.server_close()
