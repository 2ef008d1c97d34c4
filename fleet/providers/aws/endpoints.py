"""Where the clouds of the caller are, if not at Amazon's: the machine's agent must find the same ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from fleet.providers.aws.login import chosen_profile, configuration

SERVICES = ("s3", "sts", "ssm", "secrets_manager")
"""What a machine speaks to, in the words of AWS's configuration."""


def custom_endpoints() -> dict[str, str]:
    """By the variables that the machine is given. Empty: the standard ones."""
    said = configuration()
    profile = said.get("profiles", {}).get(chosen_profile() or "default", {})
    return endpoints_of(os.environ, profile, said.get("services", {}).get(profile.get("services"), {}))


def endpoints_of(env: Mapping[str, str], profile: Mapping[str, Any], services: Mapping[str, Any]) -> dict[str, str]:
    """The same: the environment before the profile, a service's own before that of every service. Pure."""
    if (env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or "").lower() == "true":
        return {}
    found = {"AWS_ENDPOINT_URL": env.get("AWS_ENDPOINT_URL") or profile.get("endpoint_url")}
    for name in SERVICES:
        variable, own = f"AWS_ENDPOINT_URL_{name.upper()}", services.get(name)
        below = own.get("endpoint_url") if isinstance(own, Mapping) and not env.get("AWS_ENDPOINT_URL") else None
        found[variable] = env.get(variable) or below
    return {variable: url for variable, url in found.items() if url}
