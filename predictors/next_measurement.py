"""What to measure next: the items that leave the least doubt about all the others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from predictors.features import Matrix


def next_measurements(
    factor: Matrix,
    noise: float,
    count: int,
    measured: npt.ArrayLike = (),
    weights: npt.ArrayLike | None = None,
    costs: npt.ArrayLike | None = None,
) -> list[int]:
    """The `count` items to measure next, in order; fewer when there are no more.

    Prior knowledge about `n` items is `factor @ z` with `z` of independent standard normals: `factor` has shape `(n, q)`, so that
    `factor @ factor.T` is the covariance of what is not known yet. A measurement has an error of standard deviation `noise`. The next item
    is always the one that lowers the sum of the variances of all items the most (the criterion A of optimal design, taken greedily; Cohn,
    Ghahramani and Jordan 1996), each item counted by its entry of `weights` `(n,)` >= 0. What is asked does not depend on what the
    measurements say. `measured` are indices measured already: they are taken into account and not proposed. `costs` `(n,)` > 0: the most
    is lowered per unit of it.

    Raises InputError when an index is out of range.
    """
    known = list(dict.fromkeys(int(i) for i in np.asarray(measured, dtype=np.intp).ravel()))
    if any(not 0 <= i < len(factor) for i in known):
        raise InputError(f"an index of what was measured is not within 0 to {len(factor) - 1}")
    importance = np.ones(len(factor)) if weights is None else np.asarray(weights, dtype=np.float64)
    price = np.ones(len(factor)) if costs is None else np.asarray(costs, dtype=np.float64)
    # The squared length of a row of `seen` is how much the item says about all items, by their importance.
    values, vectors = np.linalg.eigh(factor.T @ (importance[:, None] * factor))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    posterior = np.eye(factor.shape[1])
    seen, variance = factor @ root, np.square(factor).sum(axis=1)
    taken: list[int] = []
    for step in range(min(len(known) + count, len(factor))):
        gain = np.square(seen).sum(axis=1) / (variance + noise**2) / price
        gain[taken] = -1.0
        item = known[step] if step < len(known) else int(np.argmax(gain))
        taken.append(item)
        direction = posterior @ factor[item] / np.sqrt(variance[item] + noise**2)
        along = factor @ direction
        posterior -= np.outer(direction, direction)
        variance = np.maximum(variance - np.square(along), 0.0)
        seen = seen - np.outer(along, direction @ root)
    return taken[len(known) :]
