"""Why a type that was asked for is no offer of Compute Engine's, and what serves instead at which price."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from fleet.model.cloud import Offer
from fleet.providers.gcp.machines import DEVICES, UNASKED, accelerators_of, series_of
from fleet.providers.priced import Instead, Missing

GONE = {"K80": ("2024-05", ("T4",))}
"""Devices that Google retired, when, and what serves instead (cloud.google.com/compute/docs/eol/k80-eol)."""


def explain_missing(
    types: Sequence[str], accelerators: str | None, offers: Iterable[Offer], regions: Sequence[str] = ()
) -> tuple[Missing, ...]:
    """What of a job's wishes no offer has at all, whatever its price and market. Nothing is asked.

    ``offers`` are all that there are; ``regions`` those that were looked at, else those of the offers.
    """
    cheapest: dict[str, Offer] = {}
    for offer in sorted(offers, key=lambda one: (one.price, one.key)):
        cheapest.setdefault(offer.instance_type, offer)
    where = ", ".join(regions or sorted({one.region for one in cheapest.values()})) or "the regions that were looked at"
    bare = {name.partition("+")[0] for name in cheapest}
    wanted = accelerators.partition(":")[0] if accelerators is not None else None
    found = [_type(name, wanted, cheapest, where) for name in types if name not in cheapest and name not in bare]
    if wanted is not None and not _have(wanted, cheapest):
        found.append(_accelerator(wanted, cheapest, where))
    elif accelerators is not None:
        found += _too_many(accelerators, types, cheapest, where)
    return tuple(found)


def _have(gpu: str, cheapest: dict[str, Offer]) -> list[Offer]:
    return [one for one in cheapest.values() if any(gpu.casefold() == have.casefold() for have in one.accelerators)]


def _type(name: str, wanted: str | None, cheapest: dict[str, Offer], where: str) -> Missing:
    if series_of(name) is None:
        near = difflib.get_close_matches(name, {*cheapest, *UNASKED}, n=1)
        return Missing(
            name, f"fleet offers no such type of Compute Engine's{f'; did you mean {near[0]!r}?' if near else ''}", ()
        )
    gpu = wanted or (accelerators_of(name) or (None,))[0]
    alike = _have(gpu, cheapest) if gpu is not None else [one for one in cheapest.values() if not one.accelerators]
    return Missing(name, f"it is not offered in {where}", _priced(alike[:3]))


def _accelerator(name: str, cheapest: dict[str, Offer], where: str) -> Missing:
    gone = GONE.get(name.upper())
    if gone is not None:
        since, instead = gone
        return Missing(
            name, f"Google retired it ({since})", _priced([o for gpu in instead for o in _have(gpu, cheapest)][:3])
        )
    if name.upper() in DEVICES:
        return Missing(name, f"no zone of {where} has it", ())
    known = sorted({have for offer in cheapest.values() for have in offer.accelerators})
    near = difflib.get_close_matches(name.upper(), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}" if known else "there are none"
    return Missing(name, f"no type that Compute Engine offers in {where} has it; {hint}", ())


def _too_many(accelerators: str, types: Sequence[str], cheapest: dict[str, Offer], where: str) -> list[Missing]:
    """The device is there, and not so many of it in one machine, or not in a machine that the job names."""
    gpu, _, number = accelerators.partition(":")
    having = [one for one in _have(gpu, cheapest) if len(one.accelerators) >= int(number or 1)]
    if not having:
        most = max(len(one.accelerators) for one in _have(gpu, cheapest))
        return [Missing(accelerators, f"one machine in {where} has {most} at most", ())]
    named = [one for one in having if {one.instance_type, one.instance_type.partition("+")[0]} & {*types}]
    if types and not named:
        return [Missing(accelerators, f"{', '.join(types)} cannot have it in {where}", _priced(having[:3]))]
    return []


def _priced(offers: Sequence[Offer]) -> tuple[Instead, ...]:
    return tuple(Instead(one.instance_type, one, one.accelerators) for one in offers)
