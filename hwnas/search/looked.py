"""What a search over cheap functions looked at on its way: every different architecture is computed once, and none is forgotten."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hwnas.objectives import Floats
from hwnas.search.base import Problem
from hwnas.search.product import Product
from hwnas.search.progressive import in_layers
from hwnas.spaces.base import Archs


class Looked:
    """A product of objectives as a function of architectures, with all it was asked. `natural` gives the objectives, `(k, m)`."""

    def __init__(self, problem: Problem, natural: Callable[[Archs], Floats], product: Product) -> None:
        self.problem, self.natural, self.product = problem, natural, product
        self._known: dict[bytes, float] = {}
        self._archs: list[Archs] = []
        self._values: list[Floats] = []

    def __len__(self) -> int:
        """The number of different architectures looked at."""
        return len(self._known)

    def __call__(self, archs: Archs) -> Floats:
        """The product of architectures `(k, n_choices)`, shape `(k,)`."""
        rows = self.problem.space.canonical(archs)
        keys = [row.tobytes() for row in rows]
        new = {key: i for i, key in enumerate(keys) if key not in self._known}
        if new:
            fresh = rows[list(new.values())]
            values = self.natural(fresh)
            self._known.update(zip(new, self.product(values).tolist(), strict=True))
            self._archs.append(fresh)
            self._values.append(values)
        return np.array([self._known[key] for key in keys])

    def in_order(self, best: Archs, known: set[bytes], wanted: int) -> Archs:
        """`best`, then `wanted` others that meet the constraints as far as is known here and are not `known`, front by front."""
        archs, values = np.concatenate(self._archs), np.concatenate(self._values)
        good = np.isfinite(values).all(axis=1) & (self.product.violation(values) == 0)
        good &= [row.tobytes() not in known for row in archs]
        order = in_layers(values[good] * self.problem.signs, wanted)
        return np.concatenate([best[None], archs[good][order]])
