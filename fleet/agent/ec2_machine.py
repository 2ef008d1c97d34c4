"""A machine of EC2: known by its metadata service, version 2."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from fleet.agent.metadata import Metadata, Signalled
from fleet.agent.prepared import METADATA_TIMEOUT, PreparedMachine, metadata_url, settled, the_root


class Ec2Machine(Signalled, PreparedMachine):
    """An instance that finds its boot document, its scripts and its volume below ``root``."""

    def __init__(self, metadata: Metadata, root: Path = Path("/"), monotonic: Callable[[], float] = time.monotonic) -> None:
        Signalled.__init__(self, metadata)
        PreparedMachine.__init__(self, metadata.get("/latest/meta-data/instance-id") or "", root, monotonic)


def ec2_machine() -> Ec2Machine:
    """The machine that we are on. Raises OSError if its metadata service does not answer, or cloud-init left nothing."""
    return settled(Ec2Machine(Metadata(metadata_url(), METADATA_TIMEOUT), the_root()))
