"""Lists: of one scope, or of all at once (``aggregatedList``), by filter and in pages."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

from tests.gce.compute_filter import fits, terms
from tests.gce.compute_world import World
from tests.gce.jsonapi import Call
from tests.gce.wire import Json, Refused

Source = Callable[[], Iterable[tuple[str, Json]]]
"""Scope and JSON of all that a list may show."""
PAGE = 500


class Lists:
    """Of anything."""

    def __init__(self, world: World, scopes: Callable[[], list[str]]) -> None:
        self.world, self.scopes = world, scopes
        self.most = PAGE
        """Pages are no longer than this, whatever is asked for: a test of paging makes it small."""
        self.silent: set[str] = set()
        """Zones that do not answer lists of all scopes, which tell of the others."""

    def of(self, collection: str, kind: str, source: Source, aggregated: bool = True) -> dict[str, Callable[[Call], Any]]:
        """The list methods of a collection; ``kind`` is the answers' ``compute#…List``."""
        found: dict[str, Callable[[Call], Any]] = {f"{collection}.list": lambda call: self._list(call, kind, source)}
        if aggregated:
            found[f"{collection}.aggregatedList"] = lambda call: self._aggregated(call, collection, kind, source)
        return found

    def _list(self, call: Call, kind: str, source: Source) -> Json:
        scope = call.params.get("zone") or call.params.get("region") or "global"
        asked = terms(call.params.get("filter", ""))
        found = [data for where, data in source() if where == scope and fits(asked, data)]
        page, token = self._page(call, found)
        link = f"{self.world.place(scope)}/{call.method.path.rpartition('/')[2]}"
        answer: Json = {"kind": f"compute#{kind}List", "id": link.partition("/v1/")[2], "selfLink": link}
        if page:
            answer["items"] = page
        return {**answer, **({"nextPageToken": token} if token else {})}

    def _aggregated(self, call: Call, collection: str, kind: str, source: Source) -> Json:
        collection = "operations" if collection == "globalOperations" else collection
        asked = terms(call.params.get("filter", ""))
        found = [(scope, data) for scope, data in source() if fits(asked, data) and scope not in self.silent]
        page, token = self._page(call, found)
        items: Json = {}
        for scope in self.scopes():
            name = _scoped(scope)
            warning = {
                "code": "NO_RESULTS_ON_PAGE",
                "message": f"There are no results for scope '{name}' on this page.",
                "data": [{"key": "scope", "value": name}],
            }
            items[name] = {"warning": warning}
        for scope, data in page:
            entry = items.setdefault(_scoped(scope), {})
            entry.pop("warning", None)
            entry.setdefault(collection, []).append(data)
        base = f"projects/{self.world.cloud.project}/aggregated/{collection}"
        answer: Json = {"kind": f"compute#{kind}AggregatedList", "id": base, "items": items}
        answer["selfLink"] = self.world.place("global").replace("/global", f"/aggregated/{collection}")
        if self.silent:
            answer["unreachables"] = [_scoped(each) for each in sorted(self.silent)]
        return {**answer, **({"nextPageToken": token} if token else {})}

    def _page(self, call: Call, found: list[Any]) -> tuple[list[Any], str]:
        most = min(call.int("maxResults", PAGE), self.most)
        order = call.params.get("orderBy", "")
        if order not in ("", "name", "creationTimestamp desc"):
            raise Refused(400, "invalid", f"Invalid value for field 'orderBy': '{order}'. Unsupported sort order.")
        if order == "creationTimestamp desc":
            found.sort(key=lambda each: _made(each), reverse=True)
        start = 0
        if token := call.params.get("pageToken"):
            try:
                start = int(base64.urlsafe_b64decode(token))
            except ValueError:
                raise Refused(
                    400, "invalid", f"Invalid value for field 'pageToken': '{token}'. Invalid page token."
                ) from None
        end = start + most
        return found[start:end], base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(found) else ""


def _made(each: Any) -> str:
    data = each[1] if isinstance(each, tuple) else each
    return str(data.get("creationTimestamp") or data.get("insertTime"))


def _scoped(scope: str) -> str:
    return scope if scope == "global" else f"{'regions' if scope.count('-') == 1 else 'zones'}/{scope}"
