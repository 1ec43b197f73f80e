"""Simplicial homology global optimisation (SHGO) over whole numbers: scipy's `shgo` on their relaxation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np

from device_profiles.errors import InputError
from hwnas.objectives import Floats
from hwnas.search.relaxed import Grid, Relaxed

#: Local minimisers that are gone down from; the others are nearly always the same or worse.
DESCENTS = 2
#: A descent ends when it gains less than this share: only the corners count, and it has met them by then.
PRECISION = 1e-3


def shgo(fn: Callable[[Grid], Floats], limits: Sequence[int], samples: int, rng: np.random.Generator) -> Grid:
    """The grid point of least value that SHGO finds, shape `(d,)`.

    Endres, Sandrock and Focke, A simplicial homology algorithm for Lipschitz optimisation, Journal of Global Optimization 2018. `samples`
    points, spread evenly from an offset of `rng`, are triangulated; those below all their neighbours are gone down from by L-BFGS-B. `fn`
    maps grid points `(k, d)` to finite `(k,)` values. A grid with no more points than `samples` is looked at whole.
    Raises InputError without scipy.
    """
    relaxed = Relaxed(fn, limits)
    if math.prod(limits) <= samples:
        relaxed.look(product(*map(range, limits)))
        return relaxed.best()
    try:
        from scipy.optimize import shgo as minimise
    except ImportError as error:
        raise InputError('flash needs scipy: pip install "hwnas[search]"') from error

    offset = rng.random(len(limits))

    def together(_one: Any, points: Iterable[Any]) -> list[float]:
        """The values of all sampled points in one call, in place of one call per point."""
        return relaxed.many(points)

    minimise(
        relaxed, [(0.0, limit - 1.0) for limit in limits], n=max(samples, len(limits) + 2),
        sampling_method=lambda n, d: _spread(n, d, offset), options={"local_iter": DESCENTS}, workers=together,
        minimizer_kwargs={"method": "L-BFGS-B", "jac": True, "options": {"ftol": PRECISION}},
    )  # fmt: skip
    return relaxed.best()


def _spread(n: int, d: int, offset: Floats) -> Floats:
    """`n` points of the unit cube that fill it evenly, `(n, d)`: multiples of the powers of the generalised golden ratio, from `offset`.

    Roberts, The Unreasonable Effectiveness of Quasirandom Sequences, 2018.
    """
    ratio = 2.0
    for _ in range(64):
        ratio = (1.0 + ratio) ** (1.0 / (d + 1))
    return np.asarray((offset + np.outer(np.arange(1, n + 1), ratio ** -np.arange(1.0, d + 1))) % 1.0)
