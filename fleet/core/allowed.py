"""What a job allows: its resources, or each of its alternatives laid over them."""

from __future__ import annotations

from fleet.model.base import Micros
from fleet.model.cloud import Market, Offer
from fleet.model.job import Resources

STOCK = "stock"
"""The job's word for a publisher's image although there is one of its own."""


def alternatives(resources: Resources) -> tuple[Resources, ...]:
    """Every way in which a job may be served: the fields of each ``any_of`` over the common ones."""
    if not resources.any_of:
        return (resources,)
    common = resources.model_copy(update={"any_of": ()})
    return tuple(common.model_copy(update=one.model_dump(exclude_unset=True)) for one in resources.any_of)


def providers_of(resources: Resources) -> set[str]:
    """The providers that a job may be served by."""
    return {one.infra.partition("/")[0] for one in alternatives(resources)}


def fitting(offer: Offer, resources: Resources) -> list[Resources]:
    """The alternatives that an offer serves; none: it is not allowed."""
    return [one for one in alternatives(resources) if _serves(offer, one)]


def _serves(offer: Offer, resources: Resources) -> bool:
    """The job's own limits: where, which type, which accelerators, which market, and the bid."""
    place = "/".join((offer.provider, offer.region, offer.zone))
    if not (place + "/").startswith(resources.infra.rstrip("/") + "/"):
        return False
    if resources.instance_type and not _is_named(offer, resources):
        return False
    if resources.accelerators is not None and not _has(offer, resources.accelerators):
        return False
    if resources.market == "spot" and offer.market is not Market.SPOT:
        return False
    if resources.market == "on-demand" and offer.market is not Market.ON_DEMAND:
        return False
    return resources.max_price is None or offer.price <= resources.max_price


def _is_named(offer: Offer, resources: Resources) -> bool:
    """A type by its name. One that accelerators were put into (``n1-standard-4+1xT4``) goes by the bare type's, too, where
    some are asked for: a job for a bare one does not mean to pay for them."""
    bare = offer.instance_type.partition("+")[0]
    return offer.instance_type in resources.instance_type or (
        resources.accelerators is not None and bare in resources.instance_type
    )


def _has(offer: Offer, wanted: str) -> bool:
    """``K80`` or ``K80:2``: at least so many of them."""
    name, _, count = wanted.partition(":")
    have = sum(1 for accelerator in offer.accelerators if accelerator.casefold() == name.casefold())
    return have >= int(count or 1)


def wanted_now(offers: list[Offer], resources: Resources) -> list[Offer]:
    """Without the on-demand offers that an alternative takes only while no spot offer can be had (``spot-first``)."""
    if not any(offer.market is Market.SPOT for offer in offers):
        return offers
    return [
        offer
        for offer in offers
        if offer.market is Market.SPOT or any(one.market == "on-demand" for one in fitting(offer, resources))
    ]


def bid(offer: Offer, resources: Resources) -> Micros | None:
    """The most that may be paid for an offer, micro-dollars per hour; None: on-demand's price."""
    limits = [one.max_price for one in fitting(offer, resources)]
    known = [limit for limit in limits if limit is not None]
    return max(known) if known and len(known) == len(limits) else None


def described(resources: Resources) -> str:
    """The limits, for a message."""
    return " or ".join(_described(one) for one in alternatives(resources))


def _described(one: Resources) -> str:
    from fleet.model.units import format_money

    limits = [f"infra {one.infra}", f"market {one.market}"]
    if one.instance_type:
        limits.append(f"instance_type {', '.join(one.instance_type)}")
    if one.accelerators is not None:
        limits.append(f"accelerators {one.accelerators}")
    if one.max_price is not None:
        limits.append(f"max_price {format_money(one.max_price)}")
    return "; ".join(limits)


STUBBORN = 2
"""After so many machines in a row that never spoke, what they booted from may be what is wrong."""


def image_wish(resources: Resources, boot_failures: int) -> str | None:
    """What a machine is to boot from, in a job's words: what the job says; if it says nothing, the provider's choice, which
    is an image of one's own where there is one, or the publisher's, once machines failed to boot in a row.
    """
    if resources.image_id is None and boot_failures >= STUBBORN:
        return STOCK
    return resources.image_id
