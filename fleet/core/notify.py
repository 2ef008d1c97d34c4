"""Which messages a destination gets: what there is to tell, what it was told, what is wished for → messages.

Pure. Each thing is told at most once. What comes thick and fast is told in one: of one kind and run at most one message in a
while, then one that says how many; if many runs meet with the same within a minute, one for all of them; what happened more
than an hour ago, while nobody was there to tell it, in one summary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fleet.core.notify_words import several, single, storm, summary
from fleet.core.thing import Thing
from fleet.model.base import Seconds
from fleet.model.notify import KINDS, Kind, Kinds, Log, Said, Unsent, Wish

FORGET: Seconds = 30 * 86_400
"""What is older is not told any more, and whether it was is forgotten."""
OLD: Seconds = 3600
"""What happened longer ago is told in a summary."""
STORM = 3
"""So many messages of one kind within ``CALM``; what more runs meet with is told in one, for all."""
CALM: Seconds = 60
AGAIN: tuple[Seconds, ...] = (15, 60, 300)
"""A message that could not be sent is sent again so long after, and then given up."""
MOST_TOLD = 4000
"""What more was told is forgotten earlier: each document holds it whole."""
SHOWN = 20
"""So many of the last messages are kept to be looked at."""
SUMMARY = "summary"
TITLE, BODY = 120, 1500
"""Characters of a message at most."""


@dataclass(frozen=True, slots=True)
class Message:
    """To be sent, now, to one destination."""

    kind: str
    title: str
    body: str
    """Some lines, the last of which is what to type next."""
    keys: tuple[str, ...] = ()
    """The things that it tells. Empty: it is sent again."""
    tries: int = 0
    """So often it was tried before."""


def wanted(thing: Thing, log: Log, kinds: Kinds, now: Seconds) -> bool:
    """Whether a thing is still to be told, now or later. One that stands is told whenever it began."""
    since = kinds.get(thing.kind)
    if since is None or thing.key in log.told:
        return False
    return thing.standing or (thing.at >= since and thing.at > max(log.floor, now - FORGET))


def messages(
    log: Log, seen: Iterable[Thing], now: Seconds, wish: Wish, kinds: Kinds, by: str = "", most: int | None = None
) -> tuple[Log, list[Message]]:
    """What a destination that wishes for ``kinds`` is to be told now, and what it will have been told then.

    ``seen``: whatever there is to tell; what is not due yet is to be brought again. ``most``: no more than so many messages.
    """
    ripe = sorted(
        (one for one in seen if wanted(one, log, kinds, now) and _ripe(one, wish, now)),
        key=lambda one: (one.at, one.key),
    )
    limit, last = max(OLD, 2 * wish.quiet), log.last
    old = [one for one in ripe if not one.standing and now - one.at > limit]
    made = [Message(one.kind, one.title, one.body, tries=one.tries) for one in log.unsent if _due(one, now)]
    if old and not _quiet(last, SUMMARY, now, wish):
        made.append(_message(SUMMARY, *summary(old), old))
    fresh = [one for one in ripe if one.standing or now - one.at <= limit]
    for kind in KINDS:
        made += _of_kind(kind, [one for one in fresh if one.kind == kind], last, now, wish)
    made = made[:most]
    return (_after(log, made, {one.key: one for one in ripe}, now, by), made) if made else (log, [])


def _after(log: Log, made: Sequence[Message], things: Mapping[str, Thing], now: Seconds, by: str) -> Log:
    """What is known once some messages are to be sent."""
    again = {(one.title, one.body) for one in made if not one.keys}
    told, last = dict(log.told), {name: then for name, then in log.last.items() if now - then < FORGET}
    for message in made:
        for thing in (things[key] for key in message.keys):
            told[thing.key] = max(now, thing.at)
            last[SUMMARY if message.kind == SUMMARY else thing.about] = now
    said = tuple(Said(at=now, by=by, title=message.title) for message in made)
    update = {
        "told": told,
        "last": last,
        "unsent": tuple(one for one in log.unsent if (one.title, one.body) not in again),
        "said": (*log.said, *said)[-SHOWN:],
    }
    return _forgotten(log.model_copy(update=update), now)


def failed(log: Log, message: Message, why: str, now: Seconds) -> tuple[Log, bool]:
    """What is known after a message could not be sent; and whether it will be sent again."""
    said = list(log.said)
    for index in range(len(said) - 1, -1, -1):
        if said[index].title == message.title and not said[index].why:
            said[index] = said[index].model_copy(update={"why": why})
            break
    more: tuple[Unsent, ...] = ()
    if message.tries < len(AGAIN):
        again = now + AGAIN[message.tries]
        more = (
            Unsent(
                kind=message.kind, title=message.title, body=message.body, tries=message.tries + 1, again_at=again, why=why
            ),
        )  # fmt: skip
    return log.model_copy(update={"unsent": (*log.unsent, *more), "said": tuple(said)}), bool(more)


def _of_kind(
    kind: Kind, things: Sequence[Thing], last: Mapping[str, Seconds], now: Seconds, wish: Wish
) -> list[Message]:  # fmt: skip
    """The messages of one kind: one for each run, or one for all of them."""
    groups: dict[str, list[Thing]] = {}
    for one in things:
        if not _quiet(last, one.about, now, wish):
            groups.setdefault(one.about, []).append(one)
    recent = sum(name.startswith(f"{kind}/") and 0 <= now - then < CALM for name, then in last.items())
    if not groups or recent >= STORM:
        return []
    if recent + len(groups) > STORM:
        together = [one for group in groups.values() for one in group]
        return [_message(kind, *storm(kind, list(groups.values())), together)]
    return [
        _message(kind, *(single(group[0], now) if len(group) == 1 else several(group)), group) for group in groups.values()
    ]


def _message(kind: str, title: str, body: str, things: Sequence[Thing]) -> Message:
    told, _, command = body.rpartition("\n")
    body = f"{_cut(told, BODY - len(command) - 1)}\n{command}"
    return Message(kind, _cut(title, TITLE), body, tuple(one.key for one in things))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _due(unsent: Unsent, now: Seconds) -> bool:
    """Its time has come; or it is so far ahead that a clock was set back since."""
    return not now < unsent.again_at <= now + AGAIN[-1]


def _quiet(last: Mapping[str, Seconds], about: str, now: Seconds, wish: Wish) -> bool:
    """Something of the kind and run was told a moment ago."""
    then = last.get(about)
    return then is not None and 0 <= now - then < wish.quiet


def _ripe(thing: Thing, wish: Wish, now: Seconds) -> bool:
    """What may pass by itself is told once it has lasted."""
    return not thing.standing or now - thing.at >= (wish.blind if thing.kind == "blind" else wish.no_capacity)


def _forgotten(log: Log, now: Seconds) -> Log:
    """Without what need not be known any more."""
    told = {key: at for key, at in log.told.items() if now - at < FORGET}
    floor = log.floor
    if len(told) > MOST_TOLD:
        ordered = sorted(told.items(), key=lambda one: one[1])
        gone, told = ordered[: MOST_TOLD // 2], dict(ordered[MOST_TOLD // 2 :])
        floor = max(floor, gone[-1][1])
    return log.model_copy(update={"told": told, "floor": floor})
