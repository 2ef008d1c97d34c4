"""A machine says who it is before anybody connects, in the bucket; training never waits for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.agent.host_keys import RETRY, RETRY_MOST, Publishing, host_keys, login_user
from fleet.model import layout
from fleet.model.documents import HostKeys
from fleet.model.errors import NotFoundError, StoreError
from fleet.store.files import FileObjects
from tests.agent.fakes import RUN, DirectLane, HeldLane, World

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGk+aa/bb"
RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ=="
ECDSA = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY="
WHERE = layout.host_key(RUN, 1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def give_keys(root: Path, **keys: str) -> None:
    (root / "etc" / "ssh").mkdir(parents=True, exist_ok=True)
    for kind, text in keys.items():
        (root / "etc" / "ssh" / f"ssh_host_{kind}_key.pub").write_text(text)
        (root / "etc" / "ssh" / f"ssh_host_{kind}_key").write_text("PRIVATE")


def publishing(world: World, lane: DirectLane | None = None) -> Publishing:
    boot = world.attempt().agent.boot
    return Publishing(world.objects, boot, "i-1", lane or DirectLane(), world.folder / "root")


def published(world: World) -> HostKeys | None:
    try:
        return HostKeys.model_validate_json(world.objects.get(WHERE))
    except NotFoundError:
        return None


def after(world: World, seconds: float, look: Callable[[float], None]) -> None:
    end = world.clock() + seconds
    while world.clock() < end:
        look(world.clock())
        world.clock.advance(0.5)


def test_the_public_halves_are_told_without_comments_and_nothing_else(tmp_path: Path) -> None:
    give_keys(tmp_path, rsa=f"{RSA} root@ip-10-0-0-1\n", ed25519=f"{ED25519} root@host\n", ecdsa=ECDSA)
    give_keys(tmp_path, dsa="", other="ssh-ed25519\n", odd=f"command=x {ED25519}", two=f"{ED25519}\n{RSA}")
    assert host_keys(tmp_path / "etc" / "ssh") == (ED25519, ECDSA, RSA)


@pytest.mark.parametrize(
    ("env", "release", "user"),
    [
        ({}, 'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n', "ubuntu"),
        ({}, "VERSION_ID=12\nID=debian\n", "admin"),
        ({}, 'ID="amzn"\n', "ec2-user"),
        ({}, "ID=gentoo\n", ""),
        ({}, "", ""),
        ({"FLEET_LOGIN": "me"}, "ID=ubuntu\n", "me"),
    ],
)
def test_whom_the_machine_lets_in_is_known_by_its_system_unless_it_is_told(
    env: dict[str, str], release: str, user: str
) -> None:
    assert login_user(env, release) == user


def test_keys_are_published_for_their_attempt_with_the_login(world: World) -> None:
    give_keys(world.folder / "root", ed25519=ED25519)
    (world.folder / "root" / "etc" / "os-release").write_text("ID=ubuntu\n")
    keys = publishing(world)
    after(world, 1, keys.look)
    assert keys.done
    told = published(world)
    assert told is not None
    assert (told.instance_id, told.keys, told.user) == ("i-1", (ED25519,), "ubuntu")
    assert b"PRIVATE" not in world.objects.get(WHERE)


def test_keys_that_are_made_later_are_published_then(world: World) -> None:
    keys = publishing(world)
    after(world, 30, keys.look)
    assert published(world) is None
    assert "no SSH host keys yet" in keys.problem
    give_keys(world.folder / "root", ed25519=ED25519)
    after(world, RETRY_MOST, keys.look)
    assert published(world) is not None


def test_a_bucket_that_fails_is_tried_until_it_has_them_and_then_no_more(world: World) -> None:
    tries: list[float] = []

    class Failing(FileObjects):
        def put(self, key: str, data: bytes) -> None:
            if key == WHERE:
                tries.append(world.clock())
                if len(tries) < 4:
                    raise StoreError("away")
            super().put(key, data)

    world.objects = Failing(world.folder / "bucket", clock=world.clock)
    give_keys(world.folder / "root", ed25519=ED25519)
    keys = publishing(world)
    after(world, 200, keys.look)
    assert keys.done
    assert keys.problem == ""
    assert len(tries) == 4
    assert tries[1] - tries[0] >= RETRY


def test_a_bucket_that_hangs_keeps_nobody_waiting(world: World) -> None:
    give_keys(world.folder / "root", ed25519=ED25519)
    lane = HeldLane()
    keys = publishing(world, lane)
    after(world, 100, keys.look)
    assert not keys.done
    lane.let_go()
    after(world, 1, keys.look)
    assert keys.done


def test_an_agent_looks_after_it_once_the_attempt_is_its_own(world: World) -> None:
    asked: list[str] = []
    life = world.attempt(disk=world.disk())
    life.agent._beside = (lambda _now: asked.append(life.agent.phase),)
    life.until("training")
    assert asked
    assert "booting" not in asked
    stranger = world.attempt(disk=world.disk("other"), instance="i-9")
    asked.clear()
    stranger.agent._beside = life.agent._beside
    stranger.live(5)
    assert asked == []
