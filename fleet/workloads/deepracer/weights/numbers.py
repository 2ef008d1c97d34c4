"""What the numbers of a tensor come to, counted as they pass by: nothing of it stays in memory."""

from __future__ import annotations

import math
import struct
import sys
from array import array
from collections.abc import Sequence

FLOATS = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "complex64": 4, "complex128": 8}
"""Types that can be NaN or infinite, and bytes of a number (of a complex value there are two)."""


class Count:
    """Of one tensor."""

    def __init__(self, dtype: str, *, big_endian: bool, closely: bool) -> None:
        self._dtype, self._big, self._closely = dtype, big_endian, closely
        self.nan = self.infinite = 0
        self.largest = self.norm = 0.0

    def add(self, data: bytes) -> None:
        """Whole numbers, in the bundle's order of bytes.

        A sum is NaN or infinite if a number of it is, and is the fastest to be had; where it is, each is looked at.
        """
        values = _values(data, self._dtype, big_endian=self._big)
        if not values:
            return
        if not math.isfinite(sum(values)):
            self.nan += sum(map(math.isnan, values))
            self.infinite += sum(map(math.isinf, values))
            if self._closely:
                values = [one for one in values if math.isfinite(one)]
        if self._closely and values:
            self.largest = max(self.largest, max(values), -min(values))
            self.norm = math.hypot(self.norm, *values)


def _values(data: bytes, dtype: str, *, big_endian: bool) -> Sequence[float]:
    if dtype == "float16":
        return struct.unpack(f"{'>' if big_endian else '<'}{len(data) // 2}e", data)
    if dtype == "bfloat16":  # the upper half of a float32
        wide = bytearray(2 * len(data))
        high, low = (0, 1) if big_endian else (2, 3)
        wide[high::4], wide[low::4] = data[0::2], data[1::2]
        data = bytes(wide)
    found = array("d" if FLOATS[dtype] == 8 else "f", data)
    if big_endian != (sys.byteorder == "big"):
        found.byteswap()
    return found
