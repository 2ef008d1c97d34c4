"""Immutable journal entries of a remote bucket, kept on this computer: a quick start, and fewer requests to pay for.

The cache may be lost, locked or broken at any time: then it is as if it were empty.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path


class EntryCache:
    """One SQLite file per fleet id, shared by every process of this computer."""

    def __init__(self, folder: Path, fleet_id: str) -> None:
        self._path = folder / f"{fleet_id}.sqlite"
        self._connection = self._open()

    def get(self, number: int) -> bytes | None:
        """An entry's bytes, if they are known."""
        if self._connection is None:
            return None
        try:
            row = self._connection.execute("SELECT data FROM entries WHERE number = ?", (number,)).fetchone()
        except sqlite3.Error:
            return None
        return row[0] if row and isinstance(row[0], bytes) else None

    def put(self, number: int, data: bytes) -> None:
        """Remember an entry's bytes."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error), self._connection:
                self._connection.execute("INSERT OR IGNORE INTO entries VALUES (?, ?)", (number, data))

    def _open(self) -> sqlite3.Connection | None:
        for again in (True, False):
            try:
                return self._connect()
            except (sqlite3.Error, OSError):
                if again:
                    with contextlib.suppress(OSError):
                        self._path.unlink()
        return None

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=2.0, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("CREATE TABLE IF NOT EXISTS entries (number INTEGER PRIMARY KEY, data BLOB NOT NULL)")
        except sqlite3.Error:
            connection.close()
            raise
        return connection
