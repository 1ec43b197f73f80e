"""The kernel of the exact front: which of many points are dominated, fast enough to be asked at every step.

All objectives are minimised. Points are arrays of shape `(m, n)`: objectives as rows, so that each is contiguous.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hwnas.objectives import Floats

Index = npt.NDArray[np.intp]


def front_index(points: Floats) -> Index:
    """Indices of the points that no other dominates, equal ones once, in rising order of the first objective, then the second.

    `points` has shape `(m, n)`, m from 1 to 3. Kung, Luccio and Preparata, On Finding the Maxima of a Set of Vectors, JACM 1975: sort, then
    sweep; with three objectives the sweep is moocore's.
    """
    if points.shape[1] == 0:
        return np.empty(0, dtype=np.intp)
    if len(points) == 1:
        return np.array([points[0].argmin()], dtype=np.intp)
    return _two(points[0], points[1]) if len(points) == 2 else _three(points)


def _two(first: Floats, second: Floats) -> Index:
    order = first.argsort(kind="stable")  # sums of sorted sets are runs, which a stable sort merges
    second = second[order]
    keep = np.empty(len(order), dtype=bool)
    keep[0] = True
    np.less(second[1:], np.minimum.accumulate(second)[:-1], out=keep[1:])
    kept = order[keep]
    ends = first[kept]
    ties = ends[1:] == ends[:-1]  # of equal first objectives the last kept is the best
    return np.delete(kept, np.flatnonzero(ties)) if ties.any() else kept


def _three(points: Floats) -> Index:
    import moocore

    kept = np.flatnonzero(moocore.is_nondominated(np.ascontiguousarray(points.T), keep_weakly=False))
    return kept[np.lexsort(points[::-1, kept])]


def thinned(points: Floats, limit: int) -> tuple[Index, Floats]:
    """At most about `limit` of `(m, n)` points of a front, and how much worse, per objective, a dropped point's stand-in can be, `(m,)`.

    Cells of equal width along all objectives but the last; of each the point that is best in the last one stays: nothing is lost there.
    """
    if points.shape[1] <= limit:
        return np.arange(points.shape[1]), np.zeros(len(points))
    side = max(int(limit ** (1 / (len(points) - 1))), 1)
    low, span = points[:-1].min(axis=1), np.ptp(points[:-1], axis=1)
    # Most cells of a grid over three objectives are empty: a finer one holds as many points.
    while True:
        width = np.where(span > 0, span / side, 1.0)
        place = np.minimum(((points[:-1] - low[:, None]) / width[:, None]).astype(np.int64), side - 1)
        cell = np.ravel_multi_index(tuple(place), (side,) * len(place))
        order = np.lexsort((points[-1], cell))
        kept = order[np.concatenate([[True], np.diff(cell[order]) > 0])]
        if len(kept) >= limit // 2 or side > 1 << 20:
            break
        side = int(side * 1.5) + 1
    leader = kept[np.searchsorted(cell[kept], cell)]
    lost = np.maximum(points[:, leader] - points, 0.0).max(axis=1)
    return np.sort(kept), lost
