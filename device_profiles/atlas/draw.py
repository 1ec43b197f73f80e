"""Drawing the sizes of networks as people choose them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Draw:
    """Random sizes from one generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        # Most networks have channels that are multiples of 8; pruned and searched ones do not.
        self.multiple = int(rng.choice((4, 8, 8, 8, 16, 16, 32)))

    def pick(self, *values: T) -> T:
        """One of the values."""
        return values[int(self.rng.integers(len(values)))]

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return int(self.rng.integers(low, high + 1))

    def round(self, low: float, high: float) -> int:
        """A number of channels, even in its logarithm, a multiple of what this network uses."""
        value = float(np.exp(self.rng.uniform(np.log(low), np.log(high))))
        return max(self.multiple, round(value / self.multiple) * self.multiple)

    def widths(self, stages: int, low: float, high: float) -> list[int]:
        """Channels of the stages: the first between `low` and `high`, each later one 1.2 to 2.1 times as wide as the one before."""
        value = float(np.exp(self.rng.uniform(np.log(low), np.log(high))))
        found = []
        for _ in range(stages):
            found.append(max(self.multiple, round(value / self.multiple) * self.multiple))
            value *= self.rng.uniform(1.2, 2.1)
        return found
