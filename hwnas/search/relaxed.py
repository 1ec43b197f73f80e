"""A function of whole numbers, extended to all points between them, so that an optimiser of continuous functions can go down it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from hwnas.objectives import Floats

Grid = npt.NDArray[np.int64]


class Relaxed:
    """Piecewise linear between the points of a grid: every unit cube is cut into simplices along the order of the fractions.

    This is the extension of Lovász, Submodular functions and convexity, 1983: between d + 1 corners it is linear, so that a point costs at
    most d + 1 of them, and the least value of a cube is at a corner. `fn` maps grid points `(k, d)` to `(k,)` values; it sees every point
    once. Coordinate i runs from 0 to `limits[i] - 1`; each of them has at least two values.
    """

    def __init__(self, fn: Callable[[Grid], Floats], limits: Sequence[int]) -> None:
        self.fn, self.limits = fn, np.asarray(limits, dtype=np.int64)
        self._known: dict[tuple[int, ...], float] = {}

    def at(self, points: Grid) -> Floats:
        """The function at grid points `(k, d)`, shape `(k,)`."""
        keys = list(map(tuple, points.tolist()))
        new = [key for key in dict.fromkeys(keys) if key not in self._known]
        if new:
            self._known.update(zip(new, self.fn(np.array(new, dtype=np.int64)).tolist(), strict=True))
        return np.array([self._known[key] for key in keys])

    def best(self) -> Grid:
        """The grid point of the least value seen, shape `(d,)`; the first of equals."""
        return np.array(min(self._known, key=self._known.__getitem__), dtype=np.int64)

    def __call__(self, x: Floats) -> tuple[float, Floats]:
        """The value at one point `(d,)`, and the slopes `(d,)` of its simplex."""
        values, slopes = self.many(np.asarray(x)[None])
        return float(values[0]), slopes[0]

    def many(self, xs: Floats) -> tuple[Floats, Floats]:
        """Values `(k,)` and slopes `(k, d)` at points `(k, d)`, which are brought within the grid."""
        inside = np.clip(xs, 0.0, self.limits - 1.0)
        base = np.minimum(inside.astype(np.int64), self.limits - 2)
        part = inside - base
        order = np.argsort(-part, axis=1, kind="stable")
        # From the lower corner one step at a time, the coordinate with the largest fraction first; (k, d + 1, d).
        rank = np.argsort(order, axis=1, kind="stable")
        stepped = rank[:, None, :] < np.arange(len(self.limits) + 1)[:, None]
        corners = base[:, None, :] + stepped
        heights = self.at(corners.reshape(-1, len(self.limits))).reshape(len(inside), -1)
        slopes = np.take_along_axis(np.diff(heights, axis=1), rank, axis=1)
        return heights[:, 0] + (part * slopes).sum(axis=1), slopes
