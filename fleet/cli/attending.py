"""Who keeps runs alive, in words: the same in every command that tells of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fleet import __version__
from fleet.control.attendance import seen
from fleet.control.controller import Controller
from fleet.control.fleets import hostname
from fleet.control.home import open_home
from fleet.control.presence import own_key
from fleet.core.presence import Told, behind
from fleet.model.base import Seconds
from fleet.model.errors import StoreError
from fleet.model.presence import Presence

DEPLOY = "fleet controller deploy aws"
DEPLOY_HOST = "fleet controller deploy ssh HOST"
INSTALL = "fleet controller install"
RUN = "fleet controller run"


def others(controller: Controller) -> list[Told] | None:
    """Everybody who keeps this fleet's runs alive, but for ourselves; None: that cannot be told now."""
    try:
        found = seen(controller.objects, controller.objects.now(), open_home())
    except StoreError:
        return None
    return [one for one in found if one.key != own_key(controller)]


def who(word: Presence, here: str) -> str:
    """What keeps it alive, and where; ``here`` is this computer's name."""
    on = "on this computer" if word.host == here else f"on {word.host or 'an unknown computer'}"
    if word.kind == "function":
        return f"the function {word.command.removeprefix('function ') or word.name} in the cloud"
    if word.kind == "service":
        return f"the service {on}"
    if word.kind == "cron":
        return f"cron {on}"
    does = [word.command] if word.command else []
    does += [f"process {word.process}"] if word.process is not None else []
    return f"a terminal {on}" + (f" ({', '.join(does)})" if does else "")


def state(told: Told, now: Seconds) -> str:
    """Whether it does what it is there for."""
    word, parts = told.presence, []
    if not told.lives:
        parts.append(f"silent for {_rough(now - word.seen_at)}" if told.key else "deployed, and silent: look at its log")
    if word.read_only:
        parts.append(f"only reads: {word.read_only}")
    elif word.blind:
        parts.append(f"cannot see {word.blind}")
    if told.problem:
        parts.append(told.problem)
    return "; ".join(parts)


def line(told: Told, now: Seconds, here: str) -> str:
    """One controller, as ``fleet ps`` shows it."""
    word = told.presence
    parts = [f"fleet {word.version}"] if word.version else []
    if told.key and not told.problem:
        parts.append(f"acted {ago(word.acted_at, now)}" if word.acted_at is not None else "nothing to do yet")
    if ill := state(told, now):
        parts.append(ill)
    return ": ".join([who(word, here), ", ".join(parts)]) if parts else who(word, here)


def attendance(found: Sequence[Told], now: Seconds, here: str, live: Collection[str], of: str = "") -> list[str]:
    """What ``fleet ps`` says of controllers. ``live``: the providers of live runs; none: nobody is needed.

    Of those that fell silent the ones that were to outlive a terminal are told, the others only where nobody acts.
    """
    alone = bool(live) and not any(one.acts for one in found)
    shown = [one for one in found if one.lives or one.presence.outlives_terminal or alone]
    told = [f"controllers{of}:", *(f"  {line(one, now, here)}" for one in shown)] if shown else []
    if differ := behind(one.presence for one in found if one.lives):
        told.append(f"  fleet {differ[0]} only reads as soon as fleet {differ[1]} writes what it does not know: upgrade it")
    if alone:
        none = "may act" if any(one.lives for one in found) else "lives"
        told.append(f"No controller{of} {none}: after an interruption nobody launches the next machine. What changes that:")
        told += remedies(live)
    return told


def remedies(live: Collection[str]) -> list[str]:
    """What to type if nobody keeps runs alive."""
    rows = [(DEPLOY, "a function in your account, for some cents a month")] if "aws" in live else []
    rows += [(DEPLOY_HOST, "a small Linux host that never sleeps")] if "gcp" in live else []
    rows += [(INSTALL, "a service of this computer"), (RUN, "this terminal, as long as it is open")]
    width = max(len(command) for command, _ in rows)
    return [f"  {command.ljust(width)}  {what}" for command, what in rows]


def watched(found: Sequence[Told] | None, here: str) -> str:
    """Who would relaunch a run, for ``fleet status``."""
    if found is None:
        return "by whom cannot be told now: the bucket cannot be listed"
    acting = [one for one in found if one.acts]
    if not acting:
        reading = next((f" but {who(one.presence, here)}, which only reads" for one in found if one.lives), "")
        return f"by nobody{reading}: `{RUN}` relaunches it after an interruption"
    return ", ".join(f"by {who(one.presence, here)}" for one in acting)


def awake(staying: Sequence[Presence], providers: Collection[str], here: str) -> str:
    """Until when those who stay look after a run in a cloud, if all of them run on this computer; empty: for ever."""
    if not set(providers) - {"local"} or any(word.kind == "function" or word.host != here for word in staying):
        return ""
    remedy = f"; `{DEPLOY}` is for when it sleeps" if "aws" in providers else f"; `{DEPLOY_HOST}` puts one where none sleeps"
    return f"as long as this computer is awake{remedy}"


def keeper(found: Sequence[Told], here: str, providers: Collection[str] = ()) -> str:
    """Who goes on keeping runs alive, and until when if that is a question; empty: nobody."""
    staying = sorted((one.presence for one in found if one.stays), key=lambda word: bool(word.blind))
    if staying and staying[0].blind:
        return f"{who(staying[0], here)} would launch the next one after an interruption, but cannot see {staying[0].blind}"
    if staying:
        until = awake([word for word in staying if not word.blind], providers, here)
        return f"{who(staying[0], here)} launches the next one after an interruption{until and f', {until}'}"
    if acts := next((one for one in found if one.acts), None):
        return f"{who(acts.presence, here)} launches the next one after an interruption, as long as it lives"
    return ""


def goes_on(found: Sequence[Told] | None, here: str, providers: Collection[str] = ()) -> str:
    """What becomes of a run without this terminal: the end of a sentence that says that its machine trains by itself."""
    if found is None:
        return "but who relaunches it after an interruption cannot be told now: `fleet controller list`."
    if told := keeper(found, here, providers):
        return f"and {told}."
    return f"but nobody relaunches it after an interruption until a controller runs: `{RUN}`."


def warning(found: Sequence[Told], providers: Collection[str], here: str) -> str:
    """What is said before a run begins in a cloud if nobody outlives this terminal, or this computer's sleep, or an older
    version does; else empty."""
    if not set(providers) - {"local"}:
        return ""
    staying = [one for one in found if one.stays]
    told = _ill(staying, providers, here)
    seeing = [one.presence for one in staying if not one.presence.blind]
    until = awake(seeing or [one.presence for one in staying], providers, here)
    if not staying or not until:
        return told
    return f"{told}\nAnd it acts {until}." if told else f"{who(seeing[0], here)} looks after it {until}."


def _ill(staying: Sequence[Told], providers: Collection[str], here: str) -> str:
    """What is wrong with those who outlive this terminal; empty: nothing."""
    if not staying:
        deploy = f"`{DEPLOY}` (a function in your account, some cents a month) or " if "aws" in providers else ""
        return (
            "no controller outlives this terminal. If its machine is taken back once the terminal is closed, the run's\n"
            "checkpoints are safe, but nobody launches the next machine until a controller runs again. What changes that:\n"
            f"{deploy}`{INSTALL}` (a service of this computer)."
        )
    if all(one.presence.blind for one in staying):
        first = staying[0].presence
        return (
            f"{who(first, here)} outlives this terminal, but cannot see {first.blind}.\n"
            "Until it can, nobody else launches the next machine once this terminal is closed."
        )
    differ = behind([*(one.presence for one in staying), _myself()])
    if differ is None or differ[1] != __version__ or any(one.presence.version == __version__ for one in staying):
        return ""
    first = staying[0].presence
    remedy = f"`{DEPLOY}` upgrades it" if first.kind == "function" else "upgrade fleet there"
    return (
        f"{who(first, here)} is fleet {first.version}, and this is fleet {__version__}: it only reads as soon as this one\n"
        f"writes what it does not know, and then nobody outlives this terminal: {remedy}."
    )


def _myself() -> Presence:
    return Presence(
        name="", kind="terminal", host=hostname(), command="", version=__version__, started_at=0, seen_at=0, again_at=0
    )


def ago(at: Seconds, now: Seconds) -> str:
    """How long something is past."""
    return f"{_rough(now - at)} ago"


def _rough(seconds: Seconds) -> str:
    """``12 s``, ``3 min``, ``5 h``, ``2 days``."""
    seconds = max(0.0, seconds)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"
