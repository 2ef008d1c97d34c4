"""One moto, and one recorder in front of it, for all who empty it before use: clients are dear to make, calls are not."""

from __future__ import annotations

import atexit
import contextlib
import functools

import pytest

from tests.aws.moto import STRANGE, Moto, moto_server
from tests.aws.proxy import Proxy, proxy_before


@functools.cache
def _standing() -> tuple[Moto, Proxy]:
    """They end with the session. This moto knows which types there are."""
    open_ = contextlib.ExitStack()
    atexit.register(open_.close)
    moto = open_.enter_context(moto_server(settings={"MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true"}))
    return moto, open_.enter_context(proxy_before(moto.url))


def standing_moto() -> Moto:
    """The server itself, nothing in between."""
    return _standing()[0]


def standing_cloud(patch: pytest.MonkeyPatch) -> Proxy:
    """An empty cloud that the environment leads to, through its recorder."""
    moto, proxy = _standing()
    moto.forget()
    proxy.forget()
    for name in STRANGE:
        patch.delenv(name, raising=False)
    for name, value in {**moto.env, "AWS_ENDPOINT_URL": proxy.url}.items():
        patch.setenv(name, value)
    return proxy
