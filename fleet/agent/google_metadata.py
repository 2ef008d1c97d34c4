"""The client of Google's metadata server, and a thread that hears at once what changes there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from urllib.parse import quote

from fleet.agent.answering import Answered, place_of
from fleet.model.base import Seconds

BASE = "/computeMetadata/v1/"
FLAVOR = {"Metadata-Flavor": "Google"}
TIMEOUT: Seconds = 2.0
"""For a whole answer, unless said otherwise."""
WAIT: Seconds = 1.0
"""One question for a change is answered after so long though nothing changed: a server that was restarted, or a connection
that is dead without anybody knowing, costs no more than that and ``PATIENCE``."""
PATIENCE: Seconds = 0.5
"""An answer may come so much later than ``WAIT``, at first; a server that is slow is given more and more."""
PATIENCE_MOST: Seconds = 8.0
PAUSE: Seconds = 0.25
"""After a question that nobody answered."""


class GoogleMetadata:
    """Every question carries the flavour that keeps others from asking by mistake."""

    def __init__(self, url: str, timeout: Seconds = TIMEOUT) -> None:
        """``timeout`` is for a whole answer."""
        self._place, self._timeout = place_of(url), timeout

    def get(self, path: str) -> str | None:
        """The text below ``/computeMetadata/v1/``; None if there is nothing. Raises OSError if it cannot be asked."""
        found = self._ask("GET", path, self._timeout)
        return found.text if found is not None else None

    def put(self, path: str, text: str) -> None:
        """Write a guest attribute. Raises OSError, also where they are switched off."""
        if self._ask("PUT", path, self._timeout, text) is None:
            raise OSError(f"the metadata server has no {path}")

    def token(self) -> str | None:
        """The answer that holds the service account's access token (JSON); None if the machine has no account."""
        return self.get("instance/service-accounts/default/token")

    def identity(self, audience: str) -> str | None:
        """A signed token that says to ``audience`` who this machine is; None if it has no account."""
        return self.get(f"instance/service-accounts/default/identity?audience={quote(audience, safe='')}&format=full")

    def changed(self, path: str, etag: str, patience: Seconds) -> tuple[str | None, str]:
        """The text once its ETag is another than ``etag`` (empty: at once), or as it is after ``WAIT``; and its ETag."""
        if not etag:
            found = self._ask("GET", path, self._timeout + patience)
        else:
            asked = f"{path}?wait_for_change=true&timeout_sec={WAIT:.0f}&last_etag={quote(etag, safe='')}"
            found = self._ask("GET", asked, WAIT + patience)
        return (None, "") if found is None else (found.text, found.headers.get("etag", ""))

    def _ask(self, method: str, path: str, timeout: Seconds, body: str | None = None) -> Answered | None:
        found = self._place.ask(method, BASE + path, FLAVOR, timeout, body)
        if found.headers.get("metadata-flavor") != "Google":
            raise OSError("what answers there is not Google's metadata server")
        if found.status == 404:
            return None
        if found.status != 200:
            raise OSError(f"the metadata server answers {found.status} for {path}")
        return found


class Watched:
    """One text of the metadata server's, followed by a thread: seen within two seconds of its change, as long as anything
    answers there at all. A server that is slow, gone or restarted is asked again; silence changes nothing.
    """

    def __init__(
        self,
        metadata: GoogleMetadata,
        path: str,
        heard: Callable[[str], None],
        pause: Callable[[Seconds], object] = time.sleep,
    ) -> None:
        """``heard`` is called in the thread with each text that is another than the one before."""
        self._metadata, self._path, self._heard, self._pause = metadata, path, heard, pause
        self._patience, self._etag = PATIENCE, ""
        self._text: str | None = None
        self._over = False
        threading.Thread(target=self._follow, name=f"watch {path}", daemon=True).start()

    def _follow(self) -> None:
        while not self._over:
            self.once()

    def stop(self) -> None:
        """Nothing is heard any more; the thread ends with its question."""
        self._over = True

    def once(self) -> None:
        """One question."""
        began = time.monotonic()
        try:
            text, etag = self._metadata.changed(self._path, self._etag, self._patience)
        except OSError as error:
            slow = isinstance(error, TimeoutError)
            self._patience = min(self._patience * 2, PATIENCE_MOST) if slow else PATIENCE
            self._etag = ""  # a server that was restarted may call the same text otherwise: what it is now counts
            self._pause(PAUSE)
            return
        self._patience = PATIENCE
        if not etag or (etag == self._etag and time.monotonic() - began < WAIT / 2):
            self._pause(WAIT)  # nothing is there that could be waited for, or nobody waits
        self._etag = etag
        if text is not None and text != self._text and not self._over:
            self._text = text
            self._heard(text)
