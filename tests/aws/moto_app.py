"""moto's server, mended in one thing: of several writers that want to be the first, one is (moto looks, then writes).

Run as a program, with moto's own arguments.
"""

from __future__ import annotations

import threading
from typing import Any

from moto import server
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

_ONE = threading.Lock()
_plain = DomainDispatcherApplication.__call__


def _one_at_a_time(self: Any, environ: dict[str, Any], start_response: Any) -> Any:
    if "HTTP_IF_NONE_MATCH" not in environ:
        return _plain(self, environ, start_response)
    with _ONE:
        return list(_plain(self, environ, start_response))


if __name__ == "__main__":
    setattr(DomainDispatcherApplication, "__call__", _one_at_a_time)  # noqa: B010 - mypy takes it for a mistake
    server.main()
