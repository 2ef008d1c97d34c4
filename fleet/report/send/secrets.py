"""What looks like a secret goes out of a text before anybody is told it: a training's last lines may hold one.

Narrower than what a diagnosis for strangers leaves out (workloads/deepracer/redact.py): the reader is the fleet's owner, and
addresses, accounts and digests are what they want to read.
"""

from __future__ import annotations

import html
import re
from dataclasses import replace

from fleet.report.send.rendered import Rendered

HIDDEN = "<secret>"
_NAMES = r"(?:secret|token(?!s)|passw(?:or)?d|passwd|passphrase|pwd|api[_-]?key|access[_-]?key|private[_-]?key|credential)"
# What stands around a name is limited, or may begin in one way only: else a long line of letters takes minutes to look at.
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_KNOWN = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|xox[a-z]-[\w-]{10,}|sk-[\w-]{16,}|hf_[A-Za-z0-9]{16,}|AIza[\w-]{30,}|ya29\.[\w.-]{10,}|dckr_pat_[\w-]{16,}"
    r"|eyJ[\w-]{8,2048}\.[\w-]+(?:\.[\w-]+)?|hooks\.slack\.com/services/[\w/]+"
    r"|discord(?:app)?\.com/api/webhooks/\d+/[\w-]+)"
)
_AWS_SECRET = re.compile(
    r"(?<![A-Za-z0-9/+=_-])(?=[A-Za-z0-9/+]*[a-z])(?=[A-Za-z0-9/+]*[A-Z])(?=[A-Za-z0-9/+]*\d)[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_-])"
)
_ASSIGNED = re.compile(
    rf"""(?P<name>{_NAMES}[\w.-]{{0,64}}["']?\s{{0,16}}(?:=>|[:=])\s*)"""
    r"""(?P<value>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s,;&}\])"'<]+)""",
    re.IGNORECASE,
)
_OPTION = re.compile(rf"(--[\w.-]{{0,64}}{_NAMES}[\w.-]{{0,64}}[ =])(\"[^\"]*\"|'[^']*'|[^\s<]+)", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/\s@:\"'<>]*:[^/\s@\"'<>]+@")
_QUERY = re.compile(r"(?<=[?&])(X-Amz-(?:Signature|Credential|Security-Token)|Signature|sig)=[^&\s\"'<]*", re.IGNORECASE)
_TAG = re.compile(r"(<style\b.*?</style\s*>|<[^>]*>)", re.IGNORECASE | re.DOTALL)


def masked(text: str) -> str:
    """The text without them."""
    text = _PEM.sub(HIDDEN, text)
    text = _USER_INFO.sub(f"{HIDDEN}@", text)
    text = _QUERY.sub(rf"\1={HIDDEN}", text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    text = _OPTION.sub(rf"\1{HIDDEN}", text)
    text = _ASSIGNED.sub(rf"\g<name>{HIDDEN}", text)
    return _AWS_SECRET.sub(HIDDEN, _KNOWN.sub(HIDDEN, text))


def masked_html(page: str) -> str:
    """A page without them: what is read between the tags, and what tokens stand within one."""
    parts = _TAG.split(page)
    return "".join(_tag(part) if index % 2 else _words(part) for index, part in enumerate(parts))


def _words(part: str) -> str:
    plain = html.unescape(part)
    hidden = masked(plain)
    return part if hidden == plain else html.escape(hidden)


def _tag(part: str) -> str:
    return part if part[:6].lower() == "<style" else _KNOWN.sub("***", part)


def safe(rendered: Rendered) -> Rendered:
    """A message without them, in every form."""
    return replace(
        rendered,
        subject=" ".join(masked(rendered.subject).split()),
        text=masked(rendered.text),
        html=masked_html(rendered.html),
        short=masked(rendered.short),
    )
