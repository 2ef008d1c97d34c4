"""What an account must allow and hold before a run is trusted to it, looked at one by one: ``fleet doctor aws``.

The questions are asked at the same time, each by a thread of its own, so that all of them take as long as the slowest; what
does not answer in time, or cannot be asked, is told as such and hides nothing else. Nothing is changed, nothing launched.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from fleet.core.allowed import alternatives
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.job import Job, Resources
from fleet.model.setup import AwsSetup
from fleet.providers.aws.errors import translated
from fleet.providers.aws.session import aws_client, aws_session
from fleet.providers.looked import SECONDS, Check, Checked, asked, judge_clock

SOON = 12 * 3600.0
"""Credentials that end within so long end before a night of training."""


@dataclass
class Look:
    """What is looked at: an account through a profile, as a fleet is set up in it, for a job."""

    setup: AwsSetup | None
    region: str
    """Where there is no set-up, and for what has no region of its own."""
    job: Job | None = None
    bucket: str | None = None
    prefix: str = ""
    profile: str | None = None
    cache: Path | None = None
    """Where the provider keeps what it learned; None: nothing is to be kept."""
    account: str = ""
    """As STS tells it, once it was asked; and whose name the caller has there."""
    caller: str = ""
    unread: str = ""
    """Why the set-up is not known, if it could not be read."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str, region: str = "") -> Any:
        """One at a time: a session makes clients, and is not made for threads. Raises ProviderError."""
        with self._lock:
            return aws_client(service, region or self.region, profile=self.profile)

    def call(self, service: str, region: str, operation: str, **words: Any) -> dict[str, Any]:
        """One request. Raises ProviderError."""
        from botocore.parsers import ResponseParserError

        client = self.client(service, region)
        name = client.meta.method_to_api_mapping[operation]
        try:
            with translated(name):
                answer: dict[str, Any] = getattr(client, operation)(**words)
                return answer
        except ResponseParserError as error:  # a page of HTML, from something in between
            raise ProviderError(ErrorClass.TRANSIENT, "ResponseParserError", f"{name}: no answer of Amazon's") from error
        except RuntimeError as error:  # botocore's word for credentials that it renewed in vain
            raise ProviderError(ErrorClass.CREDENTIALS, "ExpiredCredentials", f"{name}: {error}") from error

    @property
    def partition(self) -> str:
        """``aws``, unless the caller's name says another."""
        return self.caller.split(":")[1] if self.caller.count(":") > 1 else "aws"

    @property
    def wishes(self) -> list[Resources]:
        """The job's alternatives that EC2 may serve."""
        ways = alternatives(self.job.resources) if self.job is not None else ()
        return [one for one in ways if one.infra.partition("/")[0] == "aws"]

    @property
    def regions(self) -> list[str]:
        """Those that the job names, else those of the set-up."""
        known = sorted(self.setup.regions) if self.setup is not None else []
        named = {one.infra.split("/")[1] for one in self.wishes if "/" in one.infra}
        everywhere = not self.wishes or any("/" not in one.infra for one in self.wishes)
        found = sorted(named | (set(known) if everywhere else set()))
        return found or [self.region]


def look_at(look: Look, more: Sequence[tuple[str, Check]] = (), seconds: float | None = None) -> Iterator[Checked]:
    """Everything, then ``more``: who is asking first, since nothing else can be asked without an answer to that."""
    from fleet.providers.aws import checks_bucket, checks_permissions, checks_region

    seconds = seconds or SECONDS
    yield from asked([("login", lambda: _identity(look))], seconds)
    if not look.account:
        yield Checked("others", "note", "nothing else can be looked at without a login")
        return
    yield _set_up(look)
    checks: list[tuple[str, Check]] = [("expiry", lambda: [_lifetime(look)])]
    for region in look.regions:
        checks += checks_permissions.of(look, region)
        checks += checks_region.of(look, region)
    checks += checks_bucket.of(look)
    yield from asked(checks, seconds)
    yield from asked(more, seconds)


def is_absent(error: ProviderError) -> bool:
    """What was asked about is not there: ``InvalidKeyPair.NotFound``, ``InvalidLaunchTemplateId.NotFoundException`` …"""
    return ".NotFound" in error.code or error.code.startswith("NoSuchEntity")


def _identity(look: Look) -> list[Checked]:
    """Who asks, and what time it is there: the answer carries both, a refusal at least the time."""
    try:
        answer = look.call("sts", look.region, "get_caller_identity")
    except ProviderError as error:
        refused = getattr(error.__cause__, "response", {})
        login = Checked("login", "bad", error.message, error.hint or "Set AWS_PROFILE, or log in.")
        return [login, *_clock(refused)]
    look.account, look.caller = answer["Account"], answer["Arn"]
    return [Checked("login", "good", f"account {look.account} as {look.caller.rpartition(':')[2]}"), *_clock(answer)]


def _clock(answer: Mapping[str, Any]) -> list[Checked]:
    """By the Date of an answer; none: nothing can be said."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if date is None:
        return []
    return [judge_clock(time.time() - parsedate_to_datetime(date).timestamp(), "Amazon's")]


def _set_up(look: Look) -> Checked:
    setup = look.setup
    if setup is None and look.unread:
        return Checked("set-up", "note", f"cannot be told: {look.unread}")
    if setup is None:
        return Checked("set-up", "bad", "there is none in a bucket that is known here", "fleet init aws")
    if setup.account != look.account:
        told = f"the fleet is in account {setup.account}, and you are logged in to {look.account}"
        return Checked("set-up", "bad", told, "Set AWS_PROFILE to one of that account.")
    missing = [region for region in look.regions if region not in setup.regions]
    if missing:
        told = f"nothing was made in {', '.join(missing)}, which the job names"
        return Checked("set-up", "bad", told, f"fleet init aws {' '.join(f'--region {one}' for one in missing)}")
    return Checked("set-up", "good", f"fleet {setup.fleet_id} in {', '.join(sorted(setup.regions))}")


def _lifetime(look: Look) -> Checked:
    """How long the credentials last, and what happens then."""
    found = aws_session(look.profile).get_credentials()
    expires = getattr(found, "_expiry_time", None)
    left = (expires - datetime.now(timezone.utc)).total_seconds() if isinstance(expires, datetime) else None
    return judge_lifetime(found.method, left, temporary=bool(found.token))


RENEWED = {
    "assume-role": "the role is assumed anew by itself, for as long as the profile that it is assumed with is valid",
    "sso": "they are renewed by themselves until the SSO session ends",
    "sso-token": "they are renewed by themselves until the SSO session ends",
    "custom-process": "they are renewed by themselves as long as credential_process gives some",
    "assume-role-with-web-identity": "they are renewed by themselves as long as the token file is",
    "iam-role": "they are renewed by themselves",
    "container-role": "they are renewed by themselves",
}
"""By botocore's word for where credentials come from."""
BLIND = (
    "A run outlives them: training goes on and checkpoints, but nobody relaunches it after an interruption until you log in "
    "again."
)


def judge_lifetime(method: str, left: float | None, *, temporary: bool) -> Checked:
    """``left``: seconds; None: nothing says when they end. ``temporary``: they do end."""
    if left is None and not temporary:
        return Checked("expiry", "good", f"the credentials ({method}) do not expire")
    if left is None:
        return Checked("expiry", "note", f"the credentials ({method}) are temporary, and nothing says until when", BLIND)
    hours, minutes = divmod(max(0, int(left / 60)), 60)
    told = f"the credentials ({method}) expire in {f'{hours} h {minutes} min' if hours else f'{minutes} min'}"
    if method in RENEWED:
        return Checked("expiry", "note" if left < SOON else "good", f"{told}; {RENEWED[method]}", BLIND)
    return Checked("expiry", "note", told, BLIND)
