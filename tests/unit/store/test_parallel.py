"""Many small reads at a time."""

from __future__ import annotations

import threading

import pytest

from fleet.store.parallel import SHARE, in_shares


@pytest.mark.parametrize("count", [0, 1, SHARE, SHARE + 1, 20 * SHARE + 3])
def test_results_come_in_the_order_of_the_items(count: int) -> None:
    assert list(in_shares(lambda n: n * n, range(count))) == [n * n for n in range(count)]


def test_a_few_are_done_without_a_thread() -> None:
    assert set(in_shares(lambda _: threading.current_thread(), range(SHARE))) == {threading.current_thread()}


def test_what_waits_waits_together() -> None:
    together = threading.Barrier(4)
    first = [0, SHARE, 2 * SHARE, 3 * SHARE]
    results = in_shares(lambda n: together.wait(60) if n in first else -1, range(4 * SHARE))
    assert sorted(n for n in results if n >= 0) == [0, 1, 2, 3]


def test_a_failure_comes_after_the_results_of_the_shares_before_it() -> None:
    def do(n: int) -> int:
        if n == 3 * SHARE:
            raise OSError(n)
        return n

    found: list[int] = []

    def read() -> None:
        for one in in_shares(do, range(6 * SHARE)):
            found.append(one)  # each is kept before the next is asked for

    with pytest.raises(OSError, match=str(3 * SHARE)):
        read()
    assert found == list(range(3 * SHARE))
