"""The calls behind offers: what EC2 and its price list are asked for, in the form in which it is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.again import again
from fleet.providers.aws.errors import translated
from fleet.providers.aws.pricing import list_prices, served_from
from fleet.providers.aws.session import aws_client
from fleet.providers.aws.spot import history, now_prices

T = TypeVar("T")

FILTERED = 200
"""EC2 takes so many values in a filter."""
DESCRIBED = ("InstanceType", "VCpuInfo", "MemoryInfo", "GpuInfo", "Hypervisor", "ProcessorInfo")
"""What is kept of a type's description."""


class Asking:
    """Questions about one region. All of them only look: each may be asked again, and is, where that may help."""

    def __init__(self, region: str, profile: str | None = None, *, tries: int = 1) -> None:
        self.region, self.profile, self._tries = region, profile, tries

    def offered(self, types: Sequence[str] | None = None) -> dict[str, list[str]]:
        """Every type's zones. All of them: a few pages, and a mistyped name can be told from one that is elsewhere.

        With ``types``, of those alone, in a call for each hundred or two; one that is nowhere stands there without zones.
        """
        found: dict[str, list[str]] = {}

        def ask(filters: list[dict[str, Any]]) -> None:
            with translated("DescribeInstanceTypeOfferings"):
                pages = self._ec2().get_paginator("describe_instance_type_offerings")
                for page in pages.paginate(LocationType="availability-zone", Filters=filters):
                    for row in page["InstanceTypeOfferings"]:
                        found.setdefault(row["InstanceType"], []).append(row["Location"])

        def ask_all() -> None:
            found.clear()
            if types is None:
                ask([])
            for i in range(0, len(types or ()), FILTERED):
                chunk = list(types or ())[i : i + FILTERED]
                ask([{"Name": "instance-type", "Values": chunk}])

        self._again(ask_all)
        return {name: sorted(found.get(name, ())) for name in sorted({*found, *(types or ())})}

    def spot(self, asked: Sequence[str], wanted: Sequence[str], at: float) -> dict[str, Any]:
        """Prices now. A type without one stands there too, without zones: it is known that there is none."""
        prices = self._again(lambda: now_prices(self._ec2(), wanted, at))
        return {"asked": sorted(asked), "prices": {name: prices.get(name, {}) for name in wanted}}

    def history(self, types: Sequence[str], since: float) -> dict[str, Any]:
        """Prices over time until now, by type and zone."""
        return self._again(lambda: dict(history(self._ec2(), types, since)))

    def listed(self) -> dict[str, int]:
        """On-demand prices by the price list."""
        where = served_from(self.region)
        if where is None:
            raise ProviderError(ErrorClass.UNAVAILABLE, "PriceList", f"no price list service knows {self.region}")
        found = self._again(lambda: list_prices(aws_client("pricing", where, profile=self.profile), self.region))
        if not found:
            raise ProviderError(ErrorClass.UNAVAILABLE, "PriceList", f"the price list names no prices in {self.region}")
        return found

    def described(self, types: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What EC2 says of types that the table lacks."""
        found: dict[str, dict[str, Any]] = {}

        def ask(some: Sequence[str]) -> None:
            with translated("DescribeInstanceTypes"):
                for row in self._ec2().describe_instance_types(InstanceTypes=list(some))["InstanceTypes"]:
                    found[row["InstanceType"]] = {field: row.get(field, {}) for field in DESCRIBED}

        for i in range(0, len(types), 100):
            chunk = types[i : i + 100]
            self._again(lambda chunk=chunk: ask(chunk))  # type: ignore[misc]
        return found

    def _ec2(self) -> Any:
        return aws_client("ec2", self.region, profile=self.profile)

    def _again(self, do: Callable[[], T]) -> T:
        return again(do, self._tries)
