"""What can go wrong with a running stack, in words, and what to do about each."""

from __future__ import annotations

import signal
from dataclasses import dataclass

CAUSE, CONSEQUENCE = 0, 1
KILLED = 128 + signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Fault:
    """Why the stack does not train."""

    code: str
    """For programs: short words with hyphens, never changed."""
    message: str
    remedy: str
    rank: int = CAUSE
    """A consequence gives way to a cause that is heard a moment later."""


_SIM: dict[int, tuple[str, str]] = {
    2: (
        "a service of the simulator does not answer",
        "It is started again; if it stays so: fewer workers, or a larger machine.",
    ),
    6: ("a checkpoint could not be downloaded", "fleet deepracer repair; is the bucket to be reached?"),
    7: ("the checkpoint that is named is not there", "fleet deepracer repair"),
    12: ("the reward function cannot be imported", "fleet deepracer check says the line"),
    20: ("the trainer did not say its address within 20 minutes", "Look at the trainer's log, coach's first"),
    24: ("the trainer got no episodes from the simulator", "Look at the simulator's log"),
    25: ("a loss became no number (NaN)", "Lower the learning rate; `nan` in the job says how often that is done by itself"),
    36: ("model_metadata.json cannot be read", "fleet deepracer check"),
    41: ("the reward function failed", "fleet deepracer check says the line"),
    61: ("a checkpoint's files are damaged", "fleet deepracer repair"),
    65: ("model_metadata.json does not fit the model", "The number of actions never changes: take the model's own file"),
    70: ("hyperparameters.json cannot be read", "fleet deepracer check"),
    89: ("the trainer never said that it is ready", "Look at the trainer's log"),
}
"""By FAULT_CODE."""
_KIND: dict[str, tuple[str, str]] = {
    "nan": _SIM[25],
    "reward-error": _SIM[41],
    "out-of-memory": ("a container ran out of memory", "A smaller batch_size, fewer workers, or a larger machine"),
    "disk-full": ("the disk is full", "fleet deepracer clean, or a larger volume"),
    "unknown-runtime": (
        "docker on this machine cannot hand the GPU to containers",
        "Install NVIDIA's container toolkit and restart docker; `fleet deepracer doctor` looks at both",
    ),
    "gpu-mismatch": (
        "the image was not built for this GPU or its driver",
        "K80 and M60 want stack: 2019, newer ones stack: today and driver 560 or later; or device: cpu",
    ),
    "credentials": ("the bucket refuses the containers' credentials", "The keys or the instance's role must reach it"),
    "no-bucket": ("the bucket is not there", "It is made before anything starts: was it deleted? Start again"),
    "no-network": ("docker's network sagemaker-local is gone", "docker network create sagemaker-local; then start again"),
    "no-image": ("an image cannot be pulled", "Its name, and whether the machine reaches the registry: docker pull NAME"),
}  # fmt: skip
_LATE: dict[str, tuple[str, str]] = {
    "coach-started": ("coach says nothing", "Look at coach's log: docker logs; does the bucket answer it?"),
    "training-worker": ("coach started no trainer", "Look at coach's log: docker.sock, the image's name, the network"),
    "ip-uploaded": ("the trainer did not say its address", "Look at the trainer's log; does the bucket answer it?"),
    "saving": ("the trainer builds no model", "Look at the trainer's log: the GPU, the pretrained model, its actions"),
    "uploaded": ("the first checkpoint does not arrive in the bucket", "Look at the trainer's log; is the bucket full?"),
    "ready": ("the trainer does not become ready", "Look at the trainer's log"),
    "sim-trace": ("the simulator does not drive", "Look at the simulator's log: the track's name, the GPU, the memory"),
}
_MEANWHILE: dict[str, tuple[str, str]] = {
    "stale-lock": ("a lock file in model/ holds everybody up", "Nobody writes it any more: fleet deepracer repair"),
    "trainer-dead": ("the simulator drives in circles: the trainer takes none of it", "The trainer is dead: start again"),
    "no-checkpoint": ("the simulator waits for a checkpoint that does not come", "fleet deepracer repair"),
    "quiet": ("neither trainer nor simulator says anything any more", "Start again; look at memory and disk first"),
    "no-lap": ("no lap ends any more", "Start again; is the machine large enough for the simulator?"),
    "no-iteration": ("no new checkpoint any more", "Start again; is the machine large enough for its workers?"),
}


def of_kind(kind: str, text: str = "") -> Fault:
    """An error that a line told."""
    message, remedy = _KIND[kind]
    return Fault(kind, _with(message, text), remedy)


def of_fault_code(code: int, text: str = "") -> Fault:
    """What the simapp called by a number; ``text``: what it said of it."""
    kind = {12: "reward-import", 25: "nan", 41: "reward-error"}.get(code, f"simapp-{code}")
    message, remedy = _SIM.get(code, ("the DeepRacer software gave up", "Look at the log around FAULT_CODE"))
    return Fault(kind, _with(f"{message} (fault code {code})", text), remedy)


def late(step: str, seconds: float) -> Fault:
    """A step of the start that took too long."""
    message, remedy = _LATE[step]
    return Fault(f"late-{step}", f"{message} (waited {seconds:.0f} s)", remedy, CONSEQUENCE)


def meanwhile(code: str, seconds: float) -> Fault:
    """Something that lasts too long while it trains."""
    message, remedy = _MEANWHILE[code]
    return Fault(code, f"{message} (for {seconds:.0f} s)", remedy, CONSEQUENCE)


def ended(service: str, code: int | None, text: str = "") -> Fault:
    """A container that is gone."""
    if code is None:
        return Fault("trainer-ended", "the trainer says goodbye", "Look at the trainer's log", CONSEQUENCE)
    killed = " (killed: out of memory?)" if code == KILLED else ""
    message = f"the container of {service} ended with exit code {code}{killed}"
    return Fault(f"{service}-ended", _with(message, text), "Look at its log, and at coach's: docker logs", CONSEQUENCE)


def _with(message: str, text: str) -> str:
    return f"{message}: {text}" if text else message
