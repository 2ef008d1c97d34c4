"""Takes secrets out of text that is to be shown to strangers: keys, tokens, passwords, account ids, addresses, names. Pure.

Two ways, both always: what looks like a secret goes, wherever it stands, and what is known to be one (``known``: the values
of this computer's own keys) goes in whichever form it is written. Too much goes rather than too little: a digest of an image
stays, since it says which image it is.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from urllib.parse import quote, quote_plus

KEY, TOKEN, ACCOUNT, MAIL, ADDRESS = "<key>", "<token>", "<account>", "<e-mail>", "<address>"
SECRET, HOME = "<secret>", "<home>"
SHORTEST = 6
"""Characters: a shorter value would take half of the text with it."""
_NAMES = (
    r"(?:secret|token|passw(?:or)?d|passwd|pwd|api[_-]?key|access[_-]?key|private[_-]?key|credential|signature|authorization"
    r"|auth)"
)
SECRET_NAME = re.compile(rf"{_NAMES}|(?:^|_)key(?:$|_)", re.IGNORECASE)
"""What a variable is called that holds a secret."""
LONGEST_WORD = 24
"""Characters."""
# What stands around a name is limited, or may begin in one way only: else a long line of letters takes minutes to look at.
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL)
_ACCESS_KEY = re.compile(r"(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ABIA|ACCA)[A-Z0-9]{12,}")
_KNOWN_TOKENS = re.compile(
    r"(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[a-z]-[\w-]{10,}|sk-[\w-]{16,}|hf_[A-Za-z0-9]{16,}"
    r"|AIza[\w-]{30,}|ya29\.[\w.-]{10,}|dckr_pat_[\w-]{16,}|eyJ[\w-]{8,4096}(?:\.[\w-]+){1,2})"
)
_ASSIGNED = re.compile(
    rf"""(?P<name>{_NAMES}[\w.-]{{0,64}}\\*["']?\s{{0,16}}(?:=>|[:=])\s*)"""
    r"""(?P<value>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?P<quote>\\+["']).*?(?P=quote)|[^\s,;&}\])"']+)""",
    re.IGNORECASE,
)
_OPTION = re.compile(rf"(--[\w.-]{{0,64}}{_NAMES}[\w.-]{{0,64}}[ =])(\"[^\"]*\"|'[^']*'|\S+)", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer|Basic|Digest)\s+[^\s\"',;]+", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/\s@\"']+@")
_QUERY = re.compile(
    r"(?<=[?&])(X-Amz-[\w-]+|Signature|sig|AWSAccessKeyId|Expires|Policy|Key-Pair-Id|code|state)=[^&\s\"']*", re.IGNORECASE
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}(?![0-9a-f])")
_LONG = re.compile(r"[A-Za-z0-9+/_=-]{28,}")
_MAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_ACCOUNT = re.compile(r"(?<!\d)(?<!\d\.)(?:\d{12}|\d{4}-\d{4}-\d{4})(?!\.?\d)")
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d)|(?<=ec2-)(?:\d{1,3}-){3}\d{1,3}(?!\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:)[0-9A-Fa-f:]{2,}(?:\.\d+){0,3}(?![\w:])")
_HOMES = re.compile(r"(?:/home|/Users|/var/home)/[^/\s:\"',;]+|/root(?=[/\s:]|$)|[A-Za-z]:\\Users\\[^\\\s]+")


def redact(text: str, known: Iterable[str] = ()) -> str:
    """The text without what nobody else is to read."""
    for value in sorted({one for one in known if len(one) >= SHORTEST}, key=len, reverse=True):
        for form in _forms(value):
            text = text.replace(form, SECRET)
    text = _PEM.sub(KEY, text)
    text = _USER_INFO.sub(f"{SECRET}@", text)
    text = _QUERY.sub(rf"\1={SECRET}", text)
    text = _BEARER.sub(rf"\1 {TOKEN}", text)
    text = _OPTION.sub(rf"\1{SECRET}", text)
    text = _ASSIGNED.sub(rf"\g<name>{SECRET}", text)
    text = _ACCESS_KEY.sub(KEY, text)
    text = _KNOWN_TOKENS.sub(TOKEN, text)
    text = _without_long(text)
    text = _MAIL.sub(MAIL, text)
    text = _IPV4.sub(_address, text)
    text = _IPV6.sub(_address, text)
    text = _ACCOUNT.sub(ACCOUNT, text)
    return _HOMES.sub(HOME, text)


def secrets_of(environment: Mapping[str, str]) -> set[str]:
    """The values of variables whose names say that they are secret."""
    return {value for name, value in environment.items() if SECRET_NAME.search(name) and len(value) >= SHORTEST}


def _forms(value: str) -> list[str]:
    """A value as it may be written: plain, in an address, in JSON, in base64 at any of its three offsets."""
    data = value.encode("utf-8", "surrogateescape")
    forms = {value, quote(value, safe=""), quote(value), quote_plus(value), json.dumps(value)[1:-1]}
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + data).decode()
        inner = encoded[(0, 2, 3)[offset] : len(encoded.rstrip("=")) - (1 if (offset + len(data)) % 3 else 0)]
        forms.update((inner, inner.translate(str.maketrans("+/", "-_"))))
    forms.update((data.hex(), data.hex().upper()))
    return sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True)


def _without_long(text: str) -> str:
    """Without long runs that no person wrote; an image's digest is kept, and what plainly is words or a path."""
    pieces, at = [], 0
    for kept in _DIGEST.finditer(text):
        pieces += [_LONG.sub(_random, text[at : kept.start()]), kept[0]]
        at = kept.end()
    return "".join([*pieces, _LONG.sub(_random, text[at:])])


def _random(found: re.Match[str]) -> str:
    """Whether a run looks drawn by lot: many changes between kinds of characters, or hexadecimal throughout."""
    run = found[0]
    parts = [part for part in re.split(r"[/_=+-]", run) if part]
    if all(
        len(part) < LONGEST_WORD and part.isalpha() and (part.islower() or part.isupper() or part.istitle())
        for part in parts
    ):
        return run
    if all(len(part) < 16 for part in parts) and not re.search(r"[+=]", run) and not _mixed("".join(parts)):
        return run
    return TOKEN


def _mixed(text: str) -> bool:
    """Small letters, capitals and digits, changing often."""
    kinds = [0 if c.islower() else 1 if c.isupper() else 2 for c in text]
    changes = sum(a != b for a, b in pairwise(kinds))
    return len(set(kinds)) == 3 and changes > len(text) / 4


def _address(found: re.Match[str]) -> str:
    """Public addresses go; those of networks that nobody can reach say something about the fault, and stay."""
    try:
        address = ipaddress.ip_address(found[0].replace("-", ".") if ":" not in found[0] else found[0])
    except ValueError:
        return found[0]
    return ADDRESS if address.is_global or address.is_multicast else found[0]
