"""moto's server, mended in two things: of several writers that want to be the first, one is (moto looks, then writes); and
of quotas, which it does not know, it says so at once.

Run as a program, with moto's own arguments.
"""

from __future__ import annotations

import threading
from typing import Any

from moto import server
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

_ONE = threading.Lock()
_plain = DomainDispatcherApplication.__call__


NO_QUOTA = b'{"__type": "NoSuchResourceException", "message": "there are no quotas of EC2 here"}'


def _one_at_a_time(self: Any, environ: dict[str, Any], start_response: Any) -> Any:
    if str(environ.get("HTTP_X_AMZ_TARGET")).startswith("ServiceQuotas"):  # moto answers as if it were overloaded
        start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1")])
        return [NO_QUOTA]
    if "HTTP_IF_NONE_MATCH" not in environ:
        return _plain(self, environ, start_response)
    with _ONE:
        return list(_plain(self, environ, start_response))


if __name__ == "__main__":
    setattr(DomainDispatcherApplication, "__call__", _one_at_a_time)  # noqa: B010 - mypy takes it for a mistake
    server.main()
