"""A machine of Compute Engine as its agent finds it: the same root and scripts as on EC2, and Google's metadata server."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fleet.agent.gce_machine import GceMachine
from fleet.agent.google_metadata import GoogleMetadata
from tests.agent.ec2 import FakeRoot
from tests.gce.metadata import Service
from tests.gce.told import Told

ADDRESS = "127.0.0.1"
ACCOUNT = "fleet-machine@fleet-test-project.iam.gserviceaccount.com"


class FakeGce(FakeRoot):
    """The machine's root, and what its metadata server says of it."""

    def __init__(self, root: Path, service: Service, job: dict[str, object] | None = None, **boot: object) -> None:
        super().__init__(root, job, **boot)
        self.service, self.url = service, service.url
        self.told = service.told[ADDRESS] = Told("fleet-racer-1-0abc", ADDRESS, service_account=ACCOUNT)

    def machine(self) -> GceMachine:
        return GceMachine(GoogleMetadata(self.url, 1.0), self.root)

    def env(self, **more: str) -> dict[str, str]:
        """What the agent's service has in its environment: no credentials, nor the way to anybody's."""
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "FLEET_MACHINE": "gce",
            "FLEET_ROOT": str(self.root),
            "FLEET_METADATA_URL": self.url,
            **more,
        }
