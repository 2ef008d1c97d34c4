"""Several things at a time, since what takes the time in a bucket far away, and on a disk, is waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

WORKERS = 8
SHARE = 16
"""Items that one thread does before it hands their results over. On a folder, where nothing waits, threads only cost."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(do: Callable[[Item], Result], items: Sequence[Item], workers: int) -> list[Result]:
    """``do`` of each item, in their order, so many at a time. What ``do`` raises is raised. One item needs no thread."""
    if min(workers, len(items)) <= 1:
        return [do(item) for item in items]
    with ThreadPoolExecutor(max_workers=min(workers, len(items))) as pool:
        return list(pool.map(do, items))


def in_shares(do: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """``do`` of each item, in the order of the items; a few are done without any thread. What ``do`` raises is raised."""
    if len(items) <= SHARE:
        yield from map(do, items)
        return
    shares = [items[start : start + SHARE] for start in range(0, len(items), SHARE)]
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        for results in pool.map(lambda share: [do(item) for item in share], shares):
            yield from results
