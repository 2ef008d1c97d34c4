"""Where messages go: the user's own list, and what of it may be shown.

Apprise's URLs hold passwords and tokens. They are kept in one file of the user's, readable by nobody else, and leave it only
for the service that they name: neither a bucket nor a log nor a command line of fleet's ever holds one. What is shown has
stars in the place of every secret.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

import yaml

from fleet.model.errors import FleetError

FILE = "destinations.yaml"
"""In FLEET_HOME."""
Use = Literal["report", "notify"]
USES: tuple[Use, ...] = ("report", "notify")
STARS = "***"
MOST = 50
"""Of a list; more is a slip."""
EXAMPLES = (
    "For example mailto://me:password@mail.example.com?to=me@example.com, ses:fleet@example.com>me@example.com, sns:arn:…"
)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(//)?", re.IGNORECASE)
_MAIL = re.compile(r"[^\s<>@,;]+@[^\s<>@,;]+")
_TOPIC = re.compile(r"arn:aws[\w-]*:sns:([a-z0-9-]+):(\d{12}):([\w.-]+)")
_HOST = re.compile(r"(localhost|[\w-]+(\.[\w-]+)+|\[[0-9a-f:]+\])(:\d+)?", re.IGNORECASE)
_MAILS = ("mailto", "mailtos")
"""Only here the host is a server's name by Apprise's own rules, and may be shown."""
_SERVERS = (*_MAILS, "json", "jsons", "xml", "xmls", "form", "forms", "ntfy", "ntfys", "gotify", "gotifys")


@dataclass(frozen=True, slots=True)
class Mail:
    """Of ``ses:from@x>to@y,to@z?region=eu-west-1``."""

    sender: str
    to: tuple[str, ...]
    region: str = ""
    """Empty: where the account's configuration, or the function, is."""


@dataclass(frozen=True, slots=True)
class Destination:
    """One of them, taken apart. Its text must not hold the URL."""

    url: str
    scheme: str
    shown: str

    def __repr__(self) -> str:
        return f"Destination({self.shown!r})"

    @property
    def account(self) -> bool:
        """Whether it is told by AWS, holds no secret, and may so be kept in the account."""
        return self.scheme in ("ses", "sns")

    @property
    def mail(self) -> Mail:
        """Of ``ses:``."""
        return _mail(self.url)

    @property
    def topic(self) -> str:
        """The ARN of ``sns:``."""
        return self.url.partition(":")[2].removeprefix("//")

    def hide(self, text: str) -> str:
        """A text without this destination's secrets: a library may tell them in its complaints."""
        if self.account:
            return text
        for secret in sorted(_secrets(self.url), key=len, reverse=True):
            text = text.replace(secret, STARS)
        return text


def destination(url: str) -> Destination:
    """Take one apart. Raises FleetError without repeating it: what is wrong with it may be where its password stands."""
    url = url.strip()
    found = _SCHEME.match(url)
    if found is None:
        raise FleetError("what was given is no destination: it has no scheme, like mailto://", EXAMPLES)
    scheme = found[1].lower()
    if scheme == "ses":
        _mail(url)
        return Destination(url, scheme, url)
    if scheme == "sns":
        topic = url.partition(":")[2].removeprefix("//")
        if _TOPIC.fullmatch(topic) is None:
            raise FleetError(f"sns: wants a topic's ARN, not {topic!r}", "sns:arn:aws:sns:us-east-1:123456789012:fleet")
        return Destination(f"sns:{topic}", scheme, f"sns:{topic}")
    if found[2] is None and scheme not in _MAILS:
        raise FleetError(f"what was given as {scheme}: is no destination", EXAMPLES)
    return Destination(url, scheme, shown(url))


def _mail(url: str) -> Mail:
    told, _, query = url.partition(":")[2].removeprefix("//").partition("?")
    sender, arrow, to = told.partition(">")
    region = query.removeprefix("region=") if query else ""
    names = tuple(one.strip() for one in to.split(",") if one.strip())
    fine = arrow and names and all(_MAIL.fullmatch(one) for one in (sender.strip(), *names))
    if not fine or (query and not re.fullmatch(r"region=[a-z0-9-]+", query)):
        raise FleetError(
            "ses: wants a sender and whom to send to: ses:fleet@example.com>me@example.com",
            "Several are separated by commas; ?region=eu-west-1 names SES's region. A shell wants it in quotes.",
        )
    return Mail(sender.strip(), names, region)


def _split(url: str) -> SplitResult:
    """Its parts. Raises FleetError: Python's own words may repeat the password."""
    try:
        return urlsplit(url)
    except ValueError:
        told = "what was given cannot be taken apart: a letter in its user or password must be written as %XX"
        raise FleetError(told, "For example %5B for [, %23 for #, %2F for /, %3F for ?, %40 for @.") from None


def shown(url: str) -> str:
    """As it may be shown: the scheme, the server's name, and whom a mail goes to."""
    parts = _split(url)
    scheme = parts.scheme.lower()
    if scheme in ("ses", "sns"):
        return url
    host = parts.netloc.rpartition("@")[2]
    torn = "@" not in parts.netloc and "@" in url.partition("://")[2].partition("=")[0]
    if torn or scheme not in _SERVERS or _HOST.fullmatch(host) is None:  # torn: a password's # or / ended the host
        return f"{scheme}://{STARS}"
    to = re.search(r"(?:^|&)to=([^&]+)", parts.query) if scheme in _MAILS else None
    named = unquote(to[1]) if to is not None else ""
    more = f"?to={named}" if named and all(_MAIL.fullmatch(one.strip()) for one in named.split(",")) else ""
    rest = f"/{STARS}" if parts.path.strip("/") or (parts.query and not more) else ""
    return f"{scheme}://{STARS + '@' if '@' in parts.netloc else ''}{host}{rest}{more}"


def labels(urls: Sequence[str]) -> dict[str, str]:
    """Each by what is shown of it; of several that look alike the second is ``… #2``."""
    named: dict[str, str] = {}
    for url in dict.fromkeys(urls):
        first = name = destination(url).shown
        count = 1
        while name in named:
            count += 1
            name = f"{first} #{count}"
        named[name] = url
    return named


def _secrets(url: str) -> set[str]:
    """Every part of a URL that might be one, as it stands and as it reads."""
    parts = _split(url)
    told = [url, *re.split(r"[/@:?&=,]+", url.partition("://")[2])]
    host = parts.netloc.rpartition("@")[2]
    public = {*re.split(r"[:/]", host), host, *re.split(r"[@=&?/:*]+", shown(url))} if host in shown(url) else set()
    return {form for one in told for form in (one, unquote(one)) if len(form) > 3 and form not in public}


def read(home: Path, use: Use) -> tuple[str, ...]:
    """What the user wants told, in their order. Raises FleetError for a file that is not as it should be."""
    return tuple(_whole(home).get(use, ()))


def keep(home: Path, use: Use, urls: Sequence[str]) -> None:
    """Put a list in the place of the one that was there; an empty one is none. Raises FleetError for a wrong one."""
    found = {**_whole(home), use: list(labels(urls).values())}
    kept = {name: listed for name, listed in found.items() if listed}
    path = home / FILE
    if not kept:
        path.unlink(missing_ok=True)
        return
    head = "# Whom fleet tells. It holds passwords: readable by nobody but you, and nothing of it leaves this computer.\n"
    temporary = home / f".{FILE}-{secrets.token_hex(4)}"
    number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(head + yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=1000))
    temporary.replace(path)


def was_open(home: Path) -> bool:
    """Whether others could read the file; from now on they cannot."""
    path = home / FILE
    try:
        if not path.stat().st_mode & 0o077:
            return False
        path.chmod(0o600)
    except OSError:
        return False
    return True


def _whole(home: Path) -> dict[str, list[str]]:
    path = home / FILE
    was_open(home)
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        where = getattr(getattr(error, "problem_mark", None), "line", None)  # its own words repeat the line
        at = f", line {where + 1}" if isinstance(where, int) else ""
        raise FleetError(f"{path} cannot be read{at}: {type(error).__name__}", "Mend it, or remove it.") from None
    found = {} if found is None else found
    wrong = not isinstance(found, dict) or set(found) - set(USES)
    if wrong or not all(
        isinstance(listed, list) and len(listed) <= MOST and all(isinstance(one, str) for one in listed)
        for listed in found.values()
    ):
        told = f"{path} is not as fleet writes it: lists of URLs under `report:` and `notify:`, {MOST} at most"
        raise FleetError(told, "Mend it, or remove it and name them anew: fleet report install --to URL")
    return {str(name): list(listed) for name, listed in found.items()}
