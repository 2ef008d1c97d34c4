"""Which images a stack is made of, and whether they fit each other and the GPU: said before anything is spent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Literal

from fleet.engine import Engine, last_line
from fleet.model.errors import FleetError
from fleet.workloads.deepracer.findings import Finding
from fleet.workloads.deepracer.spec import DeepRacer

Role = Literal["s3", "coach", "trainer", "simulator"]
Device = Literal["cpu", "gpu"]
SIMAPP = "awsdeepracercommunity/deepracer-simapp:6.0.4"
MINIO = "minio/minio:RELEASE.2022-10-24T18-35-07Z"
"""The tag that deepracer-for-cloud falls back on: both stacks are known to speak with it."""
OF_2019: dict[tuple[Role, Device], str] = {
    ("coach", "cpu"): "aschu/rl_coach:latest",
    ("coach", "gpu"): "aschu/rl_coach:latest",
    ("trainer", "cpu"): "crr0004/sagemaker-rl-tensorflow:console",
    ("trainer", "gpu"): "crr0004/sagemaker-rl-tensorflow:nvidia",
    ("simulator", "cpu"): "crr0004/deepracer_robomaker:console",
    ("simulator", "gpu"): "crr0004/deepracer_robomaker:console",
}
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")

CAPABILITY = {
    "K80": 3.7, "M60": 5.2, "P100": 6.0, "V100": 7.0, "T4": 7.5, "T4g": 7.5, "A100": 8.0, "A10": 8.6, "A10G": 8.6,
    "L4": 8.9, "L40S": 8.9, "H100": 9.0, "H200": 9.0, "B200": 10.0, "B300": 10.3, "RTX-PRO-4500": 12.0,
    "RTX-PRO-Server-6000": 12.0,
}  # fmt: skip
"""CUDA's compute capability by the names that jobs use."""
OLD = ("K80", "M60")
"""Too old for today's image: their last drivers, or what is built for them, end before it."""
NEWEST_2019 = 8.0
"""2019's images bring CUDA 9, whose code ends with capability 7.x: from 8.0 on nothing in them was built for the GPU."""
ARM = ("T4g",)
NOT_CUDA = ("Radeon-Pro-V520",)
ANY = "some GPU"
"""One that is not known beforehand."""
_NAMES = {name.casefold(): name for name in (*CAPABILITY, *NOT_CUDA)}


def image(spec: DeepRacer, role: Role, device: Device) -> str:
    """The image of a role: the job's, or the built-in one."""
    images = spec.images
    if role == "s3":
        return images.s3 or MINIO
    if spec.stack == "today":
        return images.simapp or f"{SIMAPP}-{device}"
    own = {"coach": images.coach, "trainer": images.trainer, "simulator": images.simulator}[role]
    return own or OF_2019[role, device]


def roles(spec: DeepRacer) -> tuple[Role, ...]:
    """The roles that the stack needs an image for."""
    if spec.evaluate is not None:
        return ("s3", "simulator") if spec.storage == "instance" else ("simulator",)
    rest: tuple[Role, ...] = ("coach", "trainer", "simulator") if spec.launcher == "coach" else ("trainer", "simulator")
    return ("s3", *rest) if spec.storage == "instance" else rest


def device_of(spec: DeepRacer, accelerator: str | None) -> Device:
    """What ``auto`` comes to."""
    if spec.device == "auto":
        return "gpu" if accelerator else "cpu"
    return spec.device


def pinned(name: str) -> bool:
    """Whether the name can only ever be one image."""
    return DIGEST.search(name) is not None


def resolved_digest(engine: Engine, name: str) -> str | None:
    """The pulled image's name with its digest, to start the run's later attempts from; None if it has none.

    The tag stays in it (``name:tag@sha256:…``): coach takes a trainer for a GPU's by ``gpu`` in its image's name.
    """
    if pinned(name):
        return name
    answer = engine.ask("image", "inspect", "--format", "{{json .RepoDigests}}", name)
    if answer.returncode != 0:
        raise FleetError(f"there is no image {name} on this machine: {last_line(answer.stderr)}")
    try:
        digests = json.loads(answer.stdout) or []
    except ValueError:
        return None
    repository = _repository(name)
    found = next((one for one in digests if _repository(str(one)) == repository and pinned(str(one))), None)
    return f"{name}@{found.rpartition('@')[2]}" if found else None


def _repository(name: str) -> str:
    """Without digest and tag, and without docker's own host."""
    name = name.partition("@")[0]
    head, slash, tail = name.rpartition("/")
    return f"{head}{slash}{tail.partition(':')[0]}".removeprefix("docker.io/").removeprefix("library/")


def image_problems(spec: DeepRacer, accelerator: str | None) -> list[Finding]:
    """What is wrong with the images and the GPU (``K80``, ``T4:2``; None: the machine has none; ``ANY``)."""
    device = device_of(spec, accelerator)
    gpu = accelerator.partition(":")[0] if accelerator else None
    gpu = _NAMES.get(gpu.casefold(), gpu) if gpu else None  # offers are matched in any case, too
    return [*_gpu_problems(spec, gpu), *_name_problems(spec, device), *_tags(spec, device)]


def _gpu_problems(spec: DeepRacer, gpu: str | None) -> Iterator[Finding]:
    device = device_of(spec, gpu)
    if gpu == ANY:
        return
    if gpu in ARM:
        yield Finding(
            "arm", f"{gpu} comes with ARM processors; DeepRacer's images are for x86-64", "Take another: T4, A10G, L4."
        )
    elif device == "cpu":
        if gpu is not None:
            yield Finding(
                "gpu-unused",
                f"the {gpu} is paid for and not used: `device: cpu`",
                "Drop `device`, or ask for no accelerators.",
                severity="warning",
            )
    elif gpu is None:
        yield Finding(
            "no-gpu", "`device: gpu`, but the job asks for no GPU", "resources: {accelerators: T4}, or device: cpu"
        )
    elif gpu in NOT_CUDA:
        yield Finding("not-cuda", f"{gpu} has no CUDA, which the images need", "Take one of NVIDIA's: T4, A10G, L4.")
    elif spec.stack == "today" and gpu in OLD:
        yield Finding(
            "gpu-too-old",
            f"{gpu} (compute capability {CAPABILITY[gpu]}) is too old for today's image, which wants driver 560 or later",
            "stack: 2019 (its models are of the older format), another GPU (T4, A10G, L4), or device: cpu",
        )
    elif spec.stack == "2019" and CAPABILITY.get(gpu, NEWEST_2019) >= NEWEST_2019:
        yield Finding(
            "gpu-too-new",
            f"{gpu} is newer than what 2019's images were built for (CUDA 9: K80, M60, P100, V100, T4)",
            "stack: today, or one of those GPUs.",
        )


def _name_problems(spec: DeepRacer, device: Device) -> Iterator[Finding]:
    """Coach starts the trainer on the GPU if, and only if, its image's name has ``gpu`` in it."""
    name = image(spec, "trainer", device)
    if spec.evaluate is not None:
        return
    if spec.stack != "today" or spec.launcher != "coach" or ("gpu" in name) == (device == "gpu"):
        return
    if device == "gpu":
        message = f"coach would start the trainer without the GPU: it looks for the letters gpu in the image's name {name}"
        remedy = "Name it with its tag, also with a digest: name:6.0.4-gpu@sha256:…"
    else:
        message = (
            f"coach would start the trainer on a GPU that is not used: the image's name {name} has the letters gpu in it"
        )
        remedy = "Take the cpu image, or device: gpu."
    yield Finding("image-name-gpu", message, remedy)


def _tags(spec: DeepRacer, device: Device) -> Iterator[Finding]:
    names = {image(spec, role, device): role for role in reversed(roles(spec))}
    for name, role in reversed(names.items()):
        if not pinned(name):
            key = role if spec.stack == "2019" or role == "s3" else "simapp"
            yield Finding(
                "image-tag",
                f"{name} is a tag, which may mean another image tomorrow; the run keeps to what its first attempt pulls",
                f"Pin it: images: {{{key}: {name}@sha256:…}} (docker image inspect --format '{{{{.RepoDigests}}}}' {name})",
                severity="warning",
            )


def stack_problems(spec: DeepRacer) -> list[Finding]:
    """What cannot be together, whatever the machine."""
    return list(_stack_problems(spec))


def _stack_problems(spec: DeepRacer) -> Iterator[Finding]:
    if spec.evaluate is not None:
        yield from _problems_of_evaluation(spec)
        return
    if spec.storage == "bucket" and spec.launcher == "coach":
        yield Finding(
            "bucket-needs-direct",
            "the trainer that coach starts cannot reach the bucket: the machine's credentials do not reach containers",
            "launcher: direct, or storage: instance",
        )
    if spec.storage == "bucket" and spec.workers > 1:
        yield Finding(
            "bucket-one-worker",
            f"{spec.workers} simulators cannot share the machine's own network, which they need to reach the bucket",
            "workers: 1, or storage: instance",
        )
    if len(spec.tracks) > spec.workers:
        unused = ", ".join(spec.tracks[spec.workers :])
        yield Finding(
            "tracks-unused",
            f"nobody drives on {unused}: each simulator has one track, and there are {spec.workers}",
            f"workers: {len(spec.tracks)}",
            severity="warning",
        )
    if spec.stack == "2019":
        yield from _problems_2019(spec)
    others = [name for name in ("coach", "trainer", "simulator") if getattr(spec.images, name)]
    if spec.stack == "today" and others:
        yield Finding(
            "images-unused",
            f"images: {others[0]} is 2019's; today's stack has simapp alone",
            "images: {simapp: …}",
            severity="warning",
        )


def _problems_of_evaluation(spec: DeepRacer) -> Iterator[Finding]:
    if spec.workers > 1:
        told = f"an evaluation has one simulator, not {spec.workers}: its tracks are driven on one after another"
        yield Finding("workers-unused", told, "Drop `workers`.", severity="warning")
    if spec.stack == "2019" and spec.race != "TIME_TRIAL":
        yield _race_2019(spec)
    if spec.stack == "2019" and spec.evaluate is not None and spec.evaluate.resets:
        told = "2019's simulator ends a lap where the car leaves the track: it knows no resets"
        yield Finding("resets-2019", told, "Drop `resets`, or stack: today")


def _race_2019(spec: DeepRacer) -> Finding:
    told = f"2019's stack knows time trials only, not {spec.race}"
    return Finding("race-2019", told, "race: TIME_TRIAL, or stack: today")


def _problems_2019(spec: DeepRacer) -> Iterator[Finding]:
    if spec.launcher == "direct":
        yield Finding("direct-2019", "2019's images have no sage-train.sh to start the trainer with", "launcher: coach")
    if spec.workers > 1:
        yield Finding("workers-2019", f"2019's stack has one simulator, not {spec.workers}", "workers: 1, or stack: today")
    if spec.race != "TIME_TRIAL":
        yield _race_2019(spec)
