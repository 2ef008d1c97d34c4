"""Why a type that was asked for is no offer, and what serves instead at which price: said by plan, prices and refusals."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from fleet.model.cloud import Offer
from fleet.providers.aws import catalog
from fleet.providers.priced import Instead, Missing


def explain_missing(
    types: Sequence[str], accelerators: str | None, offers: Iterable[Offer], regions: Sequence[str] = ()
) -> tuple[Missing, ...]:
    """What of a job's wishes no offer has at all, whatever its price and market. Nothing is asked.

    ``offers`` are all that there are; ``regions`` those that were looked at, else those of the offers.
    """
    offers = list(offers)
    cheapest: dict[str, Offer] = {}
    for offer in sorted(offers, key=lambda one: (one.price, one.key)):
        cheapest.setdefault(offer.instance_type, offer)
    where = ", ".join(regions or sorted({offer.region for offer in offers})) or "the regions that were looked at"
    found = [_type(name, cheapest, where) for name in types if name not in cheapest]
    if accelerators is not None:
        name = accelerators.partition(":")[0]
        if not any(name.casefold() == one.casefold() for offer in offers for one in offer.accelerators):
            found.append(_accelerator(name, cheapest, where))
    return tuple(found)


def _type(name: str, cheapest: dict[str, Offer], where: str) -> Missing:
    facts = catalog.type_of(name)
    if facts is None:
        near = difflib.get_close_matches(name, {*cheapest, *catalog.known_types()}, n=1)
        return Missing(name, f"EC2 offers no such type in {where}" + (f"; did you mean {near[0]!r}?" if near else ""), ())
    if facts.gone:
        gpu = f" with its {facts.gpu}" if facts.gpu else ""
        why = f"AWS retired it{gpu} ({facts.gone_since}), and it is not offered in {where}"
        return Missing(name, why, _priced(facts.successors, cheapest))
    alike = [one for one in cheapest if _alike(name, one)]
    return Missing(name, f"it is not offered in {where}", _priced(alike[:3], cheapest))


def _alike(name: str, other: str) -> bool:
    """As many of the same device, or none and as many processors."""
    mine, theirs = catalog.type_of(name), catalog.type_of(other)
    if mine is None or theirs is None or mine.arch != theirs.arch:
        return False
    return mine.gpu == theirs.gpu and mine.gpus == theirs.gpus and (mine.gpu is not None or mine.vcpus == theirs.vcpus)


def _accelerator(name: str, cheapest: dict[str, Offer], where: str) -> Missing:
    having = [one for one in map(catalog.type_of, catalog.with_gpu(name)) if one is not None]
    if not having:
        known = sorted({one for offer in cheapest.values() for one in offer.accelerators})
        near = difflib.get_close_matches(name.upper(), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}" if known else "there are none"
        return Missing(name, f"no type that EC2 offers in {where} has it; {hint}", ())
    gone = [one for one in having if one.gone]
    if len(gone) < len(having):
        return Missing(name, f"no type that has it is offered in {where}", ())
    first = gone[0]
    why = f"AWS retired the types that had it ({', '.join(one.name for one in gone)}; {first.gone_since})"
    return Missing(name, why, _priced(first.successors, cheapest))


def _priced(names: Iterable[str], cheapest: dict[str, Offer]) -> tuple[Instead, ...]:
    return tuple(Instead(name, cheapest.get(name), catalog.accelerators_of(name)) for name in names)
