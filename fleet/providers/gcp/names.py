"""Names, ids and labels of what fleet makes in a project: pure.

A machine is called after its token, so that a zone itself refuses a second one, and so is a disk that is made with it. The
id that fleet knows either by is ``NAME.ZONE``, which is how Compute Engine's zonal DNS begins, and all that is needed to ask
for it. Names and labels take small letters, digits and dashes, 63 at most (labels underscores too); what fleet's tags say
exactly stands in the description, as JSON.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping

FLEET_LABEL = "fleet"
"""Holds the fleet's id: whatever lacks it is never looked at."""
TOKEN_LABEL = "fleet-token"  # noqa: S105  # the name of a label
REQUEST_LABEL = "fleet-request"
"""Holds the digest of what was asked for: the same token with another request is refused."""
NAMED = "fleet-"
"""How the names of machines and disks begin."""
MOST_NAME = 63
_NO_LABEL = re.compile(r"[^a-z0-9_-]")


def machine_name(run_name: str, attempt: int | str, token: str) -> str:
    """What a token's machine is called: ``fleet-<run>-<attempt>-<digest>``."""
    return f"fleet-{run_name[:32].strip('-')}-{attempt}-{digest(token)[:12]}"


def disk_name(run_name: str, token: str) -> str:
    """What the new volume of a token is called: ``fleet-<run>-disk-<digest>``."""
    return f"fleet-{run_name[:32].strip('-')}-disk-{digest(token)[:12]}"


def id_of(name: str, zone: str) -> str:
    """``NAME.ZONE``. ``zone`` may be a URL of the API's, or the metadata server's ``projects/N/zones/Z``."""
    return f"{name}.{last(zone)}"


def parts_of(identifier: str) -> tuple[str, str]:
    """Name and zone of an id. Raises ValueError for anything else."""
    name, dot, zone = identifier.partition(".")
    if not (name and dot and re.fullmatch(r"[a-z]+-[a-z]+[0-9]+-[a-z]", zone)):
        raise ValueError(f"{identifier!r} is no NAME.ZONE")
    return name, zone


def last(url: str) -> str:
    """The last part of a resource's URL: its name."""
    return url.rstrip("/").rpartition("/")[2]


def region_of(zone: str) -> str:
    """``us-central1`` of ``us-central1-a``."""
    return last(zone).rpartition("-")[0]


def digest(text: str) -> str:
    """SHA-256, 32 hexadecimal characters of it: a label's value."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def request_id(token: str, *more: str) -> str:
    """The requestId of a call that belongs to a token: a UUID, always the same one (version 5 in form)."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "\n".join(("fleet", token, *more))))


def label(value: str) -> str:
    """A text as a label's value: for people and filters, not exact."""
    return _NO_LABEL.sub("-", value.lower())[:MOST_NAME]


def labels(tags: Mapping[str, str]) -> dict[str, str]:
    """Labels for a machine's or a disk's tags: whose it is, and which token's; the rest for whoever looks at the console."""
    found = {FLEET_LABEL: label(tags["fleet"])}
    if tags.get("run"):
        found["fleet-run"] = label(tags["run"])
    if tags.get("attempt"):
        found["fleet-attempt"] = label(tags["attempt"])
    if tags.get("token"):
        found[TOKEN_LABEL] = digest(tags["token"])
    return found


def network_tag(fleet_id: str) -> str:
    """The tag that a fleet's machines have, and that what is let in is let in to: ``fleet-<id>``."""
    return f"fleet-{label(fleet_id)}"[:MOST_NAME].rstrip("-_").replace("_", "-")


def described(tags: Mapping[str, str]) -> str:
    """The description that says a thing's tags exactly."""
    return json.dumps({"fleet": dict(tags)}, sort_keys=True, separators=(",", ":"))


def tags_of(description: str) -> dict[str, str]:
    """The tags that a description says; none if it says something else."""
    try:
        found = json.loads(description)["fleet"]
        return {str(key): str(value) for key, value in sorted(found.items())}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}
