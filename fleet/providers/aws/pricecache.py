"""Whose prices are kept in which folder: an account's, of a region, and of a cloud."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.model.errors import ProviderError
from fleet.providers.pricecache import Part, PriceCache

if TYPE_CHECKING:
    from fleet.model.setup import AwsSetup


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
