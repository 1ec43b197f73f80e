"""A small space without torch, with choices that do nothing for some architectures, and objectives over it."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwnas.objectives import Objective
from hwnas.spaces.base import Choice, Part, SearchSpace


class ToySpace(SearchSpace):
    """One depth and `blocks` widths; the widths of blocks beyond the depth do nothing."""

    name = "toy"
    classes = 2
    input_shape = (1, 4, 4)

    def __init__(self, blocks: int = 6, widths: int = 4) -> None:
        self.blocks, self.widths = blocks, widths
        depth = Choice("depth", tuple(range(1, blocks + 1)))
        self.choices = (depth, *(Choice(f"width{i}", tuple(8 * (w + 1) for w in range(widths))) for i in range(blocks)))
        self.parts = tuple(Part(f"block{i}", (0, i + 1)) for i in range(blocks))

    def active(self, archs):
        mask = np.ones(archs.shape, dtype=bool)
        mask[:, 1:] = np.arange(self.blocks) <= archs[:, :1]
        return mask

    @property
    def size(self) -> int:
        return sum(self.widths**depth for depth in range(1, self.blocks + 1))

    def network(self, arch):
        raise NotImplementedError

    def supernet(self):
        raise NotImplementedError

    def spec(self) -> dict[str, Any]:
        return {"kind": self.name, "blocks": self.blocks, "widths": self.widths}


def latency(archs):
    """Additive over the active blocks, in ms, at least 0.2."""
    mask = np.arange(archs.shape[1] - 1) <= archs[:, :1]
    return 0.1 + (mask * (0.1 + 0.07 * archs[:, 1:])).sum(axis=1)


def accuracy(archs):
    """Grows with depth and width with falling returns, and a little with where the width is."""
    mask = np.arange(archs.shape[1] - 1) <= archs[:, :1]
    gain = (mask * (0.5 + archs[:, 1:] * (1 + 0.1 * np.arange(archs.shape[1] - 1)))).sum(axis=1)
    return 1.0 - 0.5 * np.exp(-0.15 * gain)


def cost(fn=latency, name="latency_ms", unit="ms", **more):
    return Objective(name, unit, "min", False, fn, **more)


def score(fn=accuracy, name="accuracy", expensive=True, bounds=(0.0, 1.0), **more):
    return Objective(name, "share", "max", expensive, fn, bounds, "measured", **more)


def table(run):
    """Every row of the table `evaluations`, as sqlite holds it."""
    import sqlite3

    db = sqlite3.connect(run.database)
    try:
        return db.execute("SELECT * FROM evaluations ORDER BY id").fetchall()
    finally:
        db.close()
