"""Access tokens: ``/token`` takes a service account's signed word, as Google's does; every other path takes the token."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs

from tests.gce.jsonapi import Cloud
from tests.gce.wire import Answered, Asked, Json, Refused, told

LIVES = 3600
BEARER = "ya29.standing-"


class Login:
    """Who holds which token."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.holders: dict[str, tuple[str, float]] = {}
        self.denied: str = ""

    def issue(self, principal: str, lives: float = LIVES) -> str:
        """A new access token: for interfaces that exchange one thing for another, too."""
        token = f"{BEARER}{len(self.holders):06d}"
        self.holders[token] = (principal, self.cloud.clock.base() + lives)
        return token

    def principal(self, asked: Asked) -> str | Answered:
        """Whose token a request carries, or the refusal."""
        kind, _, token = asked.headers.get("authorization", "").partition(" ")
        # By the computer's own time: what a client holds gets no older when the stand-in's clock is moved ahead.
        now = self.cloud.clock.base()
        holder, until = self.holders.get(token, ("", 0.0))
        claims = _claims(token)
        # Google's own libraries send a service account's signed word itself, and save the exchange.
        if claims.get("iss") and not self.denied:
            holder, until = str(claims["iss"]), float(claims["exp"])
        if kind == "Bearer" and until > now:
            return holder
        message = (
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
            "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
        )
        if not token:
            message = message.replace(
                "had invalid authentication credentials", "is missing required authentication credential"
            )
        return Refused(401, "authError" if token else "required", message, "UNAUTHENTICATED").answered()

    def handle(self, asked: Asked) -> Answered | None:
        """``POST /token``."""
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        if self.denied:
            return told({"error": "invalid_grant", "error_description": self.denied}, 400)
        kind = form.get("grant_type")
        if kind == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            claims = _claims(form.get("assertion", ""))
            if not claims.get("iss") or not claims.get("scope"):
                return told({"error": "invalid_grant", "error_description": "Invalid JWT: no issuer or scope."}, 400)
            principal = str(claims["iss"])
        elif kind == "refresh_token":
            principal = f"{form.get('refresh_token', 'user')}@example.com"
        else:
            return told({"error": "unsupported_grant_type", "error_description": f"Invalid grant_type: {kind}"}, 400)
        return told({"access_token": self.issue(principal), "expires_in": LIVES, "token_type": "Bearer"})

    def control(self, verb: str, told: Json) -> Any:
        """``deny`` with a text (empty: no more), ``expire`` all tokens, ``issue`` one."""
        if verb == "deny":
            self.denied = told["message"]
        elif verb == "expire":
            self.holders.clear()
        elif verb == "issue":
            return self.issue(told["principal"])
        else:
            raise KeyError(verb)
        return None


def _claims(assertion: str) -> Json:
    try:
        middle = assertion.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (ValueError, IndexError):
        return {}
    return found if isinstance(found, dict) else {}
