"""The Cloud Billing Catalog: the services, and the products of Compute Engine with their prices."""

from __future__ import annotations

from typing import Any

from tests.gce.billing_skus import skus
from tests.gce.jsonapi import Call, Cloud, JsonApi
from tests.gce.wire import Json, Refused

COMPUTE_ENGINE = "6F81-5844-456A"


def handlers(cloud: Cloud) -> dict[str, JsonApi]:
    """It answers under ``cloudbilling``; what a project is billed to, another may answer there."""
    return {"cloudbilling": Catalog(cloud)}


class Catalog(JsonApi):
    """Everybody's price list. Needs a login, and nothing more."""

    name = "cloudbilling"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.skus = list(skus())
        self.page = 5000
        self.refuses: Refused | None = None
        self.methods = {"services.list": self._services, "services.skus.list": self._skus}
        self.verbs = {"refuse": self._refuse, "page": self._page, "price": self._price}

    def before(self, call: Call) -> None:
        if self.refuses is not None:
            raise self.refuses

    def _services(self, call: Call) -> Json:
        name = f"services/{COMPUTE_ENGINE}"
        return {"services": [{"name": name, "serviceId": COMPUTE_ENGINE, "displayName": "Compute Engine"}]}

    def _skus(self, call: Call) -> Json:
        if call.params["parent"] != f"services/{COMPUTE_ENGINE}":
            raise Refused(404, "", "Requested entity was not found.", "NOT_FOUND")
        if call.params.get("currencyCode", "USD") != "USD":
            raise Refused(400, "", "the stand-in knows dollars only", "INVALID_ARGUMENT")
        start, size = int(call.params.get("pageToken") or 0), min(call.int("pageSize", 5000), self.page)
        more = start + size < len(self.skus)
        return {"skus": self.skus[start : start + size], "nextPageToken": str(start + size) if more else ""}

    def _refuse(self, telling: Json) -> Any:
        """``status`` (0: no longer), ``reason``, ``message``: every call is refused so."""
        status = int(telling["status"])
        told = str(telling.get("message", "refused"))
        reason = str(telling.get("reason", ""))
        details: list[Json] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
        self.refuses = Refused(status, "", told, "PERMISSION_DENIED", details) if status else None
        return status

    def _page(self, telling: Json) -> Any:
        """``size``: no page has more."""
        self.page = int(telling["size"])
        return self.page

    def _price(self, telling: Json) -> Any:
        """``description``, ``nanos``: the price of every product so called, from now on. How many there were."""
        found = [one for one in self.skus if one["description"] == telling["description"]]
        for one in found:
            for rate in one["pricingInfo"][-1]["pricingExpression"]["tieredRates"][-1:]:
                rate["unitPrice"] = {
                    "currencyCode": "USD",
                    "units": str(int(telling["nanos"]) // 10**9),
                    "nanos": int(telling["nanos"]) % 10**9,
                }
        return len(found)
