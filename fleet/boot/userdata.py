"""The user-data of a machine that boots from an image: cloud-config with the scripts of ``userdata/``, packed.

A pure function of its arguments (and of those files): the bytes are frozen with the launch request. No secret is in them.
"""

from __future__ import annotations

import base64
import functools
import json
import math
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from fleet.boot.packing import gzipped
from fleet.boot.wheelhouse import listed, listing
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.cloud import BootTarget
from fleet.model.documents import BootDocument, WheelIndex
from fleet.model.errors import FleetError

TEMPLATE = "cloud-config.yaml"
_VALUE = re.compile(r"[!#-&(-\[\]-~]*")
"""What a line of an environment file can hold without quotes, for systemd, for the shell and for a simple reader."""
_INCLUDE = re.compile(r"^@([\w.-]+)@$", re.MULTILINE)


def render(boot: BootDocument, target: BootTarget, wheels: WheelIndex, *, keep_failed: float | None = None) -> str:
    """The user-data as the cloud's API takes it: base64 of gzip of a cloud-config.

    ``keep_failed``: a machine whose boot failed stays for so many seconds. Raises FleetError if the result is larger than
    what the cloud takes, or if there is no agent for the image's architecture.
    """
    packed = gzipped(cloud_config(boot, target, wheels, keep_failed=keep_failed).encode("ascii"))
    if len(packed) > target.user_data_limit:
        raise _too_large(len(packed), boot, target, wheels)
    return base64.b64encode(packed).decode("ascii")


def cloud_config(boot: BootDocument, target: BootTarget, wheels: WheelIndex, *, keep_failed: float | None = None) -> str:
    """The same, readable."""
    config = yaml.safe_load(read(TEMPLATE))
    files = {
        "/etc/fleet/boot.json": _document(boot),
        "/etc/fleet/environment": _environment(target.environment),
        "/etc/fleet/boot.env": _settings(boot, target, keep_failed),
        "/etc/fleet/agent": listing(listed(wheels, target.arch)),
    }
    written = [{"path": path, "permissions": "0644", "content": text} for path, text in files.items()]
    lease = "-" if boot.lease_until is None else str(int(boot.lease_until))
    across = boot.root.startswith("gs:") or target.environment.get("FLEET_MACHINE") == "gce"
    wanted = {"stack": boot.job.in_containers, "driver": target.driver, "across": across}
    there = {"any", *(name for name, so in wanted.items() if so)}
    scripts = [file for file in config["write_files"] if there & {*file.pop("for", "any").split()}]
    config = {**_filled(config, lease), "write_files": [*written, *_filled(scripts, lease)]}
    return "#cloud-config\n" + yaml.dump(config, Dumper=_Dumper, sort_keys=False, width=1 << 20, default_flow_style=False)


@functools.cache
def read(name: str) -> str:
    """A file of ``userdata/``, which the wheel carries as ``fleet/_userdata``."""
    package = Path(__file__).parents[1]
    for folder in (package / "_userdata", package.parent / "userdata"):
        if (folder / name).exists():
            return (folder / name).read_text(encoding="utf-8")
    raise FleetError(f"fleet is installed without userdata/{name}", "Install it again.")


def stripped(text: str) -> str:
    """Without the lines that are for people only: every byte counts there."""
    lines = text.splitlines()
    kept = [line for line in lines[1:] if line.strip() and not line.lstrip().startswith("#")]
    first = [line for line in lines[:1] if line.startswith("#!") or not line.startswith("#")]
    return "\n".join([*first, *kept]) + "\n"


def _filled(node: Any, lease: str) -> Any:
    """The template with the files that it names."""
    if isinstance(node, dict):
        if node.keys() == {"file"}:
            return _included(node["file"], lease)
        return {key: _filled(value, lease) for key, value in node.items()}
    return [_filled(value, lease) for value in node] if isinstance(node, list) else node


def _included(name: str, lease: str) -> str:
    text = _INCLUDE.sub(lambda match: stripped(read(match[1])).rstrip("\n"), stripped(read(name)))
    return text.replace("@lease@", lease)


def _document(boot: BootDocument) -> str:
    """In ASCII, so that nothing between here and there can take it for something else."""
    return json.dumps(json.loads(document_bytes(boot)), sort_keys=True, separators=(",", ":")) + "\n"


def _environment(names: Mapping[str, str]) -> str:
    for name, value in names.items():
        if not _VALUE.fullmatch(value):
            raise FleetError(
                f"{name}={value!r} cannot be handed to a machine", "It is taken from your environment: mend it there."
            )
    return "".join(f"{name}={value}\n" for name, value in sorted(names.items()))


def _settings(boot: BootDocument, target: BootTarget, keep_failed: float | None) -> str:
    """What boot.sh must know."""
    values = {
        "FLEET_BOOT_LOG": layout.boot_log(boot.run_id, boot.attempt),
        "FLEET_DRIVER": target.driver or "",
        "FLEET_KEEP_FAILED": str(math.ceil(keep_failed or 0)),
        "FLEET_LEASE": "" if boot.lease_until is None else str(int(boot.lease_until)),
        "FLEET_MOUNT": boot.job.volume.mount,
        "FLEET_STACK": "1" if boot.job.in_containers else "",
        "FLEET_VOLUME_ID": boot.volume_id or ("new" if boot.volume_new else ""),
        "FLEET_VOLUME_NEW": "--new" if boot.volume_new else "",
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _too_large(size: int, boot: BootDocument, target: BootTarget, wheels: WheelIndex) -> FleetError:
    """Names what is large: what the user-data would be smaller by without it."""
    job = boot.job
    emptied: dict[str, Any] = {"setup": None, "run": None, "envs": {}, "outputs": (), "secrets": (), "file_mounts": {}}
    savings = {}
    for name, nothing in emptied.items():
        less = boot.model_copy(update={"job": job.model_copy(update={name: nothing})})
        if name == "file_mounts":
            less = less.model_copy(update={"mounts": {}})
        savings[name] = size - len(gzipped(cloud_config(less, target, wheels).encode("ascii")))
    largest = max(savings, key=lambda name: savings[name])
    return FleetError(
        f"the job does not fit into a machine's user-data: packed it is {size:,} bytes, and {target.user_data_limit:,} are"
        f" allowed. `{largest}` takes {savings[largest]:,} of them.",
        "Put commands and long values into files of the workdir.",
    )


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as such, so that people can read them."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
