"""Which region the user's AWS configuration means, read without the SDK: a look at prices that are kept needs none of it."""

from __future__ import annotations

import configparser
import os
from pathlib import Path


def default_region(profile: str | None = None) -> str | None:
    """By ``AWS_REGION``, ``AWS_DEFAULT_REGION``, then the profile's ``region`` in the configuration file."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if os.environ.get(name):
            return os.environ[name]
    chosen = profile or os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or "default"
    path = Path(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, OSError, ValueError):
        return None
    section = "default" if chosen == "default" else f"profile {chosen}"
    return parser.get(section, "region", fallback=None) or None
