"""moto's server, mended in a few things: of several writers that want to be the first, one is (moto looks, then writes); of
quotas, which it does not know, it says so at once; and of Lambda it lacks the account's limits, keeps an old setting beside
the new one, and takes no other architecture.

Run as a program, with moto's own arguments.
"""

from __future__ import annotations

import functools
import json
import threading
from typing import Any

from moto import server
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

_ONE = threading.Lock()
_plain = DomainDispatcherApplication.__call__


NO_QUOTA = b'{"__type": "NoSuchResourceException", "message": "there are no quotas of EC2 here"}'
LIMITS = json.dumps({"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}}).encode()


@functools.cache
def _mend_lambda() -> None:
    """Imported once somebody asks for it: it takes a while, and most tests do without."""
    from moto.awslambda.models import LambdaBackend, LambdaFunction

    put, update = LambdaBackend.put_function_event_invoke_config, LambdaFunction.update_function_code

    def put_one(self: Any, function_name: str, config: dict[str, Any]) -> Any:
        self.get_function(function_name).event_invoke_config = []
        return put(self, function_name, config)

    def update_both(self: Any, updated_spec: dict[str, Any]) -> Any:
        self.architectures = updated_spec.get("Architectures") or self.architectures
        return update(self, updated_spec)

    setattr(LambdaBackend, "put_function_event_invoke_config", put_one)  # noqa: B010 - as below
    setattr(LambdaFunction, "update_function_code", update_both)  # noqa: B010


def one_at_a_time(self: Any, environ: dict[str, Any], start_response: Any) -> Any:
    """In place of the application's own call."""
    if str(environ.get("HTTP_X_AMZ_TARGET")).startswith("ServiceQuotas"):  # moto answers as if it were overloaded
        start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1")])
        return [NO_QUOTA]
    if environ.get("PATH_INFO", "").startswith("/2016-08-19/account-settings"):
        start_response("200 OK", [("Content-Type", "application/json")])
        return [LIMITS]
    if "/functions" in environ.get("PATH_INFO", ""):
        _mend_lambda()
    if "HTTP_IF_NONE_MATCH" not in environ:
        return _plain(self, environ, start_response)
    with _ONE:
        return list(_plain(self, environ, start_response))


if __name__ == "__main__":
    setattr(DomainDispatcherApplication, "__call__", one_at_a_time)  # noqa: B010 - mypy takes it for a mistake
    server.main()
