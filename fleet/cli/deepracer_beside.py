"""The files that a model was trained by, as they lie in its prefix, or where its training_params.yaml says that they lay."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import yaml

from fleet.model.errors import NotFoundError
from fleet.store.workdir import JOB_FILE
from fleet.workloads.deepracer.evaluating.params import REWARD_2019
from fleet.workloads.deepracer.params import PARAMS
from fleet.workloads.deepracer.prefix import Prefix, open_folder, open_prefix
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD

LIE: Mapping[str, tuple[str, ...]] = {
    REWARD: (REWARD,),
    METADATA: (METADATA, f"model/{METADATA}"),
    HYPERPARAMETERS: (HYPERPARAMETERS, f"ip/{HYPERPARAMETERS}"),
    JOB_FILE: (JOB_FILE,),
}
"""Where they lie in a prefix: the first that is there."""
KEYS = {REWARD: "REWARD_FILE_S3_KEY", METADATA: "MODEL_METADATA_FILE_S3_KEY"}
"""What training_params.yaml calls the places of those that may lie elsewhere in the bucket: in custom_files/, mostly."""
LARGEST = 4 << 20
"""Bytes of one of them; none comes near it."""


def in_prefix(prefix: Prefix) -> dict[str, bytes]:
    """Those that lie in the prefix itself."""
    listing = prefix.list()
    found: dict[str, bytes] = {}
    for name, places in LIE.items():
        place = next((one for one in places if one in listing and listing[one].size <= LARGEST), None)
        if place is not None:
            found[name] = prefix.read(place)
    return found


def elsewhere(prefix: Prefix, lacks: set[str]) -> tuple[dict[str, bytes], list[str]]:
    """Those that lie beside the prefix, in the same bucket, by its parameters; and what must be said of them.

    Other programs leave the reward function in custom_files/, where the next training's may have taken its place.
    """
    if not lacks.intersection(KEYS) or PARAMS not in prefix.list():
        return {}, []
    said = _parameters(prefix)
    found, notes = {}, []
    for name in sorted(lacks.intersection(KEYS)):
        key, below = str(said.get(KEYS[name], "")), str(said.get("SAGEMAKER_SHARED_S3_PREFIX", ""))
        around = _around(prefix.where, PurePosixPath(key), PurePosixPath(below)) if key and below else None
        right = PurePosixPath(key).name in (name, REWARD_2019)  # a model of somebody else's may name any file
        data = _read(around, PurePosixPath(key).name) if around is not None and right else None
        if around is not None and data is not None:
            found[name] = data
            notes.append(f"{name} is taken from {around.where}: a later training may have changed it there.")
    return found, notes


def _parameters(prefix: Prefix) -> Mapping[str, object]:
    try:
        said = yaml.safe_load(prefix.read(PARAMS))
    except (yaml.YAMLError, NotFoundError):
        return {}
    return said if isinstance(said, dict) else {}


def _around(where: str, key: PurePosixPath, below: PurePosixPath) -> Prefix | None:
    """The "folder" of a key in the bucket that the prefix ``below`` of it is at ``where``; None: they do not fit."""
    mark, _, path = where.rpartition("://")
    place = PurePosixPath(path)
    parts = len(below.parts)
    if not parts or place.parts[-parts:] != below.parts or key.is_absolute() or ".." in key.parts:
        return None
    folder = PurePosixPath(*place.parts[:-parts]) / key.parent
    return open_prefix(f"{mark}://{folder}") if mark else open_folder(Path(folder))


def _read(prefix: Prefix, name: str) -> bytes | None:
    """None: it is not there."""
    try:
        data = prefix.read(name)
    except NotFoundError:
        return None
    return data if len(data) <= LARGEST else None
