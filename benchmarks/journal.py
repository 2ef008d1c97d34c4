"""What the journal costs on a folder: appending durably, asking for news, reading it from the start.

python benchmarks/journal.py
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from fleet.store.files import FileObjects
from fleet.store.journal import Journal

ENTRIES = 300


def main() -> None:
    """Print the medians in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        objects = FileObjects(Path(folder))
        journal = Journal(objects, "bench", by="bench", version="0")
        journal.refresh()
        appends = [_timed(lambda n=n: journal.append([{"type": "bench", "v": 1, "n": n}])) for n in range(ENTRIES)]
        asks = [_timed(journal.refresh) for _ in range(ENTRIES)]
        reader = Journal(objects, "bench", by="reader", version="0")
        whole = _timed(reader.refresh)
    print(f"append (fsync, link, fsync)      {statistics.median(appends) * 1e3:.2f} ms")
    print(f"ask for news, none there         {statistics.median(asks) * 1e3:.3f} ms")
    print(f"read {ENTRIES} entries from the start {whole * 1e3:.0f} ms")


def _timed(work: object) -> float:
    begun = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
