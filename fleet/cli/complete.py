"""Words for a shell's completion: quick, from this computer alone, and never an error or a word of its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from fleet.store.glance import Glance


def _beginning(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in dict.fromkeys(words) if word.startswith(incomplete)]


def _looked(context: typer.Context, words: Callable[[Glance], Iterable[str]], incomplete: str) -> list[str]:
    """What a look at the journals gives; nothing, whatever goes wrong: a shell waits for the answer."""
    with contextlib.suppress(Exception):
        from fleet.control.home import Home
        from fleet.store.glance import glance

        given = os.environ.get("FLEET_HOME")
        home = Home((Path(given) if given else Path.home() / ".fleet").absolute())
        bucket = context.params.get("bucket")
        return _beginning(words(glance([bucket] if bucket else home.known_buckets(), home.cache)), incomplete)
    return []


def run_names(context: typer.Context, incomplete: str) -> list[str]:
    """Names, the newest first; once a name is written out and more is asked for, ids."""

    def words(found: Glance) -> Iterable[str]:
        names = list(reversed(found.runs))
        return names if _beginning(names, incomplete) else reversed(found.ids)

    return _looked(context, words, incomplete)


def checkpoint_refs(context: typer.Context, incomplete: str) -> list[str]:
    """Checkpoints of the run that was named before."""
    from fleet.store.glance import saved_refs

    return _looked(context, lambda found: saved_refs(found, context.params["run"]), incomplete)


def volume_ids(context: typer.Context, incomplete: str) -> list[str]:
    """Volumes that were not deleted."""
    return _looked(context, lambda found: found.volumes, incomplete)


def image_ids(incomplete: str) -> list[str]:
    """Prepared images that this computer knows of."""
    with contextlib.suppress(Exception):
        import json

        given = os.environ.get("FLEET_HOME")
        folder = (Path(given) if given else Path.home() / ".fleet") / "cache" / "aws" / "images"
        known = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.own.json"))]
        return _beginning([one["image_id"] for kept in known for one in kept["images"]], incomplete)
    return []


def driver_names(incomplete: str) -> list[str]:
    """Branches of NVIDIA's driver that some machine needs."""
    from fleet.providers.gpus import GPUS

    return _beginning(sorted({gpu.branch for gpu in GPUS.values() if gpu.branch}), incomplete)


def told_kinds(incomplete: str) -> list[str]:
    """What ``fleet notify`` tells."""
    from fleet.model.notify import KINDS

    return _beginning((*KINDS, "all"), incomplete)


def kinds(incomplete: str) -> list[str]:
    """What ``fleet init`` writes, or sets up."""
    from fleet.cli.init import KINDS

    return _beginning((*KINDS, "aws", "gcp"), incomplete)


def looks(incomplete: str) -> list[str]:
    """What ``fleet doctor`` looks at beside this computer."""
    return _beginning(["aws", "gcp"], incomplete)


def shells(incomplete: str) -> list[str]:
    """That there is a completion for."""
    from fleet.cli.completion import SHELLS

    return _beginning(SHELLS, incomplete)


def market_names(incomplete: str) -> list[str]:
    """Markets that need no file."""
    from fleet.backtest.named import NAMES

    return _beginning(NAMES, incomplete)


def schema_names(incomplete: str) -> list[str]:
    """What ``fleet schema`` knows."""
    from fleet.cli.schemas import PRINTED

    return _beginning(PRINTED, incomplete)


def instance_types(incomplete: str) -> list[str]:
    """That fleet knows by heart, those that are gone among them: they name their successors."""
    from fleet.providers.aws.catalog import known_types
    from fleet.providers.gcp.machines import UNASKED

    return _beginning((*known_types(), *UNASKED), incomplete)


def gpu_names(incomplete: str) -> list[str]:
    """Accelerators of either cloud's types."""
    from fleet.providers.gpus import GPUS

    return _beginning(GPUS, incomplete)


def region_names(incomplete: str) -> list[str]:
    """Regions of either cloud."""
    from fleet.control.price_looking import all_regions

    return _beginning(all_regions(), incomplete)


def policy_names(incomplete: str) -> list[str]:
    """What a job is held against, and the policies of the tick model."""
    from fleet.backtest.policies import ABOUT
    from fleet.backtest.runner import names

    return _beginning((*ABOUT, *names()), incomplete)


def infra_names(incomplete: str) -> list[str]:
    """Providers, and the clouds' regions."""
    from fleet.control.price_looking import is_googles

    places = (f"{'gcp' if is_googles(region) else 'aws'}/{region}" for region in region_names(""))
    return _beginning(("local", "aws", "gcp", *places), incomplete)


def ssh_hosts(incomplete: str) -> list[str]:
    """Hosts that the SSH configuration names, behind the user that is typed, if any."""
    user, at, beginning = incomplete.rpartition("@")
    with contextlib.suppress(Exception):
        text = (Path.home() / ".ssh" / "config").read_text(encoding="utf-8", errors="replace")
        lines = (line.replace("=", " ").split() for line in text.splitlines())
        hosts = [name for words in lines if words and words[0].lower() == "host" for name in words[1:]]
        return [f"{user}{at}{name}" for name in _beginning((one for one in hosts if not set("*?!") & set(one)), beginning)]
    return []
