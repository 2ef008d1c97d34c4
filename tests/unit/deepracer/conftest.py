"""What the tests of DeepRacer share."""

from __future__ import annotations

from tests.unit.store.conftest import s3_server, s3_url

__all__ = ["s3_server", "s3_url"]
