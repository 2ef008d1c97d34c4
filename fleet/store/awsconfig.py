"""The standard AWS configuration, as far as it can be read without boto3, whose import takes longer than ``fleet ps`` may.

Keys that simply stand in the environment or in the shared files are found here. Everything that has to be asked for (SSO,
roles, ``credential_process``, a container's or a machine's own role) is left to boto3, which knows how. The order is
botocore's, so that both find the same.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ASKED_FOR = frozenset(
    {"role_arn", "web_identity_token_file", "sso_session", "sso_start_url", "sso_account_id", "sso_role_name"}
)
"""A profile that says one of these has its credentials from elsewhere, whatever keys stand beside it."""
ASKED_FOR_BEFORE_CONFIG = frozenset({"credential_process", "login_session"})
"""These come before keys of the config file, and after those of the credentials file."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What requests are signed with."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AwsConfig:
    """What the environment and the shared files say."""

    profile: str
    """``default`` unless one was chosen."""
    known: bool
    """One of the files has that profile."""
    keys: Keys | None
    """None: they must be asked for, or there are none."""
    keys_from: str
    """``environment``, a file's name, or what they must be asked for with: ``sso``, ``role``, …; empty: nothing is said."""
    region: str | None
    endpoint: str | None
    """For S3; None: Amazon's own."""

    @property
    def login(self) -> str:
        """What to type when the credentials are missing or have expired."""
        with_profile = "" if self.profile == "default" else f" --profile {self.profile}"
        if self.keys_from == "environment":
            return "Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN anew."
        if self.keys_from == "sso":
            return f"Log in: aws sso login{with_profile}"
        if self.keys_from == "login":
            return f"Log in: aws login{with_profile}"
        if self.keys_from == "process":
            return f"Log in with what credential_process of the profile {self.profile} calls."
        if self.keys_from == "role":
            return f"Renew what the profile {self.profile} takes its role with: aws sts get-caller-identity{with_profile}"
        return f"Log in: aws sso login{with_profile}, or give keys: aws configure{with_profile}"


def config_files(env: Mapping[str, str]) -> tuple[Path, Path]:
    """Where the keys of profiles are, and where everything else about them is."""
    given = (env.get("AWS_SHARED_CREDENTIALS_FILE"), env.get("AWS_CONFIG_FILE"))
    shared, config = (Path(os.path.expanduser(one)) if one else None for one in given)  # noqa: PTH111 - ~ as botocore takes it
    home = Path(os.path.expanduser("~")) / ".aws"  # noqa: PTH111 - never raises
    return shared or home / "credentials", config or home / "config"


def read_config(env: Mapping[str, str], profile: str | None = None) -> AwsConfig:
    """What holds for a profile, which comes before the environment's keys; without one, what that chooses."""
    name = profile or env.get("AWS_DEFAULT_PROFILE") or env.get("AWS_PROFILE") or "default"
    shared_path, config_path = config_files(env)
    shared = _sections(shared_path)
    config = _sections(config_path)
    own = shared.get(name, {})
    rest = config.get(f"profile {name}", config.get(name, {}) if name == "default" else {})
    keys, keys_from = _keys(env if profile is None else {}, own, rest, (shared_path.name, config_path.name))
    return AwsConfig(
        profile=name,
        known=name in shared or f"profile {name}" in config or (name == "default" and name in config),
        keys=keys,
        keys_from=keys_from,
        region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or rest.get("region") or own.get("region"),
        endpoint=_endpoint(env, config, rest),
    )


def _sections(path: Path) -> dict[str, dict[str, str]]:
    """An ini file as botocore takes it: no interpolation, later lines win. One that cannot be read says nothing here."""
    parser = configparser.RawConfigParser(strict=False, default_section="\0none")
    try:
        parser.read_string(path.read_text(encoding="utf-8"), str(path))
    except (OSError, ValueError, configparser.Error):
        return {}
    return {" ".join(section.replace('"', "").split()): dict(parser.items(section)) for section in parser.sections()}


def _keys(
    env: Mapping[str, str], own: Mapping[str, str], rest: Mapping[str, str], names: tuple[str, str]
) -> tuple[Keys | None, str]:
    """The keys, and where they are from, in botocore's order."""
    if env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
        token = env.get("AWS_SESSION_TOKEN") or env.get("AWS_SECURITY_TOKEN")
        return Keys(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], token), "environment"
    both = {**rest, **own}
    if "role_arn" in both or "web_identity_token_file" in both or env.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        return None, "role"
    if ASKED_FOR & both.keys():
        return None, "sso"
    for section, name in zip((own, rest), names, strict=True):
        if section is rest and ASKED_FOR_BEFORE_CONFIG & both.keys():
            return None, "process" if "credential_process" in both else "login"
        if section.get("aws_access_key_id") and section.get("aws_secret_access_key"):
            token = section.get("aws_session_token") or section.get("aws_security_token")
            return Keys(section["aws_access_key_id"], section["aws_secret_access_key"], token), name
    return None, ""


def _endpoint(env: Mapping[str, str], config: Mapping[str, Mapping[str, str]], rest: Mapping[str, str]) -> str | None:
    """Where S3 is, if not at Amazon's: the environment before the profile, S3's own before that of every service."""
    if (env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or "").lower() == "true":
        return None
    services = config.get(f"services {rest['services']}", {}) if "services" in rest else {}
    nested = (line.partition("=") for line in services.get("s3", "").splitlines())
    for_s3 = {name.strip(): value.strip() for name, _, value in nested}
    found = (
        env.get("AWS_ENDPOINT_URL_S3"),
        env.get("AWS_ENDPOINT_URL"),
        for_s3.get("endpoint_url"),
        rest.get("endpoint_url"),
    )
    return next((one.rstrip("/") for one in found if one), None)
