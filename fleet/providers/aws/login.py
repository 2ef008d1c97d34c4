"""Which command logs the user in again: it depends on how the profile gets its credentials."""

from __future__ import annotations

import os
from typing import Any

from fleet.model.errors import ProviderError
from fleet.providers.aws.session import aws_session


def how_to_log_in(kind: str = "") -> str:
    """One line for the user. ``kind`` is botocore's name for what went wrong, where it says more than the profile."""
    return login_command(chosen_profile(), configuration().get("profiles", {}), kind)


def login_command(name: str | None, profiles: dict[str, dict[str, Any]], kind: str = "") -> str:
    """The same, of a configuration that was read: pure."""
    if name is not None and name not in profiles and profiles:
        return f"There is no profile {name}: `aws configure list-profiles` shows which there are."
    profile, named = profiles.get(name or "default", {}), f" --profile {name}" if name is not None else ""
    source = profile.get("source_profile")
    if isinstance(source, str) and source in profiles and source != name:
        return login_command(source, profiles, kind)
    if "sso_session" in profile or "sso_start_url" in profile or "SSO" in kind or kind == "TokenRetrievalError":
        return f"Log in again: aws sso login{named}"
    if "login_session" in profile or kind.startswith("Login"):
        return f"Log in again: aws login{named}"
    if "credential_process" in profile:
        return f"The profile's own program gives no credentials; try it: {profile['credential_process']}"
    if name is None and os.environ.get("AWS_SESSION_TOKEN"):
        return "The session in AWS_SESSION_TOKEN is over: set new credentials in the environment, or unset them."
    others = [other for other, one in sorted(profiles.items()) if "sso_session" in one or "sso_start_url" in one]
    if name is None and not profile and others:
        return f"Choose a profile and log in: export AWS_PROFILE={others[0]} && aws sso login"
    return f"Set credentials: aws configure{named} (or `aws sso login{named}` where the account has single sign-on)"


def chosen_profile() -> str | None:
    """The profile that calls are made with; None: none was chosen."""
    try:
        name = str(aws_session().profile_name)
    except ProviderError:
        name = os.environ.get("AWS_PROFILE") or "default"
    return None if name == "default" else name


def configuration() -> dict[str, Any]:
    """What the user's files say, as botocore reads them; nothing where they cannot be read."""
    try:
        import botocore.session
        from botocore.exceptions import BotoCoreError
    except ImportError:
        return {}
    try:
        return dict(botocore.session.Session().full_config)
    except BotoCoreError:
        return {}
