"""What was learned of prices, kept on this computer: one small file for each part, each with its time.

A file that is torn, of another version, or not there is the same: nothing is known. Whoever writes last wins; a reader
sees one whole file or the one before it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet.model.errors import ProviderError

if TYPE_CHECKING:
    from fleet.model.setup import AwsSetup

VERSION = 1
HOUR, DAY = 3600.0, 86400.0
LIMITS = {
    "spot": 600.0,
    "history": 1800.0,
    "scores": 1800.0,
    "bands-failed": HOUR,
    "ondemand-failed": HOUR,
    "account": DAY,
    "offered": DAY,
    "bands": DAY,
    "ondemand": 7 * DAY,
    "types": 90 * DAY,
}
"""By part: how old it may be before a command that shows prices fetches it anew, in seconds."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that was learned, and when."""

    at: float
    data: Any

    def age(self, now: float) -> float:
        """Seconds; a time in the future, as a clock that was set back leaves one, counts as no age at all."""
        return max(0.0, now - self.at)

    def fresh(self, name: str, now: float) -> bool:
        """Young enough not to be asked for again; what claims to be of the future is not."""
        return self.at <= now + 60 and self.age(now) < LIMITS[name]


class PriceCache:
    """A folder of parts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> Part | None:
        """A part, or None: nothing is known."""
        try:
            found = json.loads((self.folder / f"{name}.json").read_bytes())
            if found["v"] != VERSION:
                return None
            return Part(float(found["at"]), found["data"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, name: str, data: Any, at: float) -> None:
        """Keep a part, whole or not at all. A disk that takes nothing is no reason to fail: it is asked for again then."""
        target = self.folder / f"{name}.json"
        temporary = target.with_name(f".{name}-{os.getpid()}-{secrets.token_hex(4)}.tmp")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps({"v": VERSION, "at": at, "data": data}, separators=(",", ":")), encoding="utf-8")
            temporary.replace(target)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()


def endpoint() -> str:
    """The custom endpoint that EC2 is reached at; empty: Amazon's own."""
    return os.environ.get("AWS_ENDPOINT_URL_EC2") or os.environ.get("AWS_ENDPOINT_URL") or ""


def region_cache(cache: Path, setup: AwsSetup | None, region: str, profile: str | None = None) -> PriceCache:
    """What is known of a region. Zones' letters are an account's own, and an emulator is another cloud: each has its folder.

    Without a set-up the account is asked for once (GetCallerIdentity) and remembered. Raises ProviderError if that fails.
    """
    account = setup.account if setup is not None else _account(cache, region, profile)
    custom = endpoint()
    place = f"{account}-{hashlib.sha256(custom.encode()).hexdigest()[:8]}" if custom else account
    return PriceCache(cache / place / region)


def fingerprint(profile: str | None = None) -> str:
    """Of what chooses the credentials. Holds no secret."""
    chosen = (profile or os.environ.get("AWS_PROFILE", ""), os.environ.get("AWS_ACCESS_KEY_ID", ""), endpoint())
    return hashlib.sha256("\n".join(chosen).encode()).hexdigest()[:16]


def _account(cache: Path, region: str, profile: str | None) -> str:
    """Whose prices these are. Asked once a day: the same profile may mean another account by then; if nobody answers, the
    last one known is taken."""
    from fleet.providers.aws.errors import translated
    from fleet.providers.aws.session import aws_client

    mark, kept, now = fingerprint(profile), PriceCache(cache), time.time()
    part = kept.read("accounts")
    accounts = dict(part.data) if part is not None and isinstance(part.data, dict) else {}
    try:
        account, at = str(accounts[mark][0]), float(accounts[mark][1])
    except (KeyError, IndexError, TypeError, ValueError):
        account, at = "", 0.0
    if account and Part(at, None).fresh("account", now):
        return account
    try:
        with translated("GetCallerIdentity"):
            account = str(aws_client("sts", region, profile=profile).get_caller_identity()["Account"])
    except ProviderError:
        if not account:
            raise
    kept.write("accounts", {**accounts, mark: [account, now]}, now)
    return account


def told_age(seconds: float) -> str:
    """``just now``, ``47m old``, ``3h old``, ``12d old``."""
    if seconds < 60:
        return "just now"
    if seconds < 2 * HOUR:
        return f"{seconds // 60:.0f}m old"
    return f"{seconds // HOUR:.0f}h old" if seconds < 2 * DAY else f"{seconds // DAY:.0f}d old"
