"""The machines behind the instances of Compute Engine's stand-in."""

from __future__ import annotations

import base64
import contextlib
import gzip
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tests.agent.gce import ADDRESS, FakeGce
from tests.agent.yard import Behind, Seen, Yard
from tests.gce.metadata import Service, metadata_server
from tests.gce.standing import Standing
from tests.gce.told import Token, Told

GOOD_FOR = 3600.0


class Rooted(FakeGce):
    """A machine with a metadata server of its own."""

    def __init__(self, root: Path, told: Told) -> None:
        self._open = contextlib.ExitStack()
        service: Service = self._open.enter_context(metadata_server(ADDRESS, 0))
        super().__init__(root, service)
        self.told = service.told[ADDRESS] = told

    def close(self) -> None:
        self._open.close()


class GceYard(Yard[Rooted]):
    """All machines of one stand-in."""

    def __init__(self, folder: Path, google: Standing) -> None:
        super().__init__(folder)
        self._google = google
        self.begin()

    def seen(self) -> Iterator[Seen]:
        for one in self._google.control("compute", "instances"):
            zone, status = one["zone"].rpartition("/")[2], one["status"]
            kept = [disk["source"].rpartition("/")[2] for disk in one["disks"] if not disk["boot"]]
            taken = status == "STOPPING" and self._is_taken(f"{one['name']}.{zone}")
            on = status in ("PROVISIONING", "STAGING", "RUNNING") or taken
            yield Seen(f"{one['name']}.{zone}", on, status == "RUNNING", f"{kept[0]}.{zone}" if kept else None, one)

    def _is_taken(self, instance_id: str) -> bool:
        machine = self.machines.get(instance_id)
        return machine is not None and machine.root.told.preempted

    def root_of(self, seen: Seen) -> Rooted:
        name, _, zone = seen.instance_id.partition(".")
        account = seen.described["serviceAccounts"][0]["email"]
        items = {one["key"]: one["value"] for one in seen.described["metadata"]["items"]}
        told = Told(name, ADDRESS, zone=zone, service_account=account, attributes=items)
        token = self._google.control("token", "issue", principal=account)
        told.issued.append(Token(token, time.time() + GOOD_FOR))
        return Rooted(self.folder / seen.instance_id, told)

    def user_data(self, seen: Seen) -> str:
        items = {one["key"]: one["value"] for one in seen.described["metadata"]["items"]}
        return gzip.decompress(base64.b64decode(items["user-data"])).decode()

    def off(self, machine: Behind[Rooted]) -> None:
        if not machine.root.told.preempted:  # that one Google ends by itself
            self._say("power_off", machine.instance_id)

    def preempt(self, instance_id: str) -> None:
        """Google takes the machine: it is said, its power button is pressed, and half of Google's minute later it is off."""
        machine = self.machines[instance_id]
        machine.root.told.preempted = True
        self._say("preempt", instance_id)
        machine.agent.send_signal(signal.SIGTERM)  # systemd ends the agent's service first

    def _say(self, verb: str, instance_id: str) -> None:
        name, _, zone = instance_id.partition(".")
        self._google.control("compute", verb, zone=zone, instance=name)
