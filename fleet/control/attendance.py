"""Who keeps a fleet's runs alive: as controllers told it in the bucket, and as this computer knows of its own processes."""

from __future__ import annotations

from dataclasses import replace

from pydantic import ValidationError

from fleet.control.fleets import hostname
from fleet.control.home import Home
from fleet.control.watchers import watchers
from fleet.core.presence import Told, again_at, forgotten, lives, one_line, understood, unheard
from fleet.model import layout
from fleet.model.base import Seconds
from fleet.model.errors import NotFoundError, StoreError
from fleet.model.presence import Presence
from fleet.model.setup import AwsFunction
from fleet.store.objects import ObjectInfo, Objects
from fleet.store.parallel import WORKERS, each

AT_LEAST: Seconds = 3600
"""A function that was deployed is called so often, also while nothing lives."""


def seen(objects: Objects, now: Seconds, home: Home | None = None) -> list[Told]:
    """Everybody who spoke within the last day: those that live first. Raises StoreError if the bucket cannot be listed.

    ``home``: this computer's, whose dead processes are known to be dead, and whose living ones live without a word too.
    """
    found = [one for one in _read(objects, now) if not forgotten(one.presence, now)]
    if objects.url.startswith("s3:"):
        found = _with_function(found, objects, now)
    if home is not None:
        found = _with_processes(found, objects.url, now, home)
    return sorted(found, key=lambda one: (not one.lives, not one.presence.outlives_terminal, one.presence.started_at))


def living(objects: Objects, now: Seconds, home: Home | None = None) -> list[Presence]:
    """Those that live. Raises StoreError if the bucket cannot be listed."""
    return [one.presence for one in seen(objects, now, home) if one.lives]


def tidy(objects: Objects, now: Seconds) -> None:
    """Remove the words of those that are dead for a day. Raises StoreError."""
    if gone := [one.key for one in _read(objects, now) if forgotten(one.presence, now)]:
        objects.delete(gone)


def _read(objects: Objects, now: Seconds) -> list[Told]:
    def read(info: ObjectInfo) -> Told | None:
        try:
            return understood(info.key, objects.get(info.key), info.modified, now)
        except NotFoundError:
            return None  # it ended meanwhile
        except StoreError as error:
            return unheard(info.key, info.modified, f"its word cannot be read: {error.message}")

    workers = 1 if objects.url.startswith("file:") else WORKERS
    return [one for one in each(read, objects.list(layout.CONTROLLERS), workers) if one is not None]


def _with_function(found: list[Told], objects: Objects, now: Seconds) -> list[Told]:
    """What the account's record says of the function: it is there before it first spoke, and gone before it falls silent."""
    try:
        record = AwsFunction.model_validate_json(objects.get(layout.AWS_FUNCTION))
    except NotFoundError:
        return [one for one in found if one.presence.kind != "function"]
    except (StoreError, ValidationError):
        return found
    at, told = record.made_at, []
    for one in found:
        if one.presence.kind == "function" and one.presence.seen_at < at:  # as it was deployed since
            one = replace(one, presence=one.presence.model_copy(update={"version": record.version}))
        told.append(one)
    if not any(one.presence.kind == "function" for one in found):
        word = Presence(
            name=record.function, kind="function", host="", command=f"function {record.function}", version=record.version,
            started_at=at, seen_at=at, again_at=again_at(at, AT_LEAST, "function"),
        )  # fmt: skip
        told.append(Told("", word, lives(word, now)))
    return told


def _with_processes(found: list[Told], url: str, now: Seconds, home: Home) -> list[Told]:
    """What is known on this computer of the processes of its own home."""
    identity, here = _identity(home), hostname()
    running = {one.process: one for one in watchers(home, url)}
    told: list[Told] = []
    for one in sorted(found, key=lambda one: -one.presence.seen_at):  # a process's number may be another's later
        word = one.presence
        if identity and word.process is not None and (word.home, word.host) == (identity, here):
            watcher = running.pop(word.process, None)
            one = replace(one, lives=watcher is not None)
        told.append(one)
    for process, watcher in running.items():
        word = Presence(
            name="", kind="terminal", host=here, home=identity, process=process, command=one_line(watcher.command),
            version="", started_at=watcher.started_at, seen_at=now, again_at=now,
        )  # fmt: skip
        told.append(Told("", word, lives=True))
    return told


def _identity(home: Home) -> str:
    """The home's name, if it has one: whoever only looks makes none."""
    try:
        return (home.path / "home-id").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
