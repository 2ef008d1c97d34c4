"""Where a stack runs: what its compose file needs to know beyond the job, and the names that follow from it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from fleet.workloads.deepracer.prefix import S3Place
    from fleet.workloads.deepracer.spec import DeepRacer

NETWORK = "sagemaker-local"
"""The SageMaker SDK puts the trainer that coach starts into the network of this name, whatever else is said."""
S3_PORT = 9000
MOST_LABEL = 63
"""Characters of a host's name."""
CUSTOM_FILES = "custom_files"
SAGEMAKER = "sagemaker"
"""A folder of the machine's own disk."""


@dataclass(frozen=True, slots=True)
class Laps:
    """What an evaluation's simulator is to drive: one track after another has the stack to itself."""

    world: str
    count: int
    stamp: str
    """When it began, 14 digits: its files are named by it."""


@dataclass(frozen=True, slots=True)
class Place:
    """An attempt's stack on its machine."""

    project: str
    """The compose project: no other attempt's, of this run or another."""
    run: str
    prefix: str
    """Below the bucket; new for each start of the trainer."""
    pretrained: str | None
    """A prefix in the same bucket to begin from. The trainer rewrites its pointer: it is a copy."""
    pretrained_checkpoint: Literal["last", "best"]
    bucket: str
    s3: S3Place
    """As seen from inside the containers."""
    own: Path
    """On the machine's own disk, for what is generated and for what the SageMaker SDK writes."""
    volume: Path
    device: Literal["cpu", "gpu"]
    labels: Mapping[str, str] = field(default_factory=dict)
    gpu_by: Literal["devices", "runtime"] = "devices"
    """How compose asks for GPUs: device requests, or ``runtime: nvidia`` where it is too old for them."""
    user: str | None = None
    """``uid:gid`` that the S3 look-alike writes as: else what it leaves on the volume is root's."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Images by role that were resolved to digests before (``images.resolved_digest``)."""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    """What hyperparameters.json says: the direct launcher passes it on itself."""
    laps: Laps | None = None
    """Of an evaluation: what its simulator is to drive."""

    @property
    def host_network(self) -> bool:
        """Without keys the containers must ask the machine's metadata service, which answers its own network only
        (hop limit 1)."""
        return self.s3.key is None

    @property
    def sagemaker(self) -> Path:
        """What the SageMaker SDK writes for the trainer that coach starts; the trainer is known by it."""
        return self.own / SAGEMAKER

    @property
    def custom_files(self) -> str:
        """Where the user's files lie: beside the prefix, so that a run in a shared bucket keeps its own."""
        parent, _, _ = self.prefix.rpartition("/")
        return f"{parent}/{CUSTOM_FILES}" if parent else CUSTOM_FILES


def s3_host(project: str) -> str:
    """The look-alike's name in the network that all runs of a machine share: no other run answers to it."""
    name = re.sub(r"[^a-z0-9-]", "-", f"s3-{project}".lower())
    if len(name) <= MOST_LABEL:
        return name
    return f"{name[: MOST_LABEL - 9]}-{hashlib.sha256(project.encode()).hexdigest()[:8]}"


def s3_endpoint(project: str) -> str:
    """The look-alike as containers reach it."""
    return f"http://{s3_host(project)}:{S3_PORT}"


def simulators(spec: DeepRacer) -> tuple[str, ...]:
    """The simulators' services: ``simulator``, ``simulator-2``, …; an evaluation has one."""
    if spec.evaluate is not None:
        return ("simulator",)
    return tuple("simulator" if number == 1 else f"simulator-{number}" for number in range(1, spec.workers + 1))


def services(spec: DeepRacer) -> tuple[str, ...]:
    """The compose services, in the order in which they are started."""
    first = ("s3",) if spec.storage == "instance" else ()
    if spec.evaluate is not None:
        return (*first, *simulators(spec))
    return (*first, "coach" if spec.launcher == "coach" else "trainer", *simulators(spec))
