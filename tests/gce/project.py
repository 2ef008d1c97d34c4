"""Setting a project up and tearing it down in this process, as the commands do: no socket, no waiting, its own clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fleet.control import gcp_place, gcp_setup, gcp_teardown, removal
from fleet.control.gcp_setup import Prepared, Wish, carry_out, prepare
from fleet.control.gcp_teardown import Doomed, carry_out_removal, check_removal, prepare_removal
from fleet.control.home import Home
from fleet.model.setup import GcpSetup
from fleet.providers.gcp import session
from fleet.providers.gcp.calling import Calls
from fleet.store.objects import Objects
from fleet.store.remote import RemoteObjects
from tests.gce import inprocess
from tests.gce.clock import Clock
from tests.gce.project_ground import Ground, ground
from tests.gce.project_objects import Within
from tests.gce.router import Router
from tests.gce.standing import APIS, PROJECT

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKcPIx2RxEMf9Nn1Bq0XlJ2O1oV0JZrFf4r2o5L5cJ1m"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBD2nDkEqfRdt2CaybLB8xNnCu8eEkQhXGQGlT1n8J7W"
REGION = "us-central1"
BUCKET = f"gs://fleet-{PROJECT}-{REGION}"


class Elsewhere(RemoteObjects):
    """A bucket on S3, whose bytes are in memory."""

    def __init__(self, url: str) -> None:
        from obstore.store import MemoryStore

        super().__init__(MemoryStore(), url, lambda: 1_800_000_000.0)


class Google:
    """One user's computer before one new project: nothing in it, and no interface enabled but those of every project."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.router = Router(Clock())
        self.control("compute", "bare")
        self.control("serviceusage", "new_project")
        for api in APIS:
            patch.setenv(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}", f"{inprocess.HOST}/{api}")
        patch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", inprocess.HOST)
        made = inprocess.session(self.router)
        patch.setattr(session, "authorized", lambda: made)
        patch.setattr(session, "found", lambda: (made.credentials, PROJECT))
        self.home = Home(folder / "home")
        self.home.path.mkdir(exist_ok=True)
        self.ssh = folder / "ssh"
        self.ssh.mkdir(exist_ok=True)
        (self.ssh / "id_ed25519.pub").write_text(f"{KEY} me@here\n")
        self.slept: list[float] = []
        self.calls = Calls(PROJECT, sleep=self._sleep)
        self.elsewhere: dict[str, Objects] = {}
        for module in (gcp_place, gcp_setup, gcp_teardown, removal):
            patch.setattr(module, "open_bucket", self.open)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.router.cloud.clock.advance(seconds)

    def open(self, _home: Home, url: str) -> Objects:
        """The bucket's objects; one on S3 is in memory."""
        if url.startswith("gs://"):
            return Within(self.router.cloud, url.removeprefix("gs://"))
        return self.elsewhere.setdefault(url, Elsewhere(url))

    def control(self, api: str, verb: str, **telling: Any) -> Any:
        return self.router.control(api, verb, telling)

    @property
    def ground(self) -> Ground:
        return ground(self.router.cloud)

    def prepare(self, *regions: str, **wish: Any) -> Prepared:
        return prepare(self.home, Wish(regions=tuple(regions), ssh=self.ssh, **wish), self.calls)

    def init(self, *regions: str, **wish: Any) -> Prepared:
        prepared = self.prepare(*regions, **wish)
        carry_out(self.home, prepared, lambda _: None)
        return prepared

    def doomed(self, *, delete_volumes: bool = False, delete_bucket: bool = False) -> Doomed:
        return prepare_removal(self.home, self.calls, None, delete_volumes=delete_volumes, delete_bucket=delete_bucket)

    def destroy(self, *, delete_volumes: bool = False, delete_bucket: bool = False) -> Doomed:
        doomed = self.doomed(delete_volumes=delete_volumes, delete_bucket=delete_bucket)
        check_removal(self.home, doomed, delete_bucket=delete_bucket)
        carry_out_removal(self.home, doomed, lambda _: None)
        return doomed

    @property
    def setup(self) -> GcpSetup:
        known = self.home.gcp()
        assert known is not None
        return GcpSetup.model_validate_json(self.open(self.home, known.bucket).get("setup/gcp.json"))

    @property
    def faults(self) -> list[str]:
        return self.router.cloud.faults

    def changes(self) -> list[str]:
        """The methods that were called since and that change something."""
        looking = ("get", "list", "aggregatedList", "batchGet", "test", "wait")
        methods = [one.method for one in self.router.cloud.calls]
        return [one for one in methods if not one.rpartition(".")[2].startswith(looking)]


def actions(prepared: Prepared) -> dict[str, str]:
    """What is done with each kind of thing."""
    return {f"{step.kind} {step.region}".strip(): step.action for step in prepared.steps}
