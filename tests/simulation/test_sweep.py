"""Every effect of five short lives is somebody's last, before it, after it and in its middle; the laws hold all the same.

tests/simulation/chaos/scenarios.py has the lives, sweep.py says what is judged, and how one death is replayed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet.model.errors import AlreadyExistsError, NotFoundError
from fleet.providers.base import Provider
from fleet.store.files import FileObjects
from fleet.store.objects import ObjectInfo
from tests.simulation.chaos.bucket import ENDS, KINDS
from tests.simulation.chaos.clients import Killed
from tests.simulation.chaos.filework import numbered
from tests.simulation.chaos.scenarios import SCENARIOS
from tests.simulation.chaos.sweep import deaths, lived, swept
from tests.simulation.chaos.swept import Death, How

EFFECTS = {
    "controller": {
        *("launch", "terminate", "attach", "detach", "grow_volume", "delete_volume"),
        *("create journal", "create launch", "put desired", "delete heartbeat", "create snapshot", "delete snapshot"),
    },
    "user": {"put job", "create journal", "delete_volume"},
    "agent": {
        *("create began", "create base", "put checkpoint", "create manifest", "delete checkpoint", "delete manifest"),
        *("put heartbeat", "create log", "put model", "arm", "power off", "file: fsync", "file: open log"),
        *(
            f"file: {what} {note}"
            for note in ("progress", "saved", "signature", "leaving")
            for what in ("open", "write", "rename")
        ),
        *(f"file: {what} staging" for what in ("make", "link", "unlink", "rmdir")),
        *(f"file: {what} archive" for what in ("open", "write", "unlink")),
        *(f"file: {what} mount" for what in ("make", "open", "write", "rmdir")),
        *(f"file: {what} workdir" for what in ("make", "open", "write", "rename")),
        *("file: make restored", "file: open restored", "file: write restored"),
        *("file: make checkpoint folder", "file: rename checkpoint folder", "file: rename aside"),
        *("file: rename replaced", "file: rmdir replaced"),
        *("file: open wish", "file: write wish", "file: make folder", "file: symlink folder"),
    },
}
"""Everything that changes something, by who does it. A new kind of effect belongs here, and into a life."""
ELSEWHERE = {"offers", "price_history", "list", "get", "regions", "capabilities", "name", "create_volume"} | {
    *("boot_target", "console", "access_rules", "close_access"),
}
"""What a provider can do that changes nothing, or that nobody calls: volumes are made with their machine, nobody
logs in to a simulated one."""


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_whoever_dies_at_whichever_effect_the_run_ends_as_it_would_have(scenario: str) -> None:
    assert not list(swept(scenario))


def test_every_kind_of_effect_is_reached() -> None:
    found: dict[str, set[str]] = {who: set() for who in EFFECTS}
    for scenario in SCENARIOS:
        for effect in lived(scenario).effects:
            found[effect.who].add(effect.what)
    assert found == EFFECTS
    calls = {name for name in vars(Provider) if not name.startswith("_")} | set(Provider.__annotations__)
    assert calls - ELSEWHERE <= found["controller"]
    reached = {what.split()[-1] for whats in found.values() for what in whats}
    assert {kind for _, kind in (*KINDS, *ENDS)} <= reached


def test_a_death_is_the_same_each_time_and_kills_whom_it_says() -> None:
    effects = lived("notice").effects
    launch = next(n for n, effect in enumerate(effects, 1) if effect.what == "launch")
    once, again = (lived("notice", Death(launch, "after"), trace=True) for _ in (0, 1))
    assert once.trace == again.trace
    assert any("c1       is killed" in line for line in once.trace)
    assert once.effects[:launch] == effects[:launch]
    assert once.effects[launch:] != effects[launch:]
    assert not once.violations


def test_each_change_is_swept_on_both_sides() -> None:
    effects = lived("stopped").effects
    found = list(deaths(effects))
    assert len(found) == len(set(found))
    for number, effect in enumerate(effects, 1):
        hows = {death.how for death in found if death.number == number}
        last = number == len(effects) or effects[number].turn != effect.turn or effects[number].client != effect.client
        assert hows == {"before", *(["after"] if last else []), *(["middle"] if effect.has_middle else [])}


class OneDeath:
    """The only one who works here dies at a numbered change of a file."""

    def __init__(self, number: int, how: How, folder: Path) -> None:
        self.folder = folder
        self.number, self.how, self.count, self.dead = number, how, 0, False

    def around_file(self, what: str, do: Callable[[], Any], middle: Callable[[], Any] | None = None) -> Any:
        if self.dead:
            raise Killed
        self.count += 1
        if self.count != self.number:
            return do()
        self.dead = True
        if self.how == "after":
            do()
        elif self.how == "middle" and middle is not None:
            middle()
        raise Killed


def made(objects: FileObjects, source: Path) -> list[Callable[[], object]]:
    """Every change that a bucket knows, on the same two keys."""
    return [
        lambda: objects.put("a/old", b"new bytes"),
        lambda: objects.put("a/b/new", b"new bytes"),
        lambda: objects.create("a/b/new", b"new bytes"),
        lambda: objects.upload("a/b/new", source),
        lambda: objects.upload("a/old", source),
        lambda: objects.delete(["a/old", "a/b/none"]),
    ]


@pytest.mark.parametrize("which", range(6))
def test_a_folder_as_bucket_shows_old_bytes_or_new_ones_wherever_its_writer_dies(tmp_path: Path, which: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"new bytes")
    number = reached = 0
    while reached == number:
        number += 1
        for how in ("before", "middle", "after"):
            root = tmp_path / f"{number}-{how}"
            FileObjects(root).put("a/old", b"old bytes")
            try:
                with numbered(OneDeath(number, how, tmp_path)):
                    made(FileObjects(root), source)[which]()
            except Killed:
                reached = number
            _whole(FileObjects(root))
            with contextlib.suppress(AlreadyExistsError):
                made(FileObjects(root), source)[which]()  # by whoever comes after
            _whole(FileObjects(root))
    assert number > (1 if which == 5 else 4)


def _whole(objects: FileObjects) -> None:
    """Nothing half written is to be seen."""
    seen: list[ObjectInfo] = list(objects.list(""))
    assert {info.key for info in seen} <= {"a/old", "a/b/new"}
    for key in ("a/old", "a/b/new"):
        try:
            assert objects.get(key) in (b"old bytes", b"new bytes")
        except NotFoundError:
            assert key not in {info.key for info in seen}
