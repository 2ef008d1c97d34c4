"""Opening a fleet: a bucket, its journal and the providers that this computer can reach."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fleet import __version__
from fleet.control.clouds import cloud_providers
from fleet.control.controller import Controller
from fleet.control.hints import HintWatch
from fleet.control.home import Home
from fleet.control.setups import aws_setup
from fleet.model import layout
from fleet.model.base import canonical_json
from fleet.model.errors import AlreadyExistsError, FleetError, NotFoundError, StoreError
from fleet.model.events import Event
from fleet.providers.base import Provider
from fleet.store.fleetfile import ensure_fleet, read_fleet
from fleet.store.journal import Journal
from fleet.store.objects import Objects
from fleet.store.opening import open_objects


def controller_name() -> str:
    """Names this controller in the journal: computer, process and a random part."""
    return f"{hostname()}-{secrets.token_hex(4)}"


def hostname() -> str:
    """What this computer calls itself."""
    return os.uname().nodename


def providers_for(home: Home, fleet_id: str, objects: Objects) -> dict[str, Provider]:
    """The providers that this computer can reach, by name.

    The machines of ``local`` are seen from one home only. From another they cannot be asked about, which is something else
    than that there are none.
    """
    from fleet.providers.local.elsewhere import Elsewhere
    from fleet.providers.local.provider import LocalProvider
    from fleet.providers.wrap import Guard

    local = LocalProvider(home.local, fleet_id)
    mine = {"home": home.identity(), "where": f"{hostname()}:{home.path}"}
    owner = _owner_of_local(objects, mine)
    here: Provider = Guard(local) if owner["home"] == mine["home"] else Elsewhere(local, owner["where"])
    return {"local": here, **cloud_providers(home, fleet_id, objects)}


def providers_here(home: Home) -> dict[str, Provider]:
    """The providers without any fleet: for looking at prices."""
    from fleet.providers.local.provider import LocalProvider
    from fleet.providers.wrap import Guard

    return {"local": Guard(LocalProvider(home.local, ""))}


def _owner_of_local(objects: Objects, mine: dict[str, str]) -> dict[str, str]:
    """The home that the fleet's local machines live in: the first that opened it."""
    try:
        known = objects.get(layout.LOCAL_HOME)  # first, so that looking writes nothing
    except NotFoundError:
        with contextlib.suppress(AlreadyExistsError):
            objects.create(layout.LOCAL_HOME, canonical_json(mine))
        known = objects.get(layout.LOCAL_HOME)
    try:
        found = json.loads(known)
        return {"home": str(found["home"]), "where": str(found["where"])}
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"{layout.LOCAL_HOME} does not hold what fleet writes there") from None


def open_fleet(
    home: Home, url: str, *, create: bool = False, on_event: Callable[[Event], None] = lambda _event: None
) -> Controller:
    """A controller over the fleet in a bucket, its state loaded.

    ``create`` sets the fleet up where there is none yet. Raises FleetError if there is none, StoreError if the bucket
    cannot be reached or cannot hold a fleet.
    """
    if create:
        home.identity()  # a home that cannot be written is told before anything else
    objects = open_bucket(home, url)
    info = ensure_fleet(objects) if create else read_fleet(objects)
    if info is None:
        raise FleetError(f"there is no fleet in {url}", "`fleet up JOB` makes one.")
    cache = None
    if not url.startswith(("file:", "memory:")):
        from fleet.store.cache import EntryCache

        cache = EntryCache(home.cache, info.fleet_id)
    journal = Journal(objects, info.fleet_id, by=controller_name(), version=__version__, cache=cache)
    controller = Controller(objects, journal, info.fleet_id, providers_for(home, info.fleet_id, objects), on_event=on_event)
    controller.observer.hinting = HintWatch(home.cache / "aws", lambda: aws_setup(objects))
    controller.load()
    return controller


def open_bucket(home: Home, url: str) -> Objects:
    """The bucket at a URL, reached with what it was set up with here. Raises UnsuitableStoreError if it is none."""
    if url.startswith("gs:"):
        from fleet.providers.gcp.login import bucket_login

        return open_objects(url, credentials=bucket_login())
    return open_objects(url, profile=home.aws_profile(url) if url.startswith("s3:") else None)


def holds_fleet(home: Home, url: str) -> bool:
    """Whether a fleet was ever set up in a bucket. Raises StoreError if it cannot be reached."""
    if url.startswith("file://") and not Path(unquote(urlsplit(url).path)).is_dir():
        return False
    return read_fleet(open_bucket(home, url)) is not None
