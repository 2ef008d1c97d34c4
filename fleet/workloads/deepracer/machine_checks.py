"""The doctor's checks of a machine: docker, compose, GPU, network, disk. Pure.

What is not known is not guessed.
"""

from __future__ import annotations

import re

from fleet.workloads.deepracer.probed import NETWORK, Line, Probed, Wish, json_of

DRIVER_TODAY = 560
LEAST_CAPABILITY = 3.1
LEAST_VRAM = 6000
"""MiB: cards that are sold as 6 GB have a little more."""
FULL, NARROW = 0.95, 0.85


def docker(seen: Probed, _: Wish) -> Line:
    """The engine answers, and starts a container."""
    engine, hello = seen.answer("engine"), seen.answer("hello")
    install = (
        "Install docker (https://docs.docker.com/engine/install); then: sudo usermod -aG docker $USER, and log in again."
    )
    if not engine.good:
        return Line("docker", "not ok", engine.last, install)
    if "Hello from Docker!" in hello.out:
        return Line("docker", "ok", f"engine {engine.last} runs containers")
    if re.search(r"pull access|no such host|registry|timeout|Unable to find image", hello.out) or hello.code is None:
        told = f"engine {engine.last} answers; hello-world could not be fetched or run: {hello.last}"
        return Line("docker", "cannot tell", told, "Is there a way out to the registry? docker run --rm hello-world")
    return Line(
        "docker", "not ok", f"engine {engine.last} starts no container: {hello.last}", "docker info, and its journal."
    )


def compose(seen: Probed, wish: Wish) -> Line:
    """Version 2; the older one will do if it is new enough."""
    for name in ("compose", "compose-1"):
        found = re.search(r"v?(\d+)\.(\d+)\S*", seen.answer(name).out) if seen.answer(name).good else None
        if found is not None:
            new = (int(found[1]), int(found[2])) >= ((1, 28) if wish.today else (1, 21))
            remedy = "" if new else "Install the plugin: https://docs.docker.com/compose/install"
            return Line("compose", "ok" if new else "not ok", f"compose {found[0]}", remedy)
    remedy = "Install the plugin: https://docs.docker.com/compose/install"
    return Line("compose", "not ok", f"no docker compose: {seen.answer('compose').last}", remedy)


def no_gpu(check: str, wish: Wish, why: str) -> Line:
    """The line of a check that wants a GPU where none is to be seen."""
    if wish.gpu:
        return Line(
            check, "not ok", why, "Install NVIDIA's driver and reboot, or take a machine with a GPU (or device: cpu)."
        )
    if wish.gpu is None:
        return Line(check, "cannot tell", f"{why}; without a GPU the cpu image trains", "")
    return Line(check, "ok", "the training uses no GPU")


def driver(seen: Probed, wish: Wish) -> Line:
    """Recent enough for the image."""
    rows = gpus(seen)
    if not rows:
        return no_gpu("driver", wish, seen.answer("gpu-old").last)
    version = rows[0][1]
    major = int(re.sub(r"\D.*", "", version) or 0)
    if wish.today and major < DRIVER_TODAY:
        told = f"{rows[0][0]}, driver {version}: today's image wants {DRIVER_TODAY} or later"
        return Line(
            "driver", "not ok", told, f"Install driver {DRIVER_TODAY} or later and reboot; or stack: 2019, or device: cpu."
        )
    return Line("driver", "ok", f"{rows[0][0]}, driver {version}")


def capability(seen: Probed, wish: Wish) -> Line:
    """The GPU itself: not too old, and with memory enough."""
    rows = gpus(seen)
    if not rows:
        return no_gpu("gpu", wish, "no GPU is to be seen")
    name, _, memory, able = rows[0]
    told = f"{len(rows)} x {name}, {memory} MiB" + (f", compute capability {able}" if able is not None else "")
    if able is not None and able <= LEAST_CAPABILITY:
        return Line("gpu", "not ok", f"{told}: older than any image runs on", "Another type of GPU: T4, A10G, L4.")
    if memory < LEAST_VRAM:
        return Line("gpu", "not ok", f"{told}: trainer and simulator want 6 GB", "Another type of GPU, or device: cpu.")
    if able is None:
        return Line("gpu", "cannot tell", f"{told}; the driver does not tell its compute capability", "")
    return Line("gpu", "ok", told)


def gpus(seen: Probed) -> list[tuple[str, str, int, float | None]]:
    """Name, driver, MiB, capability."""
    found = []
    for line in (seen.answer("gpu") if seen.answer("gpu").good else seen.answer("gpu-old")).out.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        memory = re.match(r"\d+", cells[2]) if len(cells) > 2 else None
        if memory is not None:
            able = re.fullmatch(r"\d+\.\d+", cells[3]) if len(cells) > 3 else None
            found.append((cells[0], cells[1], int(memory[0]), float(able[0]) if able else None))
    return found


def gpu_in_docker(seen: Probed, wish: Wish) -> Line:
    """A container sees it."""
    if not gpus(seen):
        return no_gpu("gpu in docker", wish, "no GPU is to be seen")
    answer = seen.answer("gpu-in-docker")
    count = answer.out.count("UUID: GPU-")
    if answer.good and count:
        return Line("gpu in docker", "ok", f"a container sees {count}")
    if answer.code is None and answer.why == "not asked":
        return Line("gpu in docker", "cannot tell", "no DeepRacer image is here yet to try it with", "")
    remedy = "Install NVIDIA's container toolkit: sudo nvidia-ctk runtime configure --runtime=docker, then restart docker."
    return Line("gpu in docker", "not ok", f"a container does not see the GPU: {answer.last}", remedy)


def runtime(seen: Probed, wish: Wish) -> Line:
    """Docker knows the nvidia runtime."""
    answer = seen.answer("runtimes")
    if not answer.good:
        return Line("runtime", "cannot tell", answer.last, "")
    names = ", ".join(sorted(json_of(answer.out) or {}))
    if "nvidia" in names:
        return Line("runtime", "ok", f"docker knows {names}")
    if wish.gpu or (wish.gpu is None and gpus(seen)):
        remedy = (
            "sudo nvidia-ctk runtime configure --runtime=docker (it writes /etc/docker/daemon.json), then restart docker."
        )
        return Line("runtime", "not ok", f"docker knows {names}, and not nvidia", remedy)
    return Line("runtime", "ok", f"docker knows {names}; no GPU is used")


def network(seen: Probed, wish: Wish) -> Line:
    """The one that coach puts the trainer into."""
    answer = seen.answer("network")
    if answer.good:
        return Line("network", "ok", answer.last)
    if answer.code is None or not seen.answer("engine").good:
        return Line("network", "cannot tell", answer.last, "")
    if not wish.training:
        return Line("network", "ok", f"{NETWORK} is not there; a start makes it")
    return Line("network", "not ok", f"{NETWORK} is gone", f"docker network create {NETWORK}, then start the stack again.")


def disk(seen: Probed, _: Wish) -> Line:
    """There is room."""
    if seen.total <= 0:
        return Line("disk", "cannot tell", "its size is not to be seen", "")
    share, free = seen.used / seen.total, (seen.total - seen.used) / 1e9
    images = re.search(r"^Images\s+(\d+)\s+\d+\s+(\S+)", seen.answer("docker-disk").out, re.MULTILINE)
    told = f"{share:.0%} in use, {free:.0f} GB free" + (f"; docker's {images[1]} images take {images[2]}" if images else "")
    if share < NARROW:
        return Line("disk", "ok", told)
    remedy = "`fleet deepracer clean` shows what may go; what a resume needs stays."
    return Line("disk", "not ok", told + ("" if share < FULL else ": training is about to fail"), remedy)
