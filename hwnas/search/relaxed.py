"""A function of whole numbers, extended to all points between them, so that an optimiser of continuous functions can go down it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from hwnas.objectives import Floats

Grid = npt.NDArray[np.int64]
Point = tuple[int, ...]


class Relaxed:
    """Piecewise linear between the points of a grid: every unit cube is cut into simplices along the order of the fractions.

    This is the extension of Lovász, Submodular functions and convexity, 1983: between d + 1 corners it is linear, so that a point costs at
    most d + 1 of them, and the least value of a cube is at a corner. `fn` maps grid points `(k, d)` to `(k,)` values; it sees every point
    once. Coordinate i runs from 0 to `limits[i] - 1`; each of them has at least two values.
    """

    def __init__(self, fn: Callable[[Grid], Floats], limits: Sequence[int]) -> None:
        self.fn, self.limits = fn, tuple(int(limit) for limit in limits)
        self._known: dict[Point, float] = {}

    def look(self, points: Iterable[Point]) -> None:
        """Asks `fn` for grid points, all new ones in one call."""
        new = [point for point in dict.fromkeys(points) if point not in self._known]
        if new:
            self._known.update(zip(new, self.fn(np.array(new, dtype=np.int64)).tolist(), strict=True))

    def best(self) -> Grid:
        """The grid point of the least value seen, shape `(d,)`; the first of equals."""
        return np.array(min(self._known, key=self._known.__getitem__), dtype=np.int64)

    def many(self, xs: Iterable[Floats]) -> list[float]:
        """The values at many points `(d,)`, for one call of `fn`."""
        points = [x.tolist() for x in xs]
        self.look(corner for point in points for corner in self._simplex(point)[0])
        return [self(np.array(point))[0] for point in points]

    def __call__(self, x: Floats) -> tuple[float, Floats]:
        """The value at one point `(d,)`, brought within the grid, and the slopes `(d,)` of its simplex.

        In plain Python: of some hundred calls in a descent hardly one meets a new corner, and for a few numbers numpy takes longer.
        """
        corners, order, part = self._simplex(x.tolist())
        if not all(corner in self._known for corner in corners):
            self.look(corners)
        value = height = self._known[corners[0]]
        slopes = [0.0] * len(order)
        for i, corner in zip(order, corners[1:], strict=True):
            slopes[i] = self._known[corner] - height
            height = self._known[corner]
            value += part[i] * slopes[i]
        return value, np.array(slopes)

    def _simplex(self, x: Sequence[float]) -> tuple[list[Point], list[int], list[float]]:
        """The d + 1 corners around a point, the coordinates by which one differs from the next, and the point's place in its cube.

        From the lower corner it goes one step at a time, the coordinate with the largest fraction first.
        """
        inside = [min(max(value, 0.0), limit - 1.0) for value, limit in zip(x, self.limits, strict=True)]
        corner = [min(int(value), limit - 2) for value, limit in zip(inside, self.limits, strict=True)]
        part = [value - base for value, base in zip(inside, corner, strict=True)]
        order = sorted(range(len(part)), key=part.__getitem__, reverse=True)
        corners = [tuple(corner)]
        for i in order:
            corner[i] += 1
            corners.append(tuple(corner))
        return corners, order, part
