"""What is to be told of a fleet, and whom: kept in its bucket, without any secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydantic import ValidationError

from fleet.model import layout
from fleet.model.base import Seconds, document_bytes
from fleet.model.errors import FleetError, NotFoundError
from fleet.model.notify import Kind, Wish
from fleet.store.objects import Objects


def read_wish(objects: Objects) -> Wish | None:
    """None: nobody wants to be told anything. Raises StoreError; FleetError for one that cannot be understood."""
    try:
        data = objects.get(layout.NOTIFY)
    except NotFoundError:
        return None
    try:
        return Wish.model_validate_json(data)
    except ValidationError:
        hint = "Upgrade fleet, or remove it and wish anew: fleet notify on KIND…"
        raise FleetError(f"{layout.NOTIFY} cannot be understood: perhaps a newer fleet wrote it", hint) from None


def change_wish(objects: Objects, change: Callable[[Wish], Wish]) -> Wish:
    """Change what is there. Who changes it meanwhile from another computer is its user as well: the last one counts."""
    before = read_wish(objects) or Wish()
    after = change(before)
    if after != before or not after.to:
        if after.to:
            objects.put(layout.NOTIFY, document_bytes(after))
        else:
            objects.delete([layout.NOTIFY])
    return after


def turned_on(
    wish: Wish, kinds: Sequence[Kind], to: Sequence[str], now: Seconds, times: Mapping[str, Seconds] | None = None
) -> Wish:
    """With some kinds for some destinations, from now on; those that were wished for already stay as they were.

    ``times``: others than there were, by the wish's fields.
    """
    added = {one: {**dict.fromkeys(kinds, now), **wish.to.get(one, {})} for one in to}
    return wish.model_copy(update={"to": {**wish.to, **added}, **(times or {})})


def turned_off(wish: Wish, kinds: Sequence[Kind], to: Sequence[str]) -> Wish:
    """Without them. A destination that is left without any kind is none any more."""
    left = {
        one: {kind: since for kind, since in has.items() if one not in to or kind not in kinds}
        for one, has in wish.to.items()
    }
    return wish.model_copy(update={"to": {one: has for one, has in left.items() if has}})
