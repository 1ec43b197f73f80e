"""Where the arrays of an isolated operator lie in memory: a new place for every block.

How the arrays that a kernel reads and writes lie to each other within a page of memory decides whether the processor takes a load for one
that depends on an earlier store (4K aliasing): in an unlucky place the same kernel needs up to 1.7 times as long. A place kept for a whole
session would be a coin tossed once; with a place per block every campaign meets them all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from device_profiles.runtimes.base import Array

_PAGE, _LINE = 4096, 64


class Place:
    """Memory for one array with a page to spare."""

    def __init__(self, shape: Sequence[int], dtype: npt.DTypeLike) -> None:
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self.bytes = math.prod(self.shape) * self.dtype.itemsize
        self.memory = np.zeros(self.bytes + 2 * _PAGE, dtype=np.uint8)

    def move(self, rng: np.random.Generator) -> Array:
        """The array at a new place, a whole number of cache lines into a page; what it holds there is left over from elsewhere."""
        start = -self.memory.ctypes.data % _PAGE + _LINE * int(rng.integers(_PAGE // _LINE))
        return self.memory[start : start + self.bytes].view(self.dtype).reshape(self.shape)
