"""Where everything lies in the bucket (design.md, section 4). Keys use ``/`` and never begin with it."""

from __future__ import annotations

FLEET = "fleet.json"
LAYOUT_VERSION = 1
LOCAL_HOME = "local-home.json"
"""Which home on which computer the machines of ``local`` live in."""
AWS_SETUP = "setup/aws.json"
"""What ``fleet init aws`` made in the account: a model.setup.AwsSetup."""
GCP_SETUP = "setup/gcp.json"
"""What ``fleet init gcp`` made in the project: a model.setup.GcpSetup."""
AWS_FUNCTION = "setup/aws-controller.json"
"""What ``fleet controller deploy aws`` made there: a model.setup.AwsFunction."""
CONTROLLERS = "controllers/"
IMAGES = "images/"
NOTIFY = "settings/notify.json"
"""What is to be told, and whom (notify.Wish)."""
NOTIFICATIONS = "notifications/"
JOURNAL = "journal/"
HEARTBEATS = "heartbeats/"


def journal_entry(number: int) -> str:
    """An entry of the journal; numbers begin at 1."""
    return f"journal/{number:012d}.json"


def snapshot(fold_version: int, number: int) -> str:
    """The fold of the journal up to and with entry ``number``."""
    return f"snapshots/{fold_version}/{number:012d}.json"


def snapshots(fold_version: int) -> str:
    """The prefix of all snapshots of one fold version."""
    return f"snapshots/{fold_version}/"


def heartbeat(run_id: str, attempt: int) -> str:
    """The agent's latest word."""
    return f"heartbeats/{run_id}.{attempt}.json"


def controller(name: str) -> str:
    """A controller's latest word on itself (presence.Presence)."""
    return f"{CONTROLLERS}{name}.json"


def notifications(folder: str) -> str:
    """The prefix of what one destination was told."""
    return f"{NOTIFICATIONS}{folder}/"


def notification(folder: str, number: int) -> str:
    """What it was told up to and with its message number so many (notify.Log)."""
    return f"{notifications(folder)}{number:08d}.json"


def image(image_id: str) -> str:
    """What an image that ``fleet ami build`` made is made of (image.ImageRecord)."""
    return f"{IMAGES}{image_id}.json"


def beat_of(key: str) -> tuple[str, int] | None:
    """The run's id and the attempt of a heartbeat's key; None for any other key."""
    run_id, _, number = key.removeprefix(HEARTBEATS).removesuffix(".json").rpartition(".")
    if not run_id or not number.isdecimal() or key != heartbeat(run_id, int(number)):
        return None
    return run_id, int(number)


def job_archive(sha256: str) -> str:
    """A packed workdir."""
    return f"jobs/{sha256}.tar"


def run(run_id: str) -> str:
    """Everything of one run."""
    return f"runs/{run_id}/"


def desired(run_id: str) -> str:
    """What the agent should do."""
    return f"runs/{run_id}/desired.json"


def attempt(run_id: str, number: int) -> str:
    """Everything of one attempt but its checkpoints."""
    return f"runs/{run_id}/attempts/{number}/"


def launch(run_id: str, number: int, try_no: int) -> str:
    """The exact launch request."""
    return f"{attempt(run_id, number)}launch-{try_no}.json"


def host_key(run_id: str, number: int) -> str:
    """The public halves of the machine's SSH host keys (documents.HostKeys), published before anybody connects."""
    return f"{attempt(run_id, number)}host-key.json"


def console(run_id: str, number: int) -> str:
    """What a machine that never spoke printed while it booted, as the cloud tells it."""
    return f"{attempt(run_id, number)}console.txt"


def boot_log(run_id: str, number: int) -> str:
    """What a boot that failed left behind, written by the machine itself."""
    return f"{attempt(run_id, number)}boot.log"


def wheels(version: str) -> str:
    """The prefix of everything that instances install the agent of a version from."""
    return f"agent/{version}/"


def wheel_index(version: str) -> str:
    """Which archives there are, and their hashes (documents.WheelIndex). Written last."""
    return f"{wheels(version)}index.json"


def began(run_id: str, number: int) -> str:
    """The attempt's first durable act."""
    return f"{attempt(run_id, number)}began.json"


def base(run_id: str, number: int) -> str:
    """The manifest that the attempt resumes from."""
    return f"{attempt(run_id, number)}base.json"


def log_chunk(run_id: str, number: int, chunk: int) -> str:
    """A piece of the attempt's log, immutable."""
    return f"{attempt(run_id, number)}log/{chunk:08d}.log"


def logs(run_id: str, number: int) -> str:
    """The prefix of an attempt's log chunks."""
    return f"{attempt(run_id, number)}log/"


def checkpoints(run_id: str, number: int) -> str:
    """The prefix of all checkpoints that one attempt wrote."""
    return f"runs/{run_id}/checkpoints/{number}/"


def checkpoint(run_id: str, number: int, seq: int) -> str:
    """The prefix of one checkpoint's files and manifest."""
    return f"{checkpoints(run_id, number)}{seq:08d}/"


def manifest(run_id: str, number: int, seq: int) -> str:
    """What makes a checkpoint exist: written last, exclusively."""
    return f"{checkpoint(run_id, number, seq)}manifest.json"


def checkpoint_file(run_id: str, number: int, seq: int, path: str) -> str:
    """One file of a checkpoint under its own name (below ``files/``, so that no name can collide with the manifest)."""
    return f"{checkpoint(run_id, number, seq)}files/{path}"


def models(run_name: str) -> str:
    """Exported models of a run, by their own names."""
    return f"models/{run_name}/"
